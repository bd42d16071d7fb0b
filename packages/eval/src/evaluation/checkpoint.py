"""Which model a command means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from monet.checkpoint import SHIPPED, WEIGHTS, Weights, find_weights, read_weights
from scenes.command_line import CommandError, UsageError

RUNS = Path("runs")


def choose_weights(checkpoint: str | None, dataset: str) -> Weights:
    """Returns the weights of a checkpoint, else of the newest run, else those that are shipped.

    Args:
        checkpoint: run folder, file or name; `None` chooses.
        dataset: data that the chosen run must have been trained on, such as `objects_room`.

    Raises:
        UsageError: there is none.
    """
    if checkpoint is not None:
        return read_weights(find_weights(checkpoint))
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


def newest_runs(folder: Path = RUNS) -> Iterator[Weights]:
    """Yields the runs under a folder that can be read, the one saved last first."""
    saved = sorted(folder.glob(f"*/{WEIGHTS}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in saved:
        try:
            yield read_weights(path)
        except CommandError:
            continue


def every_run(checkpoints: Sequence[str]) -> Iterator[Weights]:
    """Yields the weights of checkpoints; without any, all runs, then those that are shipped."""
    if checkpoints:
        yield from (read_weights(find_weights(checkpoint)) for checkpoint in checkpoints)
        return
    yield from newest_runs()
    yield from (read_weights(path) for path in sorted(SHIPPED.glob("*.safetensors")))
