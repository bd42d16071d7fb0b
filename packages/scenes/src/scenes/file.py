"""The HDF5 file that every dataset, model and score shares (schema 1).

Root attributes: `schema`, `dataset`, `config` (JSON), `seed`, `version` (of this package),
`entities` (names in index order), `provenance` (JSON: renderer and versions), `complete`. Each
HDF5 dataset has the row as its first axis and says its `meaning`, `unit` and `categories`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, UInt8

from scenes.config import DATASETS
from scenes.scene import Field, Source
from scenes.serialise import from_json, to_json

SCHEMA = 1
CHUNK_ROWS = 16
"""Rows that are compressed together: a shuffled read unpacks 16 images to get one."""


class FileError(ValueError):
    """A file cannot be used; the message starts with its path, and the key where there is one."""


def identity(source: Source) -> dict[str, Any]:
    """Returns the root attributes that tell one build from another."""
    return {
        "schema": SCHEMA,
        "dataset": source.dataset,
        "config": to_json(source.config),
        "seed": source.seed,
        "entities": list(source.entities),
        "provenance": json.dumps(dict(source.provenance), sort_keys=True),
    }


def create(path: Path, attributes: Mapping[str, Any], fields: Mapping[str, Field]) -> h5py.File:
    """Creates a file whose datasets have no rows yet."""
    file = h5py.File(path, "w", libver="v110")
    file.attrs.update(attributes)
    file.attrs["version"] = version("scenes")
    file.attrs["complete"] = False
    for key, field in fields.items():
        dataset = file.create_dataset(
            key,
            shape=(0, *field.shape),
            # An axis of length 0 (no objects) may only be chunked if it may grow.
            maxshape=(None, *(length or None for length in field.shape)),
            chunks=(CHUNK_ROWS, *(max(1, length) for length in field.shape)),
            dtype=field.dtype,
            compression="gzip",
            compression_opts=4,
            shuffle=np.dtype(field.dtype).itemsize > 1,
            fletcher32=True,
        )
        dataset.attrs["meaning"] = field.meaning
        dataset.attrs["unit"] = field.unit
        dataset.attrs["categories"] = list(field.categories)
    return file


def append_rows(file: h5py.File, rows: Mapping[str, np.ndarray]) -> None:
    """Appends rows to a file made by `create`."""
    for key, values in rows.items():
        dataset = file[key]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values


def append_chunks(target: h5py.File, origin: h5py.File, rows: int) -> None:
    """Appends the first `rows` rows of another file as they are, compressed.

    The target must hold a multiple of `CHUNK_ROWS` rows; so may `rows` be anything only in the
    last call.
    """
    for key in dataset_keys(origin):
        source, dataset = origin[key], target[key]
        start = len(dataset)
        dataset.resize(start + rows, axis=0)
        if 0 in source.shape[1:]:
            continue
        tail = (0,) * (source.ndim - 1)
        for row in range(0, rows, CHUNK_ROWS):
            mask, chunk = source.id.read_direct_chunk((row, *tail))
            dataset.id.write_direct_chunk((start + row, *tail), chunk, mask)


def dataset_keys(file: h5py.File) -> list[str]:
    """Returns the keys of all datasets, groups entered."""
    keys: list[str] = []
    file.visititems(lambda key, item: keys.append(key) if isinstance(item, h5py.Dataset) else None)
    return sorted(keys)


class SceneFile:
    """A finished file, open for reading; a context manager.

    Args:
        path: the file.

    Raises:
        FileError: it is missing, no HDF5, half-written, foreign or of a newer schema.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileError(f"{self.path}: no such file; scenes render makes one")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise FileError(f"{self.path}: not a readable HDF5 file, or cut short") from error
        try:
            self._check()
        except FileError:
            self._file.close()
            raise

    def _check(self) -> None:
        attributes = self._file.attrs
        if "schema" not in attributes or "dataset" not in attributes:
            raise FileError(f"{self.path}: no attribute 'schema': not a file of this project")
        if attributes["schema"] != SCHEMA:
            raise FileError(
                f"{self.path}: schema {attributes['schema']}, this version reads {SCHEMA}"
            )
        if not attributes.get("complete", False):
            raise FileError(f"{self.path}: half-written; run the command that made it again")
        if "image" not in self._file:
            raise FileError(f"{self.path}: image: missing")
        image = self._file["image"]
        if image.ndim != 4 or image.shape[3] != 3 or image.dtype != np.uint8:
            raise FileError(
                f"{self.path}: image: expected (N, H, W, 3) uint8, got {image.shape} {image.dtype}"
            )

    def __enter__(self) -> SceneFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __getitem__(self, key: str) -> h5py.Dataset:
        """Returns an HDF5 dataset.

        Raises:
            FileError: the file has none of that key.
        """
        if key not in self._file:
            raise FileError(f"{self.path}: {key}: missing; there is {', '.join(self.keys())}")
        return self._file[key]

    def has(self, key: str) -> bool:
        """Tells whether the file knows this field."""
        return key in self._file

    def keys(self) -> list[str]:
        """Returns the keys of all fields."""
        return dataset_keys(self._file)

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            for key, value in self._file.attrs.items()
        }

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self._file["image"].shape[0])

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return int(self._file["image"].shape[1])

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return str(self._file.attrs["dataset"])

    @property
    def seed(self) -> int:
        """Seed of every scene's stream."""
        return int(self._file.attrs["seed"])

    @property
    def entities(self) -> tuple[str, ...]:
        """Names of the entities in index order."""
        return tuple(str(name) for name in self._file.attrs["entities"])

    @property
    def num_background(self) -> int:
        """Number of entities before the first object."""
        return sum(not name.startswith("object_") for name in self.entities)

    @property
    def config(self) -> Any:
        """The dataset's config, from its JSON."""
        if self.dataset not in DATASETS:
            raise FileError(f"{self.path}: dataset: {self.dataset!r} is unknown to this version")
        return from_json(str(self._file.attrs["config"]), DATASETS[self.dataset])

    def masks(self, rows: slice) -> Bool[np.ndarray, "N E H W"]:
        """Returns one mask per entity: disjoint, together covering every pixel."""
        segmentation = self["segmentation"][rows]
        return segmentation[:, None] == np.arange(len(self.entities))[:, None, None]


