"""Scenes of arrays on disk: images, masks and factors whose first axis is the scene."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from scenes.file.schema import MOST_ENTITIES
from scenes.formats.known_fields import columns_of, fields_of, objects_in, values_of
from scenes.formats.npy_stream import StoredArray
from scenes.formats.records import (
    OF_OBJECTS,
    Contents,
    Record,
    RecordError,
    check_labels,
    check_sides,
    cover_exactly,
    in_record,
    labels_of_masks,
)

IMAGES = ("images", "image")
MASKS = ("segmentation", "masks", "mask")
BLOCK_BYTES = 4 << 20
"""Of the largest array's rows that are read together."""
MOST_ROW_BYTES = 1 << 28

FloatRange = tuple[float, float]
"""What is black and what is white in images of floats."""


class ArrayReader:
    """Scenes of some arrays.

    Args:
        path: of their file, for messages.
        layout: name of the format.
        arrays: the arrays by name; `images` or `image`, and `segmentation`, `masks` or `mask`.
        float_range: of images of floats.
        background: names of the entities before the objects.
        entities: of every scene, where it is known.

    Raises:
        RecordError: there are no images, or the arrays do not suit each other.
    """

    def __init__(
        self,
        path: Path,
        layout: str,
        arrays: Mapping[str, StoredArray],
        *,
        float_range: FloatRange | None = None,
        background: tuple[str, ...] = ("background",),
        entities: int | None = None,
        unread: tuple[str, ...] = (),
    ) -> None:
        self.path, self._range, self._fixed = path, float_range, entities
        image = next((name for name in IMAGES if name in arrays), None)
        if image is None:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise RecordError(f"{path}: no array of images ({' or '.join(IMAGES)}); it has {held}")
        self._image = image
        self._mask = next((name for name in MASKS if name in arrays), None)
        self._arrays = arrays
        self._check_rows()
        self._sides = (arrays[image].shape[1], arrays[image].shape[2])
        self._axis = None if self._mask is None else self._axis_of(self._mask)
        self._of_objects = False
        first = next(self._rows(0, list(arrays)), None)
        if first is None:
            raise RecordError(f"{path}: record 0: the file is empty")
        if self._mask is not None and self._axis is not None:
            try:
                self._of_objects = not cover_exactly(self._planes(first[self._mask]))
            except ValueError as error:
                raise RecordError(f"{path}: record 0: {self._mask}: {error}") from error
            self._fixed = arrays[self._mask].shape[self._axis] + self._of_objects
        features = {name: first[name] for name in arrays if name not in (image, self._mask)}
        rows = None if self._of_objects else self._fixed
        self._features, left = columns_of(features, len(background), rows)
        objects = objects_in(self._features, features)
        self._least = len(background) + objects if objects else 0
        self.contents = Contents(
            layout,
            sides=self._sides,
            masked=self._mask is not None,
            fields=fields_of(self._features),
            background=background,
            unread=(*left, *unread),
            remarks=(OF_OBJECTS,) if self._of_objects else (),
        )

    def entities(self) -> Iterator[int]:
        """Yields how many entities each scene has."""
        if self._mask is None or self._fixed is not None:
            n = self._arrays[self._image].shape[0]
            yield from repeat(max(self._fixed or 0, self._least), n)
            return
        for number, row in enumerate(self._rows(0, [self._mask])):
            with in_record(self.path, number):
                labels, _ = self._labels(row[self._mask])
            yield max(int(labels.max(initial=0)) + 1, self._least)

    def records(self, start: int) -> Iterator[Record]:
        """Yields the scenes from number `start` on."""
        names = [self._image, *(column.name for column in self._features)]
        if self._mask is not None:
            names.append(self._mask)
        for number, row in enumerate(self._rows(start, names), start=start):
            with in_record(self.path, number):
                image = self._rgb(row[self._image])
                values = values_of(self._features, row)
                masks = None if self._mask is None else row[self._mask]
                labels, conflicts = (None, 0) if masks is None else self._labels(masks)
            yield Record(image, labels, conflicts, values)

    def _labels(self, masks: np.ndarray) -> tuple[UInt8[np.ndarray, "H W"], int]:
        """Returns labels, and how many pixels are not in one mask."""
        if self._axis is not None:
            return labels_of_masks(self._planes(masks), of_objects=self._of_objects)
        labels = check_labels(masks.reshape(self._sides))
        highest = int(labels.max(initial=0))
        if self._fixed is not None and highest >= self._fixed:
            raise ValueError(f"has entity {highest} of {self._fixed}")
        return labels, 0

    def _planes(self, masks: np.ndarray) -> Shaped[np.ndarray, "K H W"]:
        """Returns the masks of a scene, the entity first.

        Raises:
            ValueError: they are not masks of one value and 0.
        """
        planes = masks if self._axis == 1 else np.moveaxis(masks, 2, 0)
        planes = planes.reshape(len(planes), *self._sides)
        numbers = planes.dtype.kind in "biuf"
        if not numbers or not ((planes == 0) | (planes == planes.max(initial=0))).all():
            raise ValueError(
                "masks must be 0 or one other value; masks.argmax(axis=1) gives labels of any"
            )
        return planes

    def _rgb(self, image: np.ndarray) -> UInt8[np.ndarray, "H W 3"]:
        if image.ndim == 2:
            image = image[..., None]
        if self._range is not None and image.dtype.kind == "f":
            low, high = self._range
            shares = (image.astype(np.float64) - low) / (high - low)
            if not ((shares >= 0) & (shares <= 1)).all():  # NaN is neither
                wrong = image[~((shares >= 0) & (shares <= 1))][0]
                raise ValueError(f"{self._image}: {wrong} is not from {low:g} to {high:g}")
            image = np.rint(255 * shares).astype(np.uint8)
        return np.broadcast_to(image, (*image.shape[:2], 3))

    def _rows(self, start: int, names: list[str]) -> Iterator[dict[str, np.ndarray]]:
        """Yields rows as they are on disk, all arrays side by side.

        Raises:
            RecordError: they cannot be read.
        """
        largest = max(self._row_bytes(name) for name in names)
        rows = max(1, BLOCK_BYTES // max(1, largest))
        blocks = {name: self._arrays[name].blocks(start, rows) for name in names}
        number, n = start, self._arrays[self._image].shape[0]
        while number < n:
            pieces = {}
            for name, each in blocks.items():
                try:
                    pieces[name] = next(each)
                except StopIteration:
                    raise RecordError(f"{self.path}: record {number}: cut short", number) from None
                except Exception as error:  # of zipfile, zlib and h5py: any
                    raise RecordError(
                        f"{self.path}: record {number}: {name}: {error}", number
                    ) from error
            count = min(len(piece) for piece in pieces.values())
            for row in range(count):
                yield {name: piece[row] for name, piece in pieces.items()}
            number += count
            if count < max(len(piece) for piece in pieces.values()):
                raise RecordError(f"{self.path}: record {number}: cut short", number)

    def _row_bytes(self, name: str) -> int:
        array = self._arrays[name]
        return array.dtype.itemsize * math.prod(array.shape[1:])

    def _check_rows(self) -> None:
        """Refuses arrays that are none of images and masks, or of unequal lengths."""
        images = self._arrays[self._image]
        grey = len(images.shape) == 3
        if not grey and (len(images.shape) != 4 or images.shape[3] not in (1, 3)):
            raise RecordError(
                f"{self.path}: {self._image}: must be (N, H, W, 3), channels last, got "
                f"{images.shape}"
            )
        try:
            check_sides(*images.shape[1:3])
        except ValueError as error:
            raise RecordError(f"{self.path}: {self._image}: {error}") from error
        if images.dtype.kind == "f" and self._range is None:
            raise RecordError(
                f"{self.path}: {self._image}: {images.dtype}; --float-range 0 1 says what is "
                "black and what is white"
            )
        if images.dtype != np.uint8 and images.dtype.kind != "f":
            raise RecordError(
                f"{self.path}: {self._image}: must be uint8, or floats, got {images.dtype}"
            )
        for name, array in self._arrays.items():
            if array.shape[0] != images.shape[0]:
                raise RecordError(
                    f"{self.path}: {name}: {array.shape[0]:,} rows, but {images.shape[0]:,} images"
                )
            if self._row_bytes(name) > MOST_ROW_BYTES:
                raise RecordError(
                    f"{self.path}: {name}: {self._row_bytes(name):,} bytes for a scene; at most "
                    f"{MOST_ROW_BYTES:,} are read"
                )

    def _axis_of(self, mask: str) -> int | None:
        """Returns the axis of the masks' entities; `None` where they are labels."""
        shape, sides = self._arrays[mask].shape, self._sides
        suiting = (sides, (*sides, 1))
        if shape[1:] in suiting:
            return None
        for axis in (1, 3):
            if (*shape[1:axis], *shape[axis + 1 :]) not in suiting:
                continue
            if not 1 <= shape[axis] < MOST_ENTITIES:
                raise RecordError(
                    f"{self.path}: {mask}: {shape[axis]} masks; from 1 to {MOST_ENTITIES - 1} are "
                    "read"
                )
            return axis
        raise RecordError(
            f"{self.path}: {mask}: must be labels (N, H, W) or masks (N, K, H, W) of images "
            f"of {sides}, got {shape}"
        )
