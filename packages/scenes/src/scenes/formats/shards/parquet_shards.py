"""Shards as Parquet, which `datasets` reads as images and typed features.

A column has the name and the type of its HDF5 field. Images and segmentations are PNG in the struct
that `datasets.Image` decodes. A number for each scene is a plain column, a list of them one of a
fixed length, and what has more axes is `datasets.Array2D` and so on: in Arrow a list of lists. The
features are in the schema's metadata under `huggingface`, where `datasets` looks for them, and each
column's metadata hold its meaning, its unit and the names of its codes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scenes.formats.shards import png
from scenes.formats.shards.form import PNG_KEYS
from scenes.formats.shards.manifest import Manifest
from scenes.regular_files import open_regular
from scenes.scene import Field

MOST_AXES = 5
"""`datasets` has Array2D to Array5D."""
ARRAYS = "datasets.features.features.Array{}DExtensionType"
"""Name under which `datasets` registers the Arrow type of its arrays."""
ZSTD_LEVEL = 3


class ParquetShards:
    """Parquet shards of a split.

    Args:
        manifest: of the split.

    Raises:
        ValueError: a field has more axes than `datasets` has a feature for.
    """

    made_with: Mapping[str, str] = {"pyarrow": pa.__version__, **png.MADE_WITH}

    def __init__(self, manifest: Manifest) -> None:
        self._fields = manifest.fields
        features = {key: _feature(key, field) for key, field in self._fields.items()}
        mark = {"sha256": manifest.origin.sha256, "split": manifest.split}
        self.schema = pa.schema(
            [_arrow_field(key, field) for key, field in self._fields.items()],
            metadata={
                "huggingface": json.dumps({"info": {"features": features}}),
                "scenes": json.dumps(mark),
            },
        )

    def encode(self, rows: Mapping[str, np.ndarray], start: int) -> pa.RecordBatch:
        """Returns rows as a record batch, which becomes a row group."""
        arrays = [
            _pngs(rows[key]) if key in PNG_KEYS else _arrow_array(rows[key], field.type)
            for key, field in zip(self._fields, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    @contextmanager
    def writing(self, stream: BinaryIO) -> Iterator[Callable[[pa.RecordBatch], None]]:
        """Begins a shard, and ends it when all is written."""
        writer = pq.ParquetWriter(
            stream,
            self.schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=False,
            write_page_index=True,
        )
        try:
            yield lambda batch: writer.write_batch(batch, row_group_size=batch.num_rows)
            writer.close()
        finally:
            writer.is_open = False  # or it would write its end once more when it is collected

    def read(self, path: Path, number: int) -> dict[str, np.ndarray]:
        """Returns a row of a shard, all fields by HDF5 key."""
        with open_regular(path) as stream:
            try:
                row = _row(pq.ParquetFile(stream), number)
                return {key: _value(row[key], key, field) for key, field in self._fields.items()}
            except (pa.ArrowException, KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{path}: {error}") from error


def _row(file: pq.ParquetFile, number: int) -> dict[str, Any]:
    """Returns one row as Python's objects, of which only its row group is read."""
    start = 0
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        if start <= number < stop:
            return file.read_row_group(group).slice(number - start, 1).to_pylist()[0]
        start = stop
    raise KeyError(f"it has no row {number}")


def _value(value: Any, key: str, field: Field) -> np.ndarray:
    pixels = png.decode_png(value["bytes"]) if key in PNG_KEYS else np.array(value, field.dtype)
    return pixels.reshape(field.shape)


def _feature(key: str, field: Field) -> dict[str, Any]:
    """Returns what `datasets` calls a field's type, as its JSON."""
    plain: dict[str, Any] = {"dtype": field.dtype, "_type": "Value"}
    if key in PNG_KEYS:
        return {"_type": "Image"}
    if not field.shape:
        return plain
    if len(field.shape) == 1:  # versions before 4 know no "List"; later ones take this for one
        return {"feature": plain, "length": field.shape[0], "_type": "Sequence"}
    if len(field.shape) > MOST_AXES:
        raise ValueError(f"{key}: {len(field.shape)} axes; `datasets` has arrays of {MOST_AXES}")
    shape = list(field.shape)
    return {"shape": shape, "dtype": field.dtype, "_type": f"Array{len(shape)}D"}


def _arrow_field(key: str, field: Field) -> pa.Field:
    if key in PNG_KEYS:
        kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        return pa.field(key, kind, metadata={"meaning": field.meaning})
    about = {"meaning": field.meaning, "unit": field.unit}
    if field.categories:
        about["categories"] = json.dumps(list(field.categories))
    kind = pa.from_numpy_dtype(np.dtype(field.dtype))
    if len(field.shape) == 1:
        return pa.field(key, pa.list_(kind, field.shape[0]), metadata=about)
    for _ in field.shape:
        kind = pa.list_(kind)
    if field.shape:  # for who has `datasets` imported, what it calls an array; else lists of lists
        about["ARROW:extension:name"] = ARRAYS.format(len(field.shape))
        about["ARROW:extension:metadata"] = json.dumps([list(field.shape), field.dtype])
    return pa.field(key, kind, metadata=about)


def _pngs(images: np.ndarray) -> pa.StructArray:
    content = pa.array([png.encode_png(image) for image in images], pa.binary())
    return pa.StructArray.from_arrays(
        [content, pa.nulls(len(images), pa.string())], names=["bytes", "path"]
    )


def _arrow_array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Returns numbers of all rows, the first axis, in the type of their column."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    for axis in range(values.ndim - 1, 0, -1):  # innermost first
        lists = int(np.prod(values.shape[:axis]))
        offsets = np.arange(lists + 1, dtype=np.int32) * values.shape[axis]
        flat = pa.ListArray.from_arrays(pa.array(offsets), flat)
    return flat
