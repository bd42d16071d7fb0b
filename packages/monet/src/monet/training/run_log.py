"""What a run writes for people: metrics.jsonl, a picture and, if installed, TensorBoard events."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scenes.atomic import whole_or_not, write_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"
PICTURE = "decomposition.png"
SHOWN_PIXELS = 96
"""Images smaller than this are enlarged in the picture."""


class RunLog:
    """The logs of a run folder, from a step on; a context manager.

    Args:
        folder: the run folder.
        step: where the run goes on; what was logged after it is dropped, and logged again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._metrics, self._picture = folder / METRICS, folder / PICTURE
        if self._metrics.exists():
            lines = self._metrics.read_text().splitlines()
            kept = "".join(f"{line}\n" for line in lines if _step_of(line) <= step)
            write_whole(self._metrics, kept.encode())
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

    def picture(self, step: int, sheet: UInt8[np.ndarray, "Y X 3"], image_size: int) -> None:
        """Logs a sheet of decompositions; the file beside the metrics is the newest one."""
        if self._writer is not None:
            self._writer.add_image("decomposition", sheet, step, dataformats="HWC")
        scale = max(1, SHOWN_PIXELS // image_size)
        enlarged = Image.fromarray(sheet.repeat(scale, axis=0).repeat(scale, axis=1))
        with whole_or_not(self._picture) as temporary:
            enlarged.save(temporary, "PNG")


def _events(folder: Path, step: int) -> SummaryWriter | None:
    """Returns what writes TensorBoard's events; `None`, and one line, where that is missing.

    A machine that is lent with a GPU has PyTorch, and seldom TensorBoard.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        if error.name != "tensorboard":
            raise
        print("monet-train: no TensorBoard events: tensorboard is not installed", file=sys.stderr)  # noqa: T201
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut short by a kill
        return 1 << 62
