"""Parses the structure of HDF5 files in a process of its own, which a damaged file may crash.

One flipped bit can make the HDF5 library spin for ever, or end its process by a signal. So
`scenes.file.structure` has everything that HDF5 parses of a file (links, types, attributes, where
the values lie) parsed here first. It starts `python -m scenes.file.metadata`, writes the path of a
file to its standard input, and reads the answer from its standard output: `.` now and then as a
sign of life, then one line of JSON.

The same walk refuses what no file of this project, and no predictions, need: links and values in
other files, and sizes that are declared but not stored, for which a reader would allocate memory.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

from scenes.file.schema import CHECKSUMS, PARTS, SCHEMA, part_name, parts_folder

MOST_MEMORY = 4 << 30
"""Bytes of address space of this process; a string of more is not read."""
MOST_OBJECTS = 4096
MOST_DEPTH = 8
MOST_AXES = 8
MOST_ATTRIBUTES = 64
MOST_ATTRIBUTE_BYTES = 16 << 20
"""Of one attribute: CLEVR's lists the PNGs that could not be read, at most some 100,000 names."""
MOST_CHUNK_BYTES = 256 << 20
"""Of one chunk, which is unpacked whole; the largest that `scenes` writes have 38 MB."""
BEAT_S = 1.0
SPIN_S = 5.0
"""Seconds of computing without a sign of life after which this process is ended: damage made HDF5
spin. A slow disk takes no computing."""

SPIN_TIMER = signal.ITIMER_VIRTUAL

Columns = dict[str, tuple[str, tuple[int, ...]]]
"""Type and shape of each dataset by its key."""


class UnfitError(Exception):
    """A file cannot be read safely; the message says why, without its path."""


