"""Arrays of an npz file, whose headers are read before anything is allocated; no pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenes.formats.npy_stream import read_header
from scenes.regular_files import open_regular

ENDING = ".npy"


@dataclass(frozen=True)
class NpzFile:
    """An open npz file, of which nothing but the table of contents is read yet."""

    path: Path
    archive: zipfile.ZipFile

    @staticmethod
    @contextmanager
    def open(path: Path) -> Iterator[NpzFile]:
        """Opens a file.

        Raises:
            ValueError: it is no whole npz file.
            OSError: it cannot be opened.
        """
        with open_regular(path) as file:
            try:
                archive = zipfile.ZipFile(file)
            except Exception as error:  # of zipfile: BadZipFile, struct.error, and others
                raise ValueError(f"{path}: not an npz file: {error}") from error
            with archive:
                yield NpzFile(path, archive)

    def lacks(self, names: Sequence[str]) -> list[str]:
        """Returns those of some names that it has no array of."""
        there = set(self.archive.namelist())
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
            with self.archive.open(f"{name}{ENDING}") as content:
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
