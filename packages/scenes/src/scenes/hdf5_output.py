"""Writes HDF5 to disks that may be full: the error comes afterwards, as an error of Python's.

The HDF5 library does not survive a write that fails while it closes a file: it tries to write the
rest once more as the process ends, and crashes it. So it writes to an object that never fails, but
keeps the first error and drops what is written after it.
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
    """A file for h5py whose writes never fail."""

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
        """Reads back what was written; zeros where a write failed."""
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
        """Moves to the place of the next read or write."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Returns the place of the next read or write."""
        return self._raw.tell()

    def read(self, size: int) -> bytes:
        """Reads back what was written, as `readinto` does."""
        data = bytearray(size)
        self.readinto(data)
        return bytes(data)

    def flush(self) -> None:
        """Does nothing, because every write goes to the file at once."""


@dataclass(frozen=True)
class Hdf5Output:
    """A file that is being written."""

    file: h5py.File
    _sink: _Sink

    def check(self) -> None:
        """Ends the work early where a write failed.

        Raises:
            OSError: the error of that write.
        """
        if self._sink.error is not None:
            raise self._sink.error


@contextmanager
def hdf5_output(path: Path, head: bytes = b"", libver: str | None = None) -> Iterator[Hdf5Output]:
    """Creates a file; on a full disk the block, or its end, raises an error, and nothing crashes.

    Args:
        path: the file, which must not exist yet.
        head: up to 512 bytes before HDF5's own, which readers of HDF5 skip.
        libver: version of HDF5's format, as h5py names it.

    Raises:
        OSError: the file could not be written.
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
