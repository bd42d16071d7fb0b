"""Arrays in memory: their config, and their row in the table of datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scenes.command_line import UsageError
from scenes.dataset import Dataset
from scenes.file.schema import MOST_ENTITIES
from scenes.limits import check_whole

if TYPE_CHECKING:
    from scenes.scene import Source


@dataclass(frozen=True)
class ArraysConfig:
    """Images, and masks if there are any, that were passed to `scenes.write_arrays`."""

    dataset: ClassVar[str] = "arrays"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = True
    """The arrays are in the memory of one process."""

    content: str
    """SHA-256 of images and segmentations, so that other arrays make another file."""
    height: int
    """Height of the images in pixels."""
    width: int
    """Width of the images in pixels."""
    num_entities: int = 0
    """Entities of the masks, background included; 0 where there are no masks."""

    def __post_init__(self) -> None:
        check_whole("height of the images", self.height, 1, 10_000)
        check_whole("width of the images", self.width, 1, 10_000)
        check_whole("entities", self.num_entities, 0, MOST_ENTITIES)

    @property
    def size(self) -> int:
        """The longer side of the images in pixels."""
        return max(self.height, self.width)


def _open(_config: ArraysConfig, _seed: int) -> Source:
    raise UsageError("scenes that were given as arrays come from nothing but those arrays")


ARRAYS = Dataset(
    config=ArraysConfig,
    title="Arrays",
    command="scenes.write_arrays",
    open=_open,
    test_config=None,
    from_arrays=True,
)
