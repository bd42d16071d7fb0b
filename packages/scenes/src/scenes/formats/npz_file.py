"""Arrays of an npz file, whose headers are read before anything is allocated; no pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenes.formats.npy_stream import read_header
from scenes.regular_files import open_regular

ENDING = ".npy"


class NpzFile:
    """An npz file of which the sizes are known and nothing else is read; a context manager.

    Args:
        path: the file.

    Raises:
        ValueError: it is no whole npz file.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_regular(path)
        try:
            self._archive = zipfile.ZipFile(self._file)
        except Exception as error:  # of zipfile: BadZipFile, struct.error, and others
            self._file.close()
            raise ValueError(f"{path}: not an npz file: {error}") from error

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._file.close()

    def lacks(self, names: Sequence[str]) -> list[str]:
        """Returns those of some names that it has no array of."""
        there = set(self._archive.namelist())
        return [name for name in names if f"{name}{ENDING}" not in there]

    def read(self, name: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
        """Returns one array.

        Args:
            name: of the array.
            shape: that it must have.
            kind: of its values, as NumPy's `dtype.str` begins: such as `|u1` or `<i8`.

        Raises:
            ValueError: the array is another one, is cut short, or is a pickle.
        """
        expected = np.dtype(kind)
        try:
            content: Any  # a ZipExtFile, which mypy knows as IO[bytes]
            with self._archive.open(f"{name}{ENDING}") as content:
                held, in_columns, dtype = read_header(content)
                if held != shape or dtype != expected:
                    raise ValueError(f"expected {shape} {expected}, got {held} {dtype}")
                data = bytearray(expected.itemsize * int(np.prod(shape)))
                view = memoryview(data)
                while view and (count := content.readinto(view[: 1 << 20])):
                    view = view[count:]
                if view or content.read(1):
                    raise ValueError("not as long as its header says")
        except Exception as error:  # of zipfile, zlib and NumPy's header: any
            raise ValueError(f"{self.path}: {name}: {error}") from error
        return np.frombuffer(data, expected).reshape(shape, order="F" if in_columns else "C")
