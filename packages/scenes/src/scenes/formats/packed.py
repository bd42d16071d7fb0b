"""Files that may be packed as a whole, by gzip or zlib, read as a stream that only goes forward."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scenes.regular_files import open_regular

GZIP_MAGIC = b"\x1f\x8b"
ZLIB_METHOD = 0x78
"""First byte of a zlib stream with the usual window."""
READ_BYTES = 1 << 16
HEAD_BYTES = 512
"""What a format is told from."""
DAMAGE = (EOFError, OSError, zlib.error, ValueError)
"""What reading a damaged stream raises."""


def is_gzip(head: bytes) -> bool:
    """Whether a file begins as gzip does."""
    return head[:2] == GZIP_MAGIC


def is_zlib(head: bytes) -> bool:
    """Whether a file begins as a zlib stream does: its first two bytes are a multiple of 31."""
    return len(head) > 1 and head[0] == ZLIB_METHOD and int.from_bytes(head[:2], "big") % 31 == 0


@contextmanager
def unpacked(path: Path, is_plain: Callable[[bytes], bool]) -> Iterator[io.BufferedIOBase]:
    """Opens a file, unpacked if it is packed.

    Args:
        path: a regular file.
        is_plain: whether a file that begins so is not packed, whatever else it may look like.

    Raises:
        ValueError: it is no regular file.
        OSError: it cannot be opened.
    """
    with open_regular(path) as file:
        head = file.peek(HEAD_BYTES)[:HEAD_BYTES]
        if is_plain(head):
            yield file
        elif is_gzip(head):
            with gzip.GzipFile(fileobj=file) as unzipped:
                yield unzipped
        elif is_zlib(head):
            with io.BufferedReader(_Inflated(file), READ_BYTES) as inflated:
                yield inflated
        else:
            yield file


class _Inflated(io.RawIOBase):
    """What a zlib stream holds."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills as much of a buffer as the next bytes give; 0 at the stream's end.

        Raises:
            EOFError: the stream is cut short.
            zlib.error: it is damaged.
        """
        while len(buffer) and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(READ_BYTES)
            data = self._inflate.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not packed and not self._inflate.eof:
                raise EOFError("cut short in its zlib stream")
        return 0
