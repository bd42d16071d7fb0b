"""Rows of another file: their config, and its row in the table of datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from scenes.dataset import Dataset, on_demand


@dataclass(frozen=True)
class SplitConfig:
    """Some rows of a file, in rising order.

    `scenes.split` makes such configs. A `SceneFile` of a split gives the dataset and the config of
    the scenes, as the file does from which they were taken.
    """

    dataset: ClassVar[str] = "split"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = False

    file: str
    """The file that the rows are taken from."""
    content: str
    """The file's `sha256` (`scenes.file.seal`)."""
    of_dataset: str
    """Name of the file's dataset."""
    of_config: str
    """Config of the file's scenes, as JSON."""
    ranges: tuple[tuple[int, int], ...]
    """First row, and the row after the last, of each range of rows, in rising order."""
    size: int
    """The longer side of the images in pixels."""

    def __post_init__(self) -> None:
        end = -1
        for start, stop in self.ranges:
            if not max(end, 0) <= start < stop:
                raise ValueError(f"ranges of rows must rise, got {start} to {stop} after {end}")
            end = stop

    @property
    def n(self) -> int:
        """Number of rows."""
        return sum(stop - start for start, stop in self.ranges)


def _moved(config: SplitConfig, path: Path, _scenes: Path | None) -> SplitConfig:
    from scenes.splits.source import seal_of

    return replace(config, file=str(path), content=seal_of(path))


SPLIT = Dataset(
    config=SplitConfig,
    title="Split",
    command="scenes split",
    open=on_demand("scenes.splits.source", "SplitSource"),
    test_config=None,
    places=("file",),
    moved=_moved,
)
