"""Walks through the structure of one HDF5 file, and refuses what is unsafe to read.

Only `scenes.file.metadata` may use it, in its own process, because a damaged file may crash HDF5.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

MOST_OBJECTS = 4096
MOST_DEPTH = 8
MOST_AXES = 8
MOST_ATTRIBUTES = 64
MOST_ATTRIBUTE_BYTES = 16 << 20
"""Most bytes of an attribute: CLEVR's list of unreadable PNGs may have some 100,000 names."""
MOST_CHUNK_BYTES = 256 << 20
"""Most bytes of a chunk, which is unpacked whole; the largest that `scenes` writes has 38 MB."""

Columns = dict[str, tuple[str, tuple[int, ...]]]
"""Type and shape of each dataset by its key."""


class UnfitError(Exception):
    """A file cannot be read safely; the message says why, without its path."""


def open_unread(path: Path, *, locking: bool | None = None) -> h5py.File:
    """Opens a file that has not been examined yet.

    Raises:
        UnfitError: the file is no HDF5.
        OSError: the system refuses it.
    """
    try:
        return h5py.File(path, "r", locking=locking)
    except OSError as error:
        if error.errno is not None:  # the system's word; HDF5's own errors have no number
            raise
        raise UnfitError("not a readable HDF5 file, or cut short") from error


class Walk:
    """Examines everything in one file that is reached by hard links.

    Args:
        file: the file.
        path: of the file.
        beat: is called now and then.
        attributes: whether to parse attributes too; nobody reads those of an index's parts.

    Attributes:
        columns: the datasets found so far.
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
            return True if len(links) > MOST_OBJECTS else None  # stops; it must not raise

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
            for index in range(plist.get_virtual_count()):
                self._beat()
                self.sources.add(plist.get_virtual_filename(index))
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
            return wrong or None  # stops; it must not raise

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
            self._beat()
            attribute = h5a.open(item, index=index)
            name = attribute.name.decode()
            value: Any = None
            size = math.prod(attribute.shape) * attribute.dtype.itemsize
            if size <= MOST_ATTRIBUTE_BYTES:
                value = h5py.AttributeManager(SimpleNamespace(id=item))[name]  # reads its id alone
                size += _text_bytes(value)
            if size > MOST_ATTRIBUTE_BYTES:
                where = f"{key}: {name}" if key else name
                raise UnfitError(f"{where}: an attribute of {size:,} bytes")


def _text_bytes(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return sum(len(text) for text in value.flat if isinstance(text, str | bytes))
    return 0
