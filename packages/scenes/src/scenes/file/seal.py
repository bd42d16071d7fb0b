"""Seals a file by checksums of its rows, and a digest over these and everything else.

Every `CHUNK_ROWS` rows have a SHA-256 over the bytes of all their fields in the order of the keys.
The root attribute `sha256` covers those checksums, the other attributes, and every field's type,
shape and attributes: a reader gets the same from two files of equal `sha256`, however they were
made and compressed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8

from scenes.file.errors import FileError
from scenes.file.schema import CHECKSUMS, CHUNK_ROWS, dataset_keys
from scenes.scene import Field

CHECKSUM_BYTES = hashlib.sha256().digest_size
SEALED_BY = "sha256"
SEALED_LAST = (SEALED_BY, "complete")
"""Root attributes that the seal does not cover."""
BLOCK_BYTES = 64 << 20
"""About how many bytes of rows are read at once for checking."""


def seal(file: h5py.File, fields: Mapping[str, Field]) -> None:
    """Marks a file as complete, under the digest of all that it holds.

    Args:
        file: the file, with all its rows.
        fields: those that `lay_out` wrote; to read them from the file would take longer.
    """
    rows = len(file["image"])
    described = {
        key: [
            str(np.dtype(field.dtype)),
            [rows, *field.shape],
            {"meaning": field.meaning, "unit": field.unit, "categories": list(field.categories)},
        ]
        for key, field in fields.items()
    }
    file.attrs[SEALED_BY] = _digest(file, described)
    file.attrs["complete"] = True


def digest(file: h5py.File) -> str:
    """Returns the digest of a file, taking its rows' checksums as they are stored.

    Raises:
        KeyError: the file has no checksums.
    """
    described = {
        key: [str(file[key].dtype), list(file[key].shape), plain(file[key].attrs)]
        for key in dataset_keys(file)
    }
    return _digest(file, described)


def _digest(file: h5py.File, fields: Mapping[str, list[Any]]) -> str:
    described = {"attributes": plain(file.attrs, without=SEALED_LAST), "fields": fields}
    sha = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    checksums = file[CHECKSUMS]
    for start in range(0, len(checksums), 1 << 16):
        sha.update(checksums[start : start + (1 << 16)].tobytes())
    return sha.hexdigest()


def check_seal(path: Path, file: h5py.File) -> None:
    """Refuses a file whose attributes, types, shapes or checksums are not as they were written.

    Before a file is extended it must pass this check; otherwise it would be sealed anew, damage
    included. `check_rows` checks the rows themselves.

    Raises:
        FileError: the file changed, or an earlier version wrote it, without a seal.
    """
    if SEALED_BY not in file.attrs or CHECKSUMS not in file:
        raise FileError(f"{path}: {SEALED_BY}: missing; an earlier version wrote this file")
    if digest(file) != file.attrs[SEALED_BY]:
        raise FileError(
            f"{path}: {SEALED_BY}: attributes, types, shapes or checksums are not as written"
        )


def check_rows(path: Path, file: h5py.File, n: int, advance: Callable[[int], None]) -> None:
    """Refuses a file whose first `n` rows are not as they were written.

    Args:
        path: of the file, for the message.
        file: a file that passed `check_seal`.
        n: a multiple of `CHUNK_ROWS`, or all rows.
        advance: is called with the number of rows each time some were checked.

    Raises:
        FileError: rows changed; the message names the first of them.
    """
    keys, checksums = dataset_keys(file), file[CHECKSUMS][:]
    step = block_rows({key: file[key] for key in keys})
    for start in range(0, n, step):
        stop = min(start + step, n)
        try:
            rows = {key: np.asarray(file[key][start:stop]) for key in keys}
        except OSError as error:
            raise FileError(
                f"{path}: rows {start} to {stop - 1} cannot be read: {error}"
            ) from error
        for changed in changed_chunks(rows, start, checksums):
            raise FileError(f"{path}: rows {changed[0]} to {changed[-1]} are not as written")
        advance(stop - start)


def block_rows(fields: Mapping[str, Any], most_bytes: int = BLOCK_BYTES) -> int:
    """Returns how many rows of fields to read at once: whole chunks, of some `most_bytes`."""
    row = sum(field.dtype.itemsize * int(np.prod(field.shape[1:])) for field in fields.values())
    return max(1, most_bytes // max(1, row) // CHUNK_ROWS) * CHUNK_ROWS


def changed_chunks(
    rows: Mapping[str, np.ndarray], start: int, checksums: UInt8[np.ndarray, "C 32"]
) -> Iterator[range]:
    """Yields the rows of each chunk that is not as it was written.

    Args:
        rows: all fields of consecutive rows, by key.
        start: number of the first, a multiple of `CHUNK_ROWS`.
        checksums: of the whole file.
    """
    count = len(next(iter(rows.values())))
    for first in range(0, count, CHUNK_ROWS):
        last = min(first + CHUNK_ROWS, count)
        sha = checksum({key: values[first:last] for key, values in rows.items()})
        if sha != checksums[(start + first) // CHUNK_ROWS].tobytes():
            yield range(start + first, start + last)


def checksum(rows: Mapping[str, np.ndarray]) -> bytes:
    """Returns the checksum of one chunk of rows."""
    sha = hashlib.sha256()
    for key in sorted(rows):
        sha.update(np.ascontiguousarray(rows[key]).data)
    return sha.digest()


def chunks_of(rows: int) -> int:
    """Returns the number of chunks that hold `rows` rows."""
    return -(-rows // CHUNK_ROWS)


def plain(attributes: h5py.AttributeManager, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns attributes as values of Python's own types, lists in place of arrays."""
    return {
        key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in attributes.items()
        if key not in without
    }
