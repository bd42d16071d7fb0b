"""Rows of a dataset, whose errors name the file and the key.

HDF5 notices a damaged chunk only as it unpacks it, and its own message names neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from scenes.file.errors import FileError, refusal_of_system

CACHE_BYTES = 2**20
"""Memory for unpacked chunks of each open field: at least a chunk of images up to 128 pixels."""


class Rows(h5py.Dataset):
    """An h5py dataset with errors in words, made from another dataset's `id`."""

    def __getitem__(self, args: Any, new_dtype: Any = None) -> Any:
        """Returns rows.

        Raises:
            FileError: they are damaged.
            OSError: the system refuses them.
        """
        with self._in_words():
            return super().__getitem__(args, new_dtype=new_dtype)

    def read_direct(self, dest: Any, source_sel: Any = None, dest_sel: Any = None) -> None:
        """Reads rows into an array, as `numpy.asarray` does; raises the same errors as `[]`."""
        with self._in_words():
            super().read_direct(dest, source_sel, dest_sel)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            path = Path(self.file.filename)
            if isinstance(error, OSError) and error.errno is not None:
                raise refusal_of_system(error.errno, path) from error
            raise FileError(f"{path}: {self.name.lstrip('/')}: cannot be read: {error}") from error