class Pulse:
    """Signs of life of this process: a `.` every second or so, while HDF5 returns."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        signal.setitimer(SPIN_TIMER, SPIN_S)

    def __call__(self) -> None:
        """Gives a sign, if the last one was a while ago."""
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
    with _opened(path) as file:
        walk = _Walk(file, path, beat)
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
        if os.path.lexists(part):  # what is missing is told by the reader
            _check_part(part, fields, stop - start, beat)
    return True


def _opened(path: Path, *, locking: bool | None = None) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=locking)
    except OSError as error:
        if error.errno is not None:  # the system's word; HDF5's own errors have no number
            raise
        raise UnfitError("not a readable HDF5 file, or cut short") from error


class _Walk:
    """What lies in one file, by hard links only.

    Args:
        file: the file.
        path: of the file.
        beat: is called now and then.
        attributes: whether to parse them too; of an index's parts, nobody reads them.

    Attributes:
        columns: the datasets met so far.
        sources: names of the files that virtual datasets take their values from.
    """

    def __init__(
        self, file: h5py.File, path: Path, beat: Callable[[], None], *, attributes: bool = True
    ) -> None:
        self.columns: Columns = {}
        self.sources: set[str] = set()
        self._bytes = path.stat().st_size
        self._beat = beat
        self._objects = 0
        self._with_attributes = attributes
        self._check_attributes(file.id, "")

    def group(self, group: h5g.GroupID, prefix: str, depth: int) -> None:
        """Checks everything in a group."""
        if depth > MOST_DEPTH:
            raise UnfitError(f"{prefix}: more than {MOST_DEPTH} groups, one in the other")
        links: list[tuple[bytes, int]] = []

        def collect(name: bytes, link: Any) -> bool | None:
            self._beat()
            links.append((name, link.type))  # h5py fills one and the same `link` each time
            return True if len(links) > MOST_OBJECTS else None  # it may not raise, but stop

        group.links.iterate(collect, info=True)
        self._objects += len(links)
        if self._objects > MOST_OBJECTS:
            raise UnfitError(f"more than {MOST_OBJECTS} groups and datasets")
        for name, kind in links:
            key = prefix + name.decode()
            if kind != h5l.TYPE_HARD:
                raise UnfitError(f"{key}: a link to elsewhere, which is not followed")
            item = h5o.open(group, name)
            self._check_attributes(item, key)
            if isinstance(item, h5g.GroupID):
                self.group(item, f"{key}/", depth + 1)
            elif isinstance(item, h5d.DatasetID):
                self._dataset(item, key)
            else:
                raise UnfitError(f"{key}: neither a group nor a dataset")

    def _dataset(self, dataset: h5d.DatasetID, key: str) -> None:
        plist = dataset.get_create_plist()
        if plist.get_layout() == h5d.VIRTUAL:
            count = plist.get_virtual_count()
            self.sources.update(plist.get_virtual_filename(i) for i in range(count))
        if plist.get_external_count():
            name = os.fsdecode(plist.get_external(0)[0])
            raise UnfitError(f"{key}: its values lie in another file, {name}, which is not opened")
        dtype, shape = dataset.dtype, dataset.shape
        if shape is None or len(shape) > MOST_AXES:
            raise UnfitError(f"{key}: expected 0 to {MOST_AXES} axes")
        self.columns[key] = (str(dtype), shape)
        size = math.prod(shape) * dtype.itemsize
        if size == 0 or plist.get_layout() == h5d.VIRTUAL:
            return
        if plist.get_layout() == h5d.CHUNKED:
            self._check_chunks(dataset, key, shape, plist.get_chunk())
            return
        stored = dataset.get_storage_size()
        if not size <= stored <= self._bytes:
            raise UnfitError(f"{key}: declares {size:,} bytes, but {stored:,} are stored")

    def _check_chunks(
        self, dataset: h5d.DatasetID, key: str, shape: Sequence[int], chunk: Sequence[int]
    ) -> None:
        size = math.prod(chunk) * dataset.dtype.itemsize
        if size > MOST_CHUNK_BYTES:
            raise UnfitError(f"{key}: chunks of {size:,} bytes; at most {MOST_CHUNK_BYTES:,}")
        wanted = math.prod(-(-length // step) for length, step in zip(shape, chunk, strict=True))
        inside, wrong = 0, False

        def check(stored: Any) -> bool | None:
            nonlocal inside, wrong
            self._beat()
            end = (stored.byte_offset or 0) + stored.size
            wrong = stored.byte_offset is None or end > self._bytes or stored.size > 2 * size + 4096
            inside += all(
                start < length for start, length in zip(stored.chunk_offset, shape, strict=True)
            )
            return wrong or None  # it may not raise, but stop

        if wanted <= self._bytes:  # each takes a byte at least
            dataset.chunk_iter(check)
        if wrong:
            raise UnfitError(f"{key}: a chunk lies outside the file, or is too long")
        if inside != wanted:
            raise UnfitError(f"{key}: declares {wanted:,} chunks, but {inside:,} are stored")

    def _check_attributes(self, item: Any, key: str) -> None:
        if not self._with_attributes:
            return
        count = h5a.get_num_attrs(item)
        if count > MOST_ATTRIBUTES:
            raise UnfitError(f"{key or '/'}: {count:,} attributes; at most {MOST_ATTRIBUTES}")
        for index in range(count):
            attribute = h5a.open(item, index=index)
            name = attribute.name.decode()
            value: Any = None
            size = math.prod(attribute.shape) * attribute.dtype.itemsize
            if size <= MOST_ATTRIBUTE_BYTES:
                value = h5py.AttributeManager(_Holder(item))[name]
                size += _text_bytes(value)
            if size > MOST_ATTRIBUTE_BYTES:
                where = f"{key}: {name}" if key else name
                raise UnfitError(f"{where}: an attribute of {size:,} bytes")


class _Holder:
    """What h5py's attributes are read by: something with an `id`."""

    def __init__(self, item: Any) -> None:
        self.id = item


def _text_bytes(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return sum(len(text) for text in value.flat if isinstance(text, str | bytes))
    return 0


def _check_source(path: Path, name: str, *, is_index: bool) -> None:
    """Refuses a virtual dataset's file, unless it lies beside the file or in its own folder.

    Raises:
        UnfitError: it lies elsewhere, is missing, or no file of this project.
    """
    folder, _, last = name.rpartition("/")
    if folder not in ("", parts_folder(path).name) or last in ("", ".", ".."):
        raise UnfitError(f"takes its values from {name!r}, which is not opened")
    source = path.parent / name
    if not os.path.lexists(source):
        if is_index:  # the reader tells how many are missing
            return
        raise UnfitError(f"takes its values from {name!r}, which is missing")
    _check_regular(source, name)
    if not is_index:
        with _opened(source) as file:
            walk = _Walk(file, source, lambda: None)
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
    """Refuses a part that does not hold so many rows of the index's fields.

    Raises:
        UnfitError: it does not.
    """
    name = f"{part.parent.name}/{part.name}"
    _check_regular(part, name)
    try:
        with _opened(part, locking=False) as file:
            walk = _Walk(file, part, beat, attributes=False)
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
    """Answers for one file after the other, until standard input ends."""
    with suppress(ValueError, OSError):  # not every system limits it
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    for line in sys.stdin:
        answer = _answer(Path(json.loads(line)), Pulse())
        signal.setitimer(SPIN_TIMER, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
