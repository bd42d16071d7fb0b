"""Rows of another file: their config, and its row in the table of datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from scenes.dataset import Dataset

if TYPE_CHECKING:
    from scenes.scene import Source


@dataclass(frozen=True)
class SplitConfig:
    """Some rows of a file, in rising order.

    `scenes.split` makes such configs. A `SceneFile` of one tells the dataset and the config of the
    scenes, as the file that they were taken from does.
    """

    dataset: ClassVar[str] = "split"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = False

    file: str
    """The file that the rows are taken from."""
    content: str
    """Its `sha256` (`scenes.file.seal`)."""
    of_dataset: str
    """Name of the dataset of its scenes."""
    of_config: str
    """Their config, as JSON."""
    ranges: tuple[tuple[int, int], ...]
    """First row, and the row after the last, of each range of rows, rising."""
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


def _open(config: SplitConfig, seed: int) -> Source:
    """Returns the source; it is imported here, since it reads files, and reading needs this row."""
    from scenes.splits.source import SplitSource

    return SplitSource(config, seed)


def _moved(config: SplitConfig, path: Path, _scenes: Path | None) -> SplitConfig:
    from scenes.splits.source import seal_of

    return replace(config, file=str(path), content=seal_of(path))


SPLIT = Dataset(
    config=SplitConfig,
    title="Split",
    command="scenes split",
    open=_open,
    test_config=None,
    places=("file",),
    moved=_moved,
)
