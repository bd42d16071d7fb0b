"""Files of multi_object_datasets: their config, and its row in the table of datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from scenes.dataset import Dataset, sha256_of
from scenes.file.schema import MOST_ENTITIES
from scenes.limits import check_whole

if TYPE_CHECKING:
    from scenes.scene import Source


@dataclass(frozen=True)
class ImportedConfig:
    """A multi_object_datasets TFRecord, as it was read.

    Its fields come from the file itself; `scenes.formats.multi_object_datasets.describe` reads
    them, and `scenes.formats.tfrecord_import` makes a file of scenes in one step.

    Example:
        >>> from pathlib import Path
        >>> import scenes
        >>> from scenes.formats.export import export
        >>> from scenes.formats.multi_object_datasets import describe
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=2, seed=0, out="sprites.h5")
        >>> export(Path("sprites.h5"), Path("sprites.tfrecords"), "tfrecord").n
        2
        >>> config = describe(Path("sprites.tfrecords"))
        >>> scenes.build(config, n=2, seed=0, out="imported.h5")
        >>> scenes.SceneFile("imported.h5").config.layout
        'multi_dsprites'
    """

    dataset: ClassVar[str] = "imported"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = True
    """A gzipped stream cannot be entered in the middle."""

    file: str
    """The TFRecord."""
    items: str
    """SHA-256 of what it holds, so that another file of its name is another dataset."""
    layout: str
    """Which of their datasets: objects_room, multi_dsprites, clevr_with_masks or tetrominoes."""
    num_entities: int
    """Masks of each record, background included."""
    size: int
    """The longer side of the images in pixels."""

    def __post_init__(self) -> None:
        check_whole("entities of a record", self.num_entities, 1, MOST_ENTITIES)
        check_whole("side of the images", self.size, 1, 10_000)


def _open(config: ImportedConfig, seed: int) -> Source:
    """Returns the source; it is imported here, since reading a file needs none."""
    from scenes.formats.multi_object_datasets import ImportedSource

    return ImportedSource(config, seed)


IMPORTED = Dataset(
    config=ImportedConfig,
    title="Imported scenes",
    command="scenes import",
    open=_open,
    test_config=None,
    places=("file",),
    moved=lambda config, path, _scenes: replace(config, file=str(path), items=sha256_of(path)),
)
