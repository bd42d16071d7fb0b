"""object-centric-library's HDF5 as scenes, from the HDF5 alone.

The metadata beside it are a pickled dictionary, which is never loaded: numbers of scenes, shapes
and types stand in the HDF5 too, and the moments by which that library scales are made anew by
whoever exports. `visibility` of (N, E), without a last axis, marks its Objects Room, whose first
four entities are background; of any other dataset it is the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scenes.file.reader import open_hdf5
from scenes.file.rows import Rows
from scenes.file.schema import dataset_keys
from scenes.formats.multi_object_datasets import LAYOUTS
from scenes.formats.npy_stream import StoredArray
from scenes.formats.readers.array_reader import ArrayReader, FloatRange
from scenes.formats.records import RecordError

IMAGE, MASK, VISIBILITY = "image", "mask", "visibility"


class _Hdf5Array:
    """A dataset of an HDF5 file, which stays open."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype

    def blocks(self, start: int, rows: int) -> Iterator[np.ndarray]:
        """Yields rows from number `start` on, `rows` at a time."""
        for first in range(start, self.shape[0], rows):
            yield self._dataset[first : first + rows]


def open_object_centric(path: Path, float_range: FloatRange | None) -> ArrayReader:
    """Returns a reader of that library's HDF5.

    Raises:
        RecordError: it is another file, or its datasets do not suit each other.
        FileError: it is damaged.
    """
    file = open_hdf5(path)
    if "schema" in file.attrs:
        raise RecordError(f"{path}: a file of scenes already, as every command takes it")
    datasets: Mapping[str, h5py.Dataset] = {key: file[key] for key in dataset_keys(file)}
    if IMAGE not in datasets or MASK not in datasets:
        held = ", ".join(datasets) or "nothing"
        raise RecordError(
            f"{path}: not object-centric-library's: no {IMAGE} and {MASK}; it has {held}"
        )
    rows = datasets[IMAGE].shape[:1]
    arrays: dict[str, StoredArray] = {}
    unread = []
    for key, dataset in datasets.items():
        suits = dataset.shape[:1] == rows and rows != () and dataset.dtype.kind in "biuf"
        if suits and (key in (IMAGE, MASK) or _is_known(dataset)):
            arrays[key] = _Hdf5Array(dataset)
        else:
            unread.append(key)
    if not {IMAGE, MASK} <= arrays.keys():
        raise RecordError(f"{path}: {IMAGE} and {MASK} must be numbers of equally many rows")
    seen = datasets.get(VISIBILITY)
    entities = int(seen.shape[1]) if seen is not None and seen.ndim in (2, 3) else None
    rooms = LAYOUTS["objects_room"].background
    is_room = seen is not None and seen.ndim == 2 and seen.shape[1] >= len(rooms)
    return ArrayReader(
        path,
        "object-centric-library",
        arrays,
        float_range=float_range,
        background=rooms if is_room else ("background",),
        entities=entities,
        unread=tuple(unread),
    )


def _is_known(dataset: h5py.Dataset) -> bool:
    """Whether a feature is told of the first scene: what is not known is written as NaN."""
    return dataset.shape[0] == 0 or bool(np.isfinite(Rows(dataset.id)[0]).all())
