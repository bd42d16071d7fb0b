"""Reads rows from a folder of parts, with a few parts open at a time.

An index of parts is a virtual HDF5 dataset, which any HDF5 program can read. But HDF5 keeps every
part open that it has touched, and once the process may open no more files it returns zeros without
an error (seen with HDF5 2.0). So this module reads the parts themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt64

from scenes.file.errors import NO_LOCKS, FileError, refusal_of_system
from scenes.file.rows import CACHE_BYTES, Rows
from scenes.file.schema import part_name

OPEN_PARTS = 8


def open_part(path: Path) -> h5py.File:
    """Opens a finished part for reading, without a lock where the disk has none.

    That is safe, because a finished part never changes. Elsewhere it is locked, because HDF5 does
    not open one file in two ways at once.

    Raises:
        OSError: the part cannot be read; without an `errno` where it is damaged.
    """
    try:
        return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES, locking=False)
        raise


class JoinedParts:
    """The parts of one file.

    Args:
        folder: the folder that they lie in.
        bounds: first row of each part, and the row after its last.

    Raises:
        FileNotFoundError: parts are missing.
    """

    def __init__(self, folder: Path, bounds: UInt64[np.ndarray, "P 2"]) -> None:
        self._folder = folder
        self._starts, self._stops = bounds.astype(np.int64).T
        self._open: OrderedDict[int, _Part] = OrderedDict()
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        missing = [name for i in range(len(bounds)) if (name := self._name(i)) not in names]
        if missing:
            count = f"{len(missing)} of {len(bounds)} parts"
            raise FileNotFoundError(f"{folder}: {count} are missing, the first {missing[0]}")

    def _name(self, index: int) -> str:
        return part_name(int(self._starts[index]), int(self._stops[index]))

    def close(self) -> None:
        """Closes all parts."""
        for part in self._open.values():
            part.close()
        self._open.clear()

    def read(self, key: str, rows: slice) -> list[np.ndarray]:
        """Returns consecutive rows as one array for each part that holds some of them.

        Raises:
            FileError: a part is damaged.
            OSError: the system refuses one.
        """
        first = int(np.searchsorted(self._stops, rows.start, side="right"))
        last = int(np.searchsorted(self._starts, rows.stop, side="left"))
        arrays = []
        for index in range(first, last):
            start, stop = self._starts[index], self._stops[index]
            inside = slice(max(rows.start, start) - start, min(rows.stop, stop) - start)
            arrays.append(self._part(index)[key][inside])
        return arrays

    def _part(self, index: int) -> _Part:
        if index not in self._open:
            while len(self._open) >= OPEN_PARTS:
                self._open.popitem(last=False)[1].close()
            path = self._folder / self._name(index)
            try:
                self._open[index] = _Part(path)
            except OSError as error:
                if error.errno is not None:
                    raise refusal_of_system(error.errno, path) from error
                raise FileError(f"{path}: damaged, or cut short") from error
        self._open.move_to_end(index)
        return self._open[index]


class _Part:
    """A finished part, whose datasets stay open with their caches of unpacked chunks."""

    def __init__(self, path: Path) -> None:
        self._file = open_part(path)
        self._fields: dict[str, Rows] = {}

    def __getitem__(self, key: str) -> Rows:
        if key not in self._fields:
            self._fields[key] = Rows(self._file[key].id)
        return self._fields[key]

    def close(self) -> None:
        self._file.close()


class JoinedRows:
    """A field of a folder of parts, read as one reads an HDF5 dataset.

    Args:
        parts: the parts.
        key: of the field.
        dataset: the field's virtual dataset in the index, for shape, type and attributes.
    """

    def __init__(self, parts: JoinedParts, key: str, dataset: h5py.Dataset) -> None:
        self._parts, self._key = parts, key
        self.shape: tuple[int, ...] = dataset.shape
        self.ndim: int = dataset.ndim
        self.dtype: np.dtype = dataset.dtype
        self.attrs: h5py.AttributeManager = dataset.attrs

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Returns all rows."""
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, selection: Any) -> Any:
        """Returns rows by number, by slice, or by a list or array of numbers or booleans.

        A tuple selects on later axes too.
        """
        rows, *tail = selection if isinstance(selection, tuple) else (selection,)
        values = self._rows(rows)
        if not tail:
            return values
        return values[tuple(tail) if isinstance(rows, int | np.integer) else (slice(None), *tail)]

    def _rows(self, rows: Any) -> Any:
        if rows is Ellipsis:
            return self._slice(slice(0, len(self)))
        if isinstance(rows, int | np.integer):
            index = int(rows) + len(self) * (rows < 0)
            if not 0 <= index < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            return self._slice(slice(index, index + 1))[0]
        if isinstance(rows, slice):
            span = range(len(self))[rows]
            if span.step == 1:
                return self._slice(slice(span.start, max(span.start, span.stop)))
            numbers = np.array(span, dtype=np.int64)
        else:
            numbers = np.asarray(rows)
            if numbers.dtype == bool:
                numbers = np.flatnonzero(numbers)
        result = np.empty((len(numbers), *self.shape[1:]), dtype=self.dtype)
        for place in np.argsort(numbers, kind="stable"):
            result[place] = self._rows(int(numbers[place]))
        return result

    def _slice(self, rows: slice) -> np.ndarray:
        if rows.start == rows.stop:
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        return np.concatenate(self._parts.read(self._key, rows))
