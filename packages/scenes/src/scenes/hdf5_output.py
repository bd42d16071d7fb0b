"""HDF5 that is written to a disk which may be full: the error comes afterwards, as one of Python's.

The HDF5 library does not survive a write that fails while it closes a file: what it holds back is
written at the process's end once more, and crashes it. So it writes through an object that never
fails. That object keeps the first error, and what is written after it is dropped.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

HEAD_BYTES = 512
"""Bytes before HDF5's own first one, in a file with a head (HDF5's user block)."""


class _Sink:
    """A file as h5py asks for one."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Writes all bytes, unless an earlier write failed."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.error is None:
            try:
                left = left[self._raw.write(left) :]
            except OSError as error:
                self.error = error
        return size

    def readinto(self, buffer: Any) -> int:
        """Reads back; zeros where a failed write left nothing."""
        view = memoryview(buffer).cast("B")
        done = self._raw.readinto(view)
        view[done:] = bytes(len(view) - done)
        return len(view)

    def truncate(self, size: int) -> int:
        """Sets the length, unless an earlier write failed."""
        if self.error is None:
            try:
                self._raw.truncate(size)
            except OSError as error:
                self.error = error
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the place of the next read or write."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Returns that place."""
        return self._raw.tell()

    def read(self, size: int) -> bytes:
        """Reads back, as `readinto`."""
        data = bytearray(size)
        self.readinto(data)
        return bytes(data)

    def flush(self) -> None:
        """Does nothing: nothing is held back."""


@dataclass(frozen=True)
class Hdf5Output:
    """A file that is being written."""

    file: h5py.File
    _sink: _Sink

    def check(self) -> None:
        """Ends the work early, where a write failed.

        Raises:
            OSError: one did.
        """
        if self._sink.error is not None:
            raise self._sink.error


@contextmanager
def hdf5_output(path: Path, head: bytes = b"", libver: str | None = None) -> Iterator[Hdf5Output]:
    """Creates a file; on a full disk the block, or its end, raises an error, and nothing crashes.

    Args:
        path: it must not be there yet.
        head: up to 512 bytes before HDF5's own, which readers of HDF5 skip.
        libver: version of HDF5's format, as h5py names it.

    Raises:
        OSError: it could not be written.
    """
    if len(head) > HEAD_BYTES:
        raise ValueError(
            f"{path}: a head of {len(head)} bytes; at most {HEAD_BYTES} go before HDF5"
        )
    with path.open("xb+", buffering=0) as raw:
        sink = _Sink(raw)
        try:
            userblock = HEAD_BYTES if head else 0
            with h5py.File(sink, "w", libver=libver, userblock_size=userblock) as file:
                yield Hdf5Output(file, sink)
        finally:
            if sink.error is not None:  # the cause of whatever else was raised
                raise sink.error
        raw.seek(0)
        raw.write(head)
