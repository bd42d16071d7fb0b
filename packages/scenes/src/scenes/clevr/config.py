"""CLEVR's own images, and scenes like them: their configs, and rows in the table of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from scenes.dataset import Dataset, on_demand
from scenes.file.schema import MOST_ENTITIES
from scenes.limits import check_choice, check_whole

DRAWING: Mapping[str, str] = {"materials": "drawn, materials 2"}
"""Version of how CLEVR-like objects are shaded and shaped: any change of that raises it."""


@dataclass(frozen=True)
class ClevrConfig:
    """CLEVR's images, cropped and resized (MONet paper, appendix C).

    `scenes.clevr.survey` looks through the images, and makes such a config.

    Example:
        >>> from pathlib import Path
        >>> import scenes
        >>> from PIL import Image
        >>> from scenes.clevr.survey import survey
        >>> Path("images").mkdir()
        >>> Image.new("RGB", (320, 240)).save("images/CLEVR_train_000000.png")
        >>> images = survey(Path("images"), workers=1)
        >>> scenes.build(images.config, n=images.n, seed=0, out="clevr.h5")
        >>> scenes.SceneFile("clevr.h5")["image"].shape
        (1, 128, 128, 3)
    """

    dataset: ClassVar[str] = "clevr"
    isolated: ClassVar[bool] = False
    size: ClassVar[int] = 128
    """Side of the cropped images in pixels."""

    source: str
    """The folder of PNGs, or the clevr_with_masks TFRecord."""
    items: str
    """SHA-256 of the names and lengths of the files used, in order."""
    original_width: int
    """Width of the images: 320, or 480, which is scaled to 360 and cut to the middle 320."""
    original_height: int
    """Height of the images: 240, or 320, which is scaled to 240."""
    num_rows: int = 0
    """Rows of the factors: the most objects of a scene; 0 where objects are not known."""
    num_entities: int | None = None
    """Masks of each record, background included; `None` for a folder of PNGs."""
    scenes: str | None = None
    """The scenes JSON, or the folder of one JSON for each scene."""
    left_out: tuple[str, ...] = ()
    """Names of the PNGs that could not be read."""
    max_objects: int | None = None
    """Only scenes with at most so many objects; 6 makes CLEVR6."""
    content: str | None = None
    """SHA-256 of the images used, in order, and of their objects; `None` in files of version 0.2
    and earlier."""

    def __post_init__(self) -> None:
        check_whole("objects of a scene", self.num_rows, 0, MOST_ENTITIES - 1)
        if self.num_entities is not None:
            check_whole("entities of a record", self.num_entities, 1, MOST_ENTITIES)
        if self.max_objects is not None:
            check_whole("--max-objects", self.max_objects, 1, 1_000_000)
        check_whole("width of the images", self.original_width, 1, 10_000)
        check_whole("height of the images", self.original_height, 1, 10_000)

    @property
    def sequential(self) -> bool:
        """Whether one worker reads all scenes in order, as a gzipped stream must be read."""
        return self.num_entities is not None


@dataclass(frozen=True)
class ClevrLikeConfig:
    """CLEVR-style scenes, rendered by the published rules of clevr-dataset-gen.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.ClevrLikeConfig(max_objects=4), n=1, seed=0, out="clevr4.h5")
        >>> scenes.SceneFile("clevr4.h5")["image"].shape
        (1, 128, 128, 3)
    """

    dataset: ClassVar[str] = "clevr_like"
    isolated: ClassVar[bool] = True
    """As `ObjectsRoomConfig.isolated`."""
    sequential: ClassVar[bool] = False
    size: ClassVar[int] = 128
    """Side of the cropped images in pixels."""
    min_objects: ClassVar[int] = 3
    """Fewest objects of a scene."""

    split: Literal["train", "test"] = "train"
    """Test scenes have a random stream of their own, and each object's full extent."""
    max_objects: int = 10
    """Most objects of a scene, 3 to 10; the fewest are always 3."""

    def __post_init__(self) -> None:
        check_choice("--split", self.split, ("train", "test"))
        check_whole("--max-objects", self.max_objects, self.min_objects, 10)

    @property
    def with_amodal(self) -> bool:
        """Whether each object's full extent is written."""
        return self.split != "train"

    @property
    def stream(self) -> int:
        """Number of the random stream; every split and `max_objects` has its own."""
        return 300 + 2 * self.max_objects + (self.split == "test")


def _moved(config: ClevrConfig, path: Path, scenes: Path | None) -> ClevrConfig:
    """Returns the same config with other paths."""
    from scenes.clevr.folder import moved_folder, moved_records

    if config.num_entities is None:
        return moved_folder(config, path, scenes)
    return moved_records(config, path)


def _misnames(config: ClevrConfig, key: str, categories: Sequence[str]) -> bool:
    """Whether a file gives the codes of a `clevr_with_masks` TFRecord wrong names."""
    from scenes.clevr.properties import are_misnamed

    return config.num_entities is not None and are_misnamed(key, categories)


CLEVR = Dataset(
    config=ClevrConfig,
    title="CLEVR",
    command="scenes clevr",
    open=on_demand("scenes.clevr.source", "open_images"),
    test_config=None,
    places=("source", "scenes"),
    moved=_moved,
    misnames=_misnames,
)
CLEVR_LIKE = Dataset(
    config=ClevrLikeConfig,
    title="CLEVR-like scenes",
    command="scenes clevr-like",
    open=on_demand("scenes.clevr.likeness", "ClevrLikeSource", renders=True),
    test_config=lambda config: replace(config, split="test"),
    drawing=lambda _: DRAWING,
)
