"""Rows of a sealed file, each compared with its checksum as it is read."""

from __future__ import annotations

import numpy as np

from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHECKSUMS, CHUNK_ROWS
from scenes.file.seal import changed_chunks, check_seal


class CheckedRows:
    """Rows to make another file of: none that changed since it was written gets into that.

    Args:
        file: the file.

    Raises:
        FileError: its attributes or checksums are not as they were written.
    """

    def __init__(self, file: SceneFile) -> None:
        check_seal(file.path, file.hdf5)
        self.file = file
        self._checksums = file.hdf5[CHECKSUMS][:]

    def read(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Returns all fields of consecutive rows, by HDF5 key.

        Args:
            start: the first, a multiple of `CHUNK_ROWS`.
            stop: the one after the last: another multiple, or beyond the file's end.

        Raises:
            FileError: they are not as they were written.
        """
        if start % CHUNK_ROWS or (stop % CHUNK_ROWS and stop < self.file.n):
            raise ValueError(f"rows {start} to {stop} are not whole chunks of {CHUNK_ROWS}")
        rows = self.file[start : min(stop, self.file.n)]
        for changed in changed_chunks(rows, start, self._checksums):
            between = f"rows {changed[0]} to {changed[-1]}"
            raise FileError(f"{self.file.path}: {between} are not as written")
        return rows
