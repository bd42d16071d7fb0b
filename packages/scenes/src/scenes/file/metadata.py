"""Parses the structure of HDF5 files in a separate process, which a damaged file may crash.

One flipped bit can make the HDF5 library spin for ever, or end its process by a signal. So
everything that HDF5 parses of a file (links, types, attributes, where the values lie) is parsed
here before another process opens the file. `scenes.file.structure` starts
`python -m scenes.file.metadata`, writes the path of a file to its standard input, and reads the
answer from its standard output: `.` now and then as a sign of life, then one line of JSON.

The parser also refuses what neither files of scenes nor predictions need: links and values in other
files, and sizes that are declared but not stored, for which a reader would allocate memory.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from scenes.file.schema import CHECKSUMS, PARTS, SCHEMA, part_name, parts_folder
from scenes.file.walk import Columns, UnfitError, Walk, open_unread

MOST_MEMORY = 4 << 30
"""Bytes of address space of this process, which so cannot read larger strings."""
BEAT_S = 1.0
SPIN_S = 2.0
"""Seconds of computing without a sign of life after which this process ends, because damage made
HDF5 spin. Waiting for a slow disk is no computing."""

SPIN_TIMER = signal.ITIMER_VIRTUAL


class Pulse:
    """Signs of life of this process: a `.` every second or so, while HDF5 returns."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        signal.setitimer(SPIN_TIMER, SPIN_S)

    def __call__(self) -> None:
        """Gives a sign of life, if the last one was a while ago."""
        if time.monotonic() - self._last >= BEAT_S:
            self._last = time.monotonic()
            signal.setitimer(SPIN_TIMER, SPIN_S)
            sys.stdout.write(".")
            sys.stdout.flush()


def examine(path: Path, beat: Callable[[], None]) -> bool:
    """Parses the structure of a file, and of its parts where it is an index.

    Args:
        path: a regular file.
        beat: is called now and then.

    Returns:
        Whether it is an index of parts.

    Raises:
        UnfitError: it cannot be read safely.
        OSError: the system refuses it.
    """
    with open_unread(path) as file:
        walk = Walk(file, path, beat)
        walk.group(file.id, "", 0)
        for source in walk.sources:
            _check_source(path, source, is_index=PARTS in walk.columns)
        if PARTS not in walk.columns:
            return False
        bounds = _bounds(file, walk.columns)
    fields = {key: walk.columns[key] for key in walk.columns.keys() - {PARTS, CHECKSUMS}}
    folder = parts_folder(path)
    for start, stop in bounds:
        part = folder / part_name(start, stop)
        if os.path.lexists(part):  # the reader reports missing parts
            _check_part(part, fields, stop - start, beat)
    return True


def _check_source(path: Path, name: str, *, is_index: bool) -> None:
    """Refuses the source file of a virtual dataset, unless it lies beside the file or its parts.

    Raises:
        UnfitError: the source lies elsewhere, is missing, or is no file of this project.
    """
    folder, _, last = name.rpartition("/")
    if folder not in ("", parts_folder(path).name) or last in ("", ".", ".."):
        raise UnfitError(f"takes its values from {name!r}, which is not opened")
    source = path.parent / name
    if not os.path.lexists(source):
        if is_index:  # the reader reports how many are missing
            return
        raise UnfitError(f"takes its values from {name!r}, which is missing")
    _check_regular(source, name)
    if not is_index:
        with open_unread(source) as file:
            walk = Walk(file, source, lambda: None)
            walk.group(file.id, "", 0)
            if walk.sources or file.attrs.get("schema") != SCHEMA:
                raise UnfitError(f"takes its values from {name!r}, no file of this project")


def _check_regular(path: Path, name: str) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise UnfitError(f"{name}: not a regular file")


def _bounds(file: h5py.File, columns: Columns) -> list[list[int]]:
    dtype, shape = columns[PARTS]
    if dtype != "uint64" or len(shape) != 2 or shape[1] != 2:
        raise UnfitError(f"{PARTS}: expected (P, 2) uint64, got {shape} {dtype}")
    bounds: list[list[int]] = file[PARTS][:].tolist()
    row = 0
    for start, stop in bounds:
        if start != row or stop <= start:
            raise UnfitError(f"{PARTS}: a part of rows {start} to {stop} after {row} rows")
        row = stop
    if "image" in columns and columns["image"][1][:1] != (row,):
        raise UnfitError(f"{PARTS}: {row:,} rows, but {columns['image'][1][:1]} images")
    return bounds


def _check_part(part: Path, fields: Columns, rows: int, beat: Callable[[], None]) -> None:
    """Refuses a part that does not have the index's fields with so many rows.

    Raises:
        UnfitError: the part is refused.
    """
    name = f"{part.parent.name}/{part.name}"
    _check_regular(part, name)
    try:
        with open_unread(part, locking=False) as file:
            walk = Walk(file, part, beat, attributes=False)
            walk.group(file.id, "", 0)
    except UnfitError as error:
        raise UnfitError(f"{name}: {error}") from error
    if walk.sources:
        raise UnfitError(f"{name}: takes its values from other files")
    for key, (dtype, shape) in fields.items():
        wanted = (dtype, (rows, *shape[1:]))
        if walk.columns.get(key) != wanted:
            raise UnfitError(f"{name}: {key}: expected {wanted[1]} {dtype}")


def _answer(path: Path, beat: Callable[[], None]) -> dict[str, Any]:
    try:
        return {"is_index": examine(path, beat)}
    except UnfitError as error:
        return {"problem": str(error)}
    except OSError as error:
        if error.errno is not None:
            return {"errno": error.errno}
        return {"problem": f"damaged: {error}"}
    except MemoryError:
        return {"problem": f"damaged: to parse it takes more than {MOST_MEMORY >> 30} GiB"}
    except Exception as error:  # h5py raises KeyError, RuntimeError, TypeError… for damage
        return {"problem": f"damaged: {error!r}"}


def _serve() -> None:
    """Examines one file after the other, until standard input ends."""
    with suppress(ValueError, OSError):  # not every system limits it
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    for line in sys.stdin:
        answer = _answer(Path(json.loads(line)), Pulse())
        signal.setitimer(SPIN_TIMER, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
