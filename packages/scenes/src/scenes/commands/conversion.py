"""`scenes import` and `scenes export`: other projects' formats."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from scenes.command_line import CommandError
from scenes.commands.one_file import OneFile, only
from scenes.formats import ExportFormat
from scenes.formats.shards.options import ShardOptions


@dataclass(frozen=True)
class Import:
    """Read a multi_object_datasets TFRecord: Objects Room, Multi-dSprites, CLEVR, Tetrominoes."""

    file: OneFile
    """The TFRecord, gzipped or plain."""
    out: Path | None = None
    """File to write; data/imported/NAME.h5 by default."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def run(self) -> int:
        """Reads the file; what comes before a broken record is kept."""
        from scenes.formats.tfrecord_import import import_tfrecord

        file = only(self.file, "scenes import")
        out = self.out or Path("data/imported") / f"{file.stem}.h5"
        start = time.monotonic()
        imported = import_tfrecord(file, out, overwrite=self.overwrite)
        seconds = time.monotonic() - start
        print(f"{out}: {imported.n:,} scenes of {imported.layout}, {seconds:.1f} s")
        for remark in imported.remarks:
            print(f"scenes: {remark}", file=sys.stderr)
        if imported.broken:
            raise CommandError(f"{imported.broken}; {out} has the {imported.n} before it")
        return 0


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

    def run(self) -> int:
        """Writes the file, or the shards."""
        from scenes.formats.export import default_name, export

        file = only(self.file, "scenes export")
        out = self.out or default_name(file, self.format)
        exported = export(file, out, self.format, overwrite=self.overwrite, shards=self.shards)
        for remark in exported.remarks:
            print(f"scenes: {remark}", file=sys.stderr)
        print(f"{out}: {exported.n:,} scenes{', already there' if exported.was_there else ''}")
        return 0
