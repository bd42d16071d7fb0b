"""NumPy's arrays on disk, read some rows at a time; their headers first, and never a pickle."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from tokenize import TokenError
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.lib import format as npy

MAX_HEADER_CHARACTERS = 10_000


@runtime_checkable
class StoredArray(Protocol):
    """An array on disk whose first axis is the row.

    Attributes:
        shape: of the whole array.
        dtype: of its values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def blocks(self, start: int, rows: int) -> Iterator[np.ndarray]:
        """Yields rows from number `start` on, `rows` at a time.

        Raises:
            ValueError: they cannot be read; or whatever the format's library raises for damage.
        """
        ...


class NpyArray:
    """An array in the form that `numpy.save` writes.

    Args:
        open_stream: opens the stream that holds it.

    Raises:
        ValueError: it is none, holds Python objects, or its rows do not lie one after the other.
    """

    def __init__(self, open_stream: Callable[[], AbstractContextManager[io.BufferedIOBase]]):
        self._open = open_stream
        with open_stream() as stream:
            self.shape, in_columns, self.dtype = read_header(stream)
        if self.dtype.hasobject:
            raise ValueError("holds Python objects (a pickle), which are never loaded")
        if not self.shape or min(self.shape) < 0:
            raise ValueError(f"an array of shape {self.shape} has no rows")
        if in_columns and len(self.shape) > 1:
            raise ValueError(
                "its values lie in columns (Fortran's order); save numpy.ascontiguousarray of it"
            )

    def blocks(self, start: int, rows: int) -> Iterator[np.ndarray]:
        """Yields rows from number `start` on, `rows` at a time.

        Raises:
            ValueError: the array ends before its header says.
        """
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        with self._open() as stream:
            read_header(stream)
            stream.seek(start * row_bytes, io.SEEK_CUR)
            for first in range(start, self.shape[0], rows):
                count = min(rows, self.shape[0] - first)
                data = stream.read(count * row_bytes)
                whole = len(data) // row_bytes if row_bytes else count
                if whole:
                    block = np.frombuffer(
                        data, self.dtype, whole * row_bytes // self.dtype.itemsize
                    )
                    yield block.reshape(whole, *self.shape[1:])
                if whole < count:
                    raise ValueError(f"ends after {first + whole:,} of {self.shape[0]:,} rows")


def read_header(content: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Reads what stands before an array's values: its shape, whether in columns, and its type.

    Args:
        content: the stream, which then is at the first value.

    Raises:
        ValueError: it is no such header.
    """
    version = npy.read_magic(content)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"a header of the unknown version {version}")
    try:
        shape, in_columns, dtype = read(content, max_header_size=MAX_HEADER_CHARACTERS)
    except (SyntaxError, TokenError, TypeError) as error:  # of Python's parser, which reads it
        raise ValueError(f"a damaged header: {error}") from error
    return shape, in_columns, dtype
