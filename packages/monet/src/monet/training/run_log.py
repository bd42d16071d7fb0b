"""What a run writes for people: metrics.jsonl, a picture and, if installed, TensorBoard events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scenes.atomic import whole_or_not, write_whole
from scenes.notices import tell
from scenes.serialise import parse_json

from monet.seal import read_regular

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"
PICTURE = "decomposition.png"
SCORE = "held_out_nll"
"""Key that every line of scores has."""
MOST_NAMED = 5
"""Most damaged lines that a message names."""


@dataclass(frozen=True)
class Line:
    """A line of metrics.jsonl."""

    text: str
    step: int | None
    """`None` where the line is damaged."""
    is_score: bool


def read_lines(folder: Path) -> list[Line]:
    """Returns the lines of a run's log, without a last one that a kill cut short.

    Raises:
        CommandError: it is not a regular file.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    *whole, _ = read_regular(path).decode(errors="replace").split("\n")
    return list(map(_line, whole))


def _line(text: str) -> Line:
    try:
        values = parse_json(text)
        return Line(text, int(values["step"]), SCORE in values)
    except (ValueError, KeyError, TypeError, OverflowError):
        return Line(text, None, False)


class RunLog:
    """The logs of a run folder, from a step on; a context manager.

    Args:
        folder: the run folder.
        step: where the run goes on; what was logged after it is dropped, and logged again. Lines
            that are damaged are dropped too, and a message on stderr says which.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._metrics, self._picture = folder / METRICS, folder / PICTURE
        lines = read_lines(folder)
        damaged = [str(number) for number, line in enumerate(lines, 1) if line.step is None]
        if damaged:
            more = ", ..." if len(damaged) > MOST_NAMED else ""
            numbers = ", ".join(damaged[:MOST_NAMED]) + more
            tell(f"{self._metrics}: damaged, and left out: line {numbers}", "monet")
        earlier = [line for line in lines if line.step is not None and line.step <= step]
        if self._metrics.exists():
            write_whole(self._metrics, "".join(f"{line.text}\n" for line in earlier).encode())
        self._writer = _events(folder, step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Logs numbers under their names."""
        with self._metrics.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def picture(self, step: int, sheet: UInt8[np.ndarray, "Y X 3"]) -> None:
        """Logs a sheet of decompositions; the file beside the metrics is the newest one.

        Args:
            step: of the run.
            sheet: the picture.
        """
        if self._writer is not None:
            self._writer.add_image("decomposition", sheet, step, dataformats="HWC")
        with whole_or_not(self._picture) as temporary:
            Image.fromarray(sheet).save(temporary, "PNG")


def _events(folder: Path, step: int) -> SummaryWriter | None:
    """Returns a writer of TensorBoard's events; without TensorBoard, says so and returns `None`.

    Machines that are lent with a GPU have PyTorch, and seldom TensorBoard.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        if error.name != "tensorboard":
            raise
        tell("no TensorBoard events: tensorboard is not installed", "monet")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
