"""`scenes import` and `scenes export`: other projects' formats."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError
from scenes.commands.one_file import OneFile, only
from scenes.formats import ExportFormat


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
    """multi_object_datasets' TFRecord, or object-centric-library's HDF5 and metadata."""
    out: Path | None = None
    """File to write; beside the file by default."""
    overwrite: bool = False
    """Replace what is something else."""

    def run(self) -> int:
        """Writes the file."""
        from scenes.formats.export import default_name, export

        file = only(self.file, "scenes export")
        out = self.out or default_name(file, self.format)
        exported = export(file, out, self.format, overwrite=self.overwrite)
        for remark in exported.remarks:
            print(f"scenes: {remark}", file=sys.stderr)
        print(f"{out}: {exported.n:,} scenes{', already there' if exported.was_there else ''}")
        return 0
