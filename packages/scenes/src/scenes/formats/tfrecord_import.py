"""A TFRecord of multi_object_datasets as a file of scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError
from scenes.driver import build
from scenes.formats.multi_object_datasets import describe
from scenes.formats.tfrecord import RecordError, scan


@dataclass(frozen=True)
class Imported:
    """What was read of a TFRecord."""

    n: int
    """Number of scenes."""
    layout: str
    """Which of multi_object_datasets' datasets it is."""
    broken: str = ""
    """Why the record after them cannot be read; empty where there is none."""


def import_tfrecord(path: Path, out: Path, *, overwrite: bool = False) -> Imported:
    """Writes the scenes of a TFRecord, gzipped or plain, as a file of scenes.

    Args:
        path: the TFRecord.
        out: the file of scenes.
        overwrite: replace a file that holds something else.

    Returns:
        What was read: the records before a broken one are kept.

    Raises:
        CommandError: not one record can be read.
        UsageError: `out` holds something else.
    """
    count, error = scan(path)
    if count == 0:
        raise CommandError(str(error or f"{path}: record 0: the file is empty"))
    config = describe(path)
    try:
        build(config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    except RecordError as foreign:  # whole, but in another layout than the first one
        count, error = foreign.number, foreign
        if count == 0:
            raise CommandError(str(foreign)) from foreign
        build(config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    return Imported(count, config.layout, "" if error is None else str(error))
