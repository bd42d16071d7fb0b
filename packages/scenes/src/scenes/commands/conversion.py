"""`scenes import` and `scenes export`: other projects' formats."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from scenes.command_line import CommandError, UsageError
from scenes.commands.one_file import OneFile, only
from scenes.fit import Fit
from scenes.formats import ExportFormat
from scenes.formats.shards.options import ShardOptions
from scenes.notices import tell


@dataclass(frozen=True)
class Import:
    """Read other projects' files: TFRecord, object-centric-library, npz, npy, Parquet, tar shards.

    Several files of one kind become one file of scenes, in the order of their names.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE ...")]
    """Files, folders of shards, or patterns such as 'shards/*.tar'."""
    size: int | None = None
    """Make the images squares of so many pixels; by default they stay as they are."""
    fit: Fit | None = None
    """How an image that is no square becomes one, with --size: crop cuts its middle (so it is by
    default), pad adds black, stretch changes its proportions."""
    float_range: tuple[float, float] | None = None
    """What is black and what is white in images of floats, such as 0 1."""
    out: Path | None = None
    """File to write; data/imported/NAME.h5 by default."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def run(self) -> None:
        """Reads the files; what comes before a broken record is kept."""
        from scenes.formats.importing import default_name, import_files

        if not self.files:
            raise UsageError("scenes import takes files, got none")
        out = self.out or default_name(self.files)
        start = time.monotonic()
        imported = import_files(
            self.files,
            out,
            size=self.size,
            fit=self.fit,
            float_range=self.float_range,
            overwrite=self.overwrite,
        )
        seconds = time.monotonic() - start
        print(f"{out}: {imported.n:,} scenes of {imported.layout}, {seconds:.1f} s")
        for remark in imported.remarks:
            tell(remark)
        if imported.broken:
            raise CommandError(f"{imported.broken}; {out} has the {imported.n} before it")


@dataclass(frozen=True)
class Export:
    """Write a file in another project's format."""

    file: OneFile
    """The file to export."""
    format: ExportFormat = "tfrecord"
    """multi_object_datasets' TFRecord; object-centric-library's HDF5 and metadata; a folder of
    Parquet shards with a card, for datasets.load_dataset; or one of tar shards, for webdataset."""
    out: Path | None = None
    """File to write, or folder of the shards, which may hold other splits; beside the file by
    default."""
    shards: Annotated[ShardOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ShardOptions)
    overwrite: bool = False
    """Replace what is something else."""

    def run(self) -> None:
        """Writes the file, or the shards."""
        from scenes.formats.export import default_name, export

        file = only(self.file, "scenes export")
        out = self.out or default_name(file, self.format)
        exported = export(file, out, self.format, overwrite=self.overwrite, shards=self.shards)
        for remark in exported.remarks:
            tell(remark)
        print(f"{out}: {exported.n:,} scenes{', already there' if exported.was_there else ''}")
