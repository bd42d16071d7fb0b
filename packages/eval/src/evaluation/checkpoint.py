"""Which model a command means."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from monet.checkpoint import SHIPPED, WEIGHTS, Weights, find_weights, read_weights
from scenes.command_line import CommandError, UsageError
from scenes.config import ObjectsRoomConfig
from scenes.file import SceneFile

RUNS = Path("runs")


def choose_weights(checkpoint: str | None, dataset: str) -> Weights:
    """Returns the weights of a checkpoint, else of the newest run, else those that are shipped.

    Args:
        checkpoint: run folder, file or name; `None` chooses.
        dataset: data that the chosen run must have been trained on, such as `objects_room`; of a
            checkpoint that is named, another one is said on stderr.

    Raises:
        UsageError: there is none, or its masks were given in training (section 2.2).
    """
    if checkpoint is not None:
        weights = read_weights(find_weights(checkpoint))
        if weights.config.masks != "attention":
            raise UsageError(
                f"{weights.path}: trained with --masks {weights.config.masks}: its attention has "
                "learned nothing that could be scored"
            )
        if weights.dataset != dataset:
            _say(f"{weights.name} was trained on {weights.dataset}, not on {dataset}")
        return weights
    for weights in newest_runs():
        if weights.dataset == dataset and weights.config.masks == "attention":
            return weights
    for name in (dataset, f"{dataset}_quick"):
        if (SHIPPED / f"{name}.safetensors").is_file():
            return read_weights(SHIPPED / f"{name}.safetensors")
    raise UsageError(
        f"no run on {dataset} under {RUNS} and no weights come with the package; monet-train "
        "makes a run, --checkpoint names one that lies elsewhere"
    )


def dataset_of(data: Path | None) -> str:
    """Returns the name of a file's dataset; without a file, that of the test rooms.

    Raises:
        FileError: it cannot be read.
    """
    if data is None:
        return ObjectsRoomConfig.dataset
    with SceneFile(data) as file:
        return file.dataset


def identity_of(weights: Weights) -> dict[str, object]:
    """Returns what a file of scores says of the weights."""
    return {"path": str(weights.path), "name": weights.name, "step": weights.step}


def newest_runs(folder: Path = RUNS) -> Iterator[Weights]:
    """Yields the runs under a folder, the one saved last first; what is none is said on stderr."""
    saved = sorted(folder.glob(f"*/{WEIGHTS}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in saved:
        try:
            yield read_weights(path)
        except CommandError as error:
            _say(f"{error}; left out")


def every_run(checkpoints: Sequence[str]) -> Iterator[Weights]:
    """Yields the weights of checkpoints; without any, all runs, then those that are shipped."""
    if checkpoints:
        yield from (read_weights(find_weights(checkpoint)) for checkpoint in checkpoints)
        return
    yield from newest_runs()
    yield from (read_weights(path) for path in sorted(SHIPPED.glob("*.safetensors")))


def _say(line: str) -> None:
    print(f"eval: {line}", file=sys.stderr)  # noqa: T201
