"""Files of other projects: their config, and its row in the table of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from scenes.dataset import Dataset, on_demand
from scenes.file.schema import MOST_ENTITIES
from scenes.fit import Fit, check_fit
from scenes.limits import check_whole


@dataclass(frozen=True)
class ImportedConfig:
    """Scenes of other projects' files, as they were read.

    Its fields come from the files themselves; `scenes.formats.importing.survey` reads them, and
    `import_files` beside it makes a file of scenes in one step.

    Example:
        >>> from pathlib import Path
        >>> import scenes
        >>> from scenes.formats.export import export
        >>> from scenes.formats.importing import survey
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=2, seed=0, out="sprites.h5")
        >>> export(Path("sprites.h5"), Path("sprites.tfrecords"), "tfrecord").n
        2
        >>> records = survey([Path("sprites.tfrecords")])
        >>> scenes.build(records.config, n=records.n, seed=0, out="imported.h5")
        >>> scenes.SceneFile("imported.h5").config.layout
        'multi_dsprites'
    """

    dataset: ClassVar[str] = "imported"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = True
    """A gzipped stream cannot be entered in the middle."""

    file: str
    """The file, or the first of several."""
    items: str
    """SHA-256 of what they hold, so that other files of their names are another dataset."""
    layout: str
    """Which of multi_object_datasets' datasets: objects_room, multi_dsprites, clevr_with_masks or
    tetrominoes; or which other format."""
    num_entities: int
    """Most entities of a record, background included; 0 where there are no masks."""
    size: int
    """The longer side of the images in pixels."""
    more: tuple[str, ...] = ()
    """The other files, in order."""
    counts: tuple[int, ...] = ()
    """How many records of each file are read; empty of one TFRecord, which is read to its end."""
    fit: Fit | None = None
    """How images became squares of `size`; `None` where they are as they were."""
    float_range: tuple[float, float] | None = None
    """What is black and what is white in images of floats."""

    def __post_init__(self) -> None:
        check_whole("entities of a record", self.num_entities, 0, MOST_ENTITIES)
        check_whole("side of the images", self.size, 1, 10_000)
        if self.fit is not None:
            check_fit(self.size, self.fit)
        if self.counts and len(self.counts) != 1 + len(self.more):
            raise ValueError(f"counts of {len(self.counts)} files, but {1 + len(self.more)} files")
        for count in self.counts:
            check_whole("records of a file", count, 0, 1 << 40)
        if self.float_range is not None and not self.float_range[0] < self.float_range[1]:
            raise ValueError(f"--float-range must rise, got {self.float_range}")

    @property
    def paths(self) -> list[Path]:
        """All files, in order."""
        return [Path(self.file), *map(Path, self.more)]


def placed(config: ImportedConfig, paths: Sequence[Path], items: str) -> ImportedConfig:
    """Returns a config whose files are others, with what they hold."""
    return replace(config, file=str(paths[0]), more=tuple(map(str, paths[1:])), items=items)


def _moved(config: ImportedConfig, path: Path, _scenes: Path | None) -> ImportedConfig:
    from scenes.formats.input_files import content_of, find_shards

    paths = find_shards([path]).paths
    return placed(config, paths, content_of(paths))


IMPORTED = Dataset(
    config=ImportedConfig,
    title="Imported scenes",
    command="scenes import",
    open=on_demand("scenes.formats.imported_source", "ImportedSource"),
    test_config=None,
    places=("file", "more"),
    moved=_moved,
)