def images_at(images: UInt8[np.ndarray, "N H W 3"], size: int) -> UInt8[np.ndarray, "N S S 3"]:
    """Averages images down by area to `size` pixels, rounded to the nearest.

    Raises:
        ValueError: the images' size is no multiple of `size`.
    """
    n, factor = len(images), _factor(images.shape[1], size)
    if factor == 1:
        return images
    sums = images.reshape(n, size, factor, size, factor, 3).sum(axis=(2, 4), dtype=np.uint32)
    return ((2 * sums + factor**2) // (2 * factor**2)).astype(np.uint8)


def segmentation_at(
    segmentation: UInt8[np.ndarray, "N H W"], size: int
) -> UInt8[np.ndarray, "N S S"]:
    """Reduces segmentations to `size` pixels by majority; the lowest index wins a draw.

    Raises:
        ValueError: the segmentations' size is no multiple of `size`.
    """
    n, factor = len(segmentation), _factor(segmentation.shape[1], size)
    if factor == 1:
        return segmentation
    blocks = segmentation.reshape(n, size, factor, size, factor)
    best = np.zeros((n, size, size), dtype=np.uint8)
    most = np.zeros((n, size, size), dtype=np.int64)
    for entity in np.unique(segmentation):
        count = (blocks == entity).sum(axis=(2, 4))
        best[count > most] = entity
        most = np.maximum(most, count)
    return best


def _factor(have: int, want: int) -> int:
    if have % want:
        raise ValueError(f"images of {have} pixels cannot be averaged down to {want}")
    return have // want
