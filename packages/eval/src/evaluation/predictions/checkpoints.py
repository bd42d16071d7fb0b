"""Checkpoints: run folders, files of weights, and the weights that come with the package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from monet.step_count import steps_in_words
from monet.weights import SHIPPED, WEIGHTS, Weights, find_weights, read_weights
from scenes.command_line import CommandError, UsageError
from scenes.notices import tell

from evaluation.predictions.models import ScoredModel, monet_model
from evaluation.scores.results import ModelIdentity

RUNS = Path("runs")


def choose_weights(checkpoint: str | None, dataset: str, size: int | None = None) -> Weights:
    """Returns the weights of a checkpoint, else of the newest run, else those that are shipped.

    A line on stderr says which run was chosen.

    Several weights of a dataset ship: those for the largest images are taken, or the largest to
    which images of `size` can be averaged down.

    Args:
        checkpoint: run folder, file or name; `None` chooses.
        dataset: data that the chosen run must have been trained on, such as `objects_room`. Where
            a named checkpoint was trained on another dataset, a line on stderr says so.
        size: side in pixels of the images to decompose; `None` where they will be rendered at the
            model's own size.

    Raises:
        UsageError: there are no such weights, or they were trained on given masks (section 2.2).
    """
    if checkpoint is not None:
        weights = read_weights(find_weights(checkpoint))
        if weights.config.masks != "attention":
            raise UsageError(
                f"{weights.path}: trained with --masks {weights.config.masks}: its attention has "
                "learned nothing that could be scored"
            )
        if weights.dataset != dataset:
            tell(f"{weights.name} was trained on {weights.dataset}, not on {dataset}", "eval")
        return weights
    shipped = next((weights for weights in _shipped() if _suits(weights, dataset, size)), None)
    for weights in newest_runs():
        if weights.dataset == dataset and weights.config.masks == "attention":
            steps = steps_in_words(weights.step, weights.earlier_steps)
            others = "others" if shipped is None else f"others, such as {shipped.name}"
            newest = f"takes the newest run, {weights.name} ({steps})"
            tell(f"{newest}; --checkpoint names {others}", "eval")
            return weights
    if shipped is not None:
        return shipped
    images = "" if size is None else f" for its images of {size} pixels"
    raise UsageError(
        f"no run on {dataset} under {RUNS} and no weights come with the package{images}; "
        "monet-train makes a run, --checkpoint names one that lies elsewhere"
    )


def _suits(weights: Weights, dataset: str, size: int | None) -> bool:
    """Whether weights are of a dataset, and images of a size can be averaged down to theirs."""
    fits = size is None or size % weights.config.model.image_size == 0
    return weights.dataset == dataset and fits


def of_weights(weights: Weights) -> ScoredModel:
    """Returns the model of some weights, ready to be scored."""
    identity = ModelIdentity(
        str(weights.path), weights.name, weights.step, earlier_steps=weights.earlier_steps
    )
    return monet_model(weights.model(), identity, weights)


def whole_image_weights(name: str | Path, beside: ScoredModel) -> Weights:
    """Returns weights that were trained with the whole image in one slot, to compare a model with.

    Raises:
        UsageError: there are no such weights, or they were trained with other masks or on images of
            another size than the model's.
    """
    whole = read_weights(find_weights(str(name)))
    if whole.config.masks != "all-in-one":
        raise UsageError(f"{whole.path}: was not trained with --masks all-in-one")
    if whole.config.model.image_size != beside.image_size:
        other = beside.identity.path
        raise UsageError(f"{whole.path}: takes images of another size than {other}")
    return whole


def newest_runs(folder: Path = RUNS) -> Iterator[Weights]:
    """Yields the runs under a folder, the one saved last first; names unreadable ones on stderr."""
    saved = sorted(folder.glob(f"*/{WEIGHTS}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in saved:
        try:
            yield read_weights(path)
        except CommandError as error:
            tell(f"{error}; left out", "eval")


def every_run(checkpoints: Sequence[str]) -> Iterator[Weights]:
    """Yields the weights of checkpoints; without any, all runs, then those that are shipped."""
    if checkpoints:
        yield from (read_weights(find_weights(checkpoint)) for checkpoint in checkpoints)
        return
    yield from newest_runs()
    yield from _shipped()


def _shipped() -> list[Weights]:
    """Returns the weights that come with the package, those for the largest images first."""
    shipped = [read_weights(path) for path in sorted(SHIPPED.glob("*.safetensors"))]
    return sorted(shipped, key=lambda weights: -weights.config.model.image_size)
