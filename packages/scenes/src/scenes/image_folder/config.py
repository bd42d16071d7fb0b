"""Folders of pictures: their config, and their row in the table of datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from scenes.dataset import Dataset, on_demand
from scenes.file.schema import MOST_ENTITIES
from scenes.fit import Fit, check_fit
from scenes.limits import check_whole


@dataclass(frozen=True)
class ImageFolderConfig:
    """A folder of pictures as square images.

    `scenes.image_folder.survey` looks through the pictures, and makes such a config.

    Example:
        >>> from pathlib import Path
        >>> import scenes
        >>> from PIL import Image
        >>> from scenes.image_folder.survey import survey
        >>> Path("photographs").mkdir()
        >>> Image.new("RGB", (640, 480)).save("photographs/one.jpg")
        >>> pictures = survey(Path("photographs"), size=64, workers=1)
        >>> scenes.build(pictures.config, n=pictures.n, seed=0, out="photographs.h5")
        >>> scenes.SceneFile("photographs.h5")["image"].shape
        (1, 64, 64, 3)
    """

    dataset: ClassVar[str] = "images"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = False

    source: str
    """The folder of pictures."""
    masks: str | None
    """The folder of masks; `None` where masks lie beside the pictures, or there are none."""
    items: str
    """SHA-256 of the names and lengths of the files used, in order."""
    content: str
    """SHA-256 of the pictures and masks used, in order."""
    size: int
    """Side of the images in pixels."""
    fit: Fit
    """How a picture that is no square becomes one."""
    num_entities: int = 0
    """Most entities of a picture, background included; 0 where there are no masks."""
    left_out: tuple[str, ...] = ()
    """Names of the pictures that could not be read."""

    def __post_init__(self) -> None:
        check_fit(self.size, self.fit)
        check_whole("entities of a picture", self.num_entities, 0, MOST_ENTITIES)


def _moved(config: ImageFolderConfig, path: Path, masks: Path | None) -> ImageFolderConfig:
    if config.masks is not None and masks is None:
        raise ValueError(f"{path}: its masks are not beside it; name their folder by --masks")
    return replace(config, source=str(path), masks=None if masks is None else str(masks))


IMAGE_FOLDER = Dataset(
    config=ImageFolderConfig,
    title="Images",
    command="scenes images",
    open=on_demand("scenes.image_folder.source", "ImageFolderSource"),
    test_config=None,
    places=("source", "masks"),
    moved=_moved,
)
