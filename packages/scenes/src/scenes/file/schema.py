"""The HDF5 file that every dataset, model and score shares (schema 1).

Root attributes: `schema`, `dataset`, `config` (JSON), `seed`, `version` (of this package),
`entities` (names in index order), `provenance` (JSON: renderer and versions), `sha256` (see
`scenes.file.writer`), `complete`. Each HDF5 dataset has the row as its first axis and says its
`meaning`, `unit` and `categories`. Two are no fields: `checksums` has a row for each chunk of rows,
and `parts`, in an index of parts, the first row of each and the one after its last.
"""

from __future__ import annotations

from pathlib import Path

import h5py

SCHEMA = 1
CHUNK_ROWS = 16
"""Rows that are compressed together: a shuffled read unpacks 16 images to get one."""
CHECKSUMS = "checksums"
PARTS = "parts"


def dataset_keys(file: h5py.File) -> list[str]:
    """Returns the keys of all fields, groups entered."""
    keys: list[str] = []
    file.visititems(lambda key, item: keys.append(key) if isinstance(item, h5py.Dataset) else None)
    return sorted(set(keys) - {CHECKSUMS, PARTS})


def parts_folder(path: Path) -> Path:
    """Returns the folder of a file's parts, in which they lie while it is built or for good."""
    return path.with_name(f"{path.name}.parts")
