"""Parquet files as scenes, as the library `datasets` writes them; rows stream in small batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scenes.formats.readers.sample_reader import Masks, Sample, SampleReader
from scenes.formats.records import RecordError
from scenes.regular_files import open_regular

IMAGES = ("image", "images", "img")
MASKS = ("segmentation", "mask", "masks", "annotations", "label_map")
BATCH_ROWS = 16
MOST_ROW_GROUP_BYTES = 1 << 31
"""Declared and unpacked: a row group's columns are read a page at a time."""
MOST_VALUES = 1 << 28
"""Of one column in a row group, which a few bytes may claim to hold."""
MOST_ROW_VALUES = 1 << 26
"""Of one column in a row."""


def open_parquet(path: Path) -> SampleReader:
    """Returns a reader of a Parquet file.

    Raises:
        RecordError: it is damaged, has no images, or its first row cannot be read.
    """
    return SampleReader(path, "parquet", partial(_samples, path))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a file whose footer declares nothing too large."""
    with open_regular(path) as file, pq.ParquetFile(file, memory_map=False) as parquet:
        about = parquet.metadata
        for group in range(about.num_row_groups):
            row_group = about.row_group(group)
            columns = [row_group.column(i) for i in range(row_group.num_columns)]
            declared = sum(column.total_uncompressed_size for column in columns)
            values = max((column.num_values for column in columns), default=0)
            if not 0 <= declared <= MOST_ROW_GROUP_BYTES or values > MOST_VALUES:
                raise ValueError(
                    f"row group {group} declares {declared:,} bytes and {values:,} values; at most "
                    f"{MOST_ROW_GROUP_BYTES:,} and {MOST_VALUES:,} are read"
                )
        yield parquet


def _samples(path: Path, start: int) -> Iterator[Sample]:
    number = start
    try:
        with _opened(path) as parquet:
            names = parquet.schema_arrow.names
            image = next((name for name in IMAGES if name in names), None)
            if image is None:
                held = ", ".join(names) or "nothing"
                raise ValueError(f"no column {' or '.join(IMAGES)}; it has {held}")
            mask = next((name for name in MASKS if name in names), None)
            for row in _rows(parquet, start):
                yield _sample(row, image, mask)
                number += 1
    except (ValueError, OSError, MemoryError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        words = str(error).removeprefix(f"{path}: ").partition("\n")[0]
        raise RecordError(f"{path}: record {number}: {words}", number) from error


def _rows(parquet: Any, start: int) -> Iterator[dict[str, pa.Array]]:
    """Yields rows from number `start` on, each column an array of one value."""
    first = 0
    for group in range(parquet.metadata.num_row_groups):
        count = parquet.metadata.row_group(group).num_rows
        if first + count > start:
            place = first
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group]):
                for row in range(max(0, start - place), batch.num_rows):
                    names = batch.schema.names
                    yield {name: batch.column(i).slice(row, 1) for i, name in enumerate(names)}
                place += batch.num_rows
        first += count


def _sample(row: dict[str, pa.Array], image: str, mask: str | None) -> Sample:
    features: dict[str, np.ndarray] = {}
    unread: list[str] = []
    for name, column in row.items():
        if name not in (image, mask):
            _collect(name, column, features, unread)
    picture = _pictures(row[image], image)
    if isinstance(picture, list) or picture is None:
        raise ValueError(f"{image}: must be one picture")
    masks = None if mask is None else _pictures(row[mask], mask)
    return Sample(picture, masks, features, tuple(unread))


def _collect(
    name: str, column: pa.Array, features: dict[str, np.ndarray], unread: list[str]
) -> None:
    """Adds a column's numbers, those inside a struct as `NAME/FIELD`; names what is none."""
    column = _plain(column)
    if pa.types.is_struct(column.type) and not column.null_count:
        for index in range(column.type.num_fields):
            inside = f"{name}/{column.type.field(index).name}"
            _collect(inside, column.flatten()[index], features, unread)
        return
    try:
        features[name] = _numbers(column)
    except ValueError:
        unread.append(name)


def _pictures(column: pa.Array, name: str) -> Masks:
    """Returns a cell's picture, encoded; a list of them; or numbers in nested lists.

    Raises:
        ValueError: it is none of these, or null.
    """
    column = _plain(column)
    if column.null_count:
        raise ValueError(f"{name}: null")
    kind = column.type
    if pa.types.is_struct(kind) or _is_binary(kind):
        return _encoded(column, name)[0]
    if _is_list(kind):
        inside = _plain(column.flatten())
        if pa.types.is_struct(inside.type) or _is_binary(inside.type):
            return _encoded(inside, name)
    try:
        return _numbers(column)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _encoded(column: pa.Array, name: str) -> list[bytes]:
    """Returns the bytes of pictures: `{bytes, path}`, as `datasets` has them, or bytes alone."""
    if pa.types.is_struct(column.type):
        if column.type.get_field_index("bytes") < 0:
            raise ValueError(f"{name}: {column.type}: must be a picture: bytes, or bytes and path")
        column = column.field("bytes")
    if not _is_binary(column.type) and not pa.types.is_null(column.type):
        raise ValueError(f"{name}: {column.type}: must be bytes")
    contents = column.to_pylist()
    if any(content is None for content in contents):
        raise ValueError(f"{name}: no bytes: a path is not opened; write the pictures themselves")
    return contents


def _numbers(column: pa.Array) -> np.ndarray:
    """Returns a cell's number, or its nested lists of them, as an array.

    Raises:
        ValueError: they are none, or lists of unequal lengths.
    """
    shape: list[int] = []
    column = _plain(column)
    while _is_list(column.type):
        lengths = pc.list_value_length(column).unique().to_pylist() if len(column) else [0]
        if len(lengths) != 1 or lengths[0] is None:
            raise ValueError("lists of unequal lengths, or null")
        shape.append(lengths[0])
        if math.prod(shape) > MOST_ROW_VALUES:
            raise ValueError(f"lists of {shape} numbers; at most {MOST_ROW_VALUES:,} are read")
        column = _plain(column.flatten())
    kind = column.type
    if column.null_count or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    ):
        raise ValueError(f"{kind}: not numbers, or null")
    return column.to_numpy(zero_copy_only=False).reshape(shape)


def _plain(column: pa.Array) -> pa.Array:
    """Returns what an array of an extension's type is stored as, and a dictionary's values."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
