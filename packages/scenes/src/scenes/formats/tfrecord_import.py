"""A TFRecord of multi_object_datasets as a file of scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats.multi_object_datasets import describe, mask_value
from scenes.formats.tfrecord import RecordError, scan


@dataclass(frozen=True)
class Imported:
    """What was read of a TFRecord."""

    n: int
    """Number of scenes."""
    layout: str
    """Which of multi_object_datasets' datasets it is."""
    remarks: tuple[str, ...] = ()
    """What is odd about its masks, and how it was read."""
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
    try:
        config = describe(path)
        value = mask_value(path)
    except RecordError as error:
        raise CommandError(str(error)) from error
    count, broken = scan(path)
    try:
        build(config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    except RecordError as error:  # framed well, but not one of this layout's
        count, broken = error.number, error
        if count == 0:
            raise CommandError(str(error)) from error
        build(config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    remarks = tuple(_remarks(path, out, value))
    return Imported(count, config.layout, remarks, "" if broken is None else str(broken))


def _remarks(path: Path, out: Path, value: int) -> Iterator[str]:
    if value == 1:
        yield f"{path}: its masks hold 0 and 1, which were read as 0 and 255"
    with SceneFile(out) as file:
        pixels = file["mask_conflicts"][:]
    if pixels.any():
        yield (
            f"{path}: {pixels.sum():,} pixels of {np.count_nonzero(pixels):,} scenes are not in "
            "exactly one mask: they get the first of those that hold most (mask_conflicts)"
        )
