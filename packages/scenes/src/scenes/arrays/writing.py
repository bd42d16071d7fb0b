"""Writes arrays as a file of scenes, for training and scoring like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from scenes.arrays.config import ArraysConfig
from scenes.driver import build
from scenes.entities import entity_names, mask_fields, mask_rows
from scenes.file.schema import MOST_ENTITIES
from scenes.scene import Field, OneByOne, Scene

AT_ONCE = 256
"""Images that are checked together, so that no copy of all is needed."""


def write_arrays(
    images: Any, masks: Any = None, *, out: Path | str, overwrite: bool = False
) -> None:
    """Writes images of one's own, and their masks, as a file of scenes.

    Example:
        >>> import numpy as np, scenes
        >>> images = np.zeros((5, 48, 64, 3), dtype=np.uint8)
        >>> labels = np.zeros((5, 48, 64), dtype=np.int64)
        >>> labels[:, 10:20, 10:20] = 1
        >>> scenes.write_arrays(images, labels, out="mine.h5")
        >>> scenes.SceneFile("mine.h5").entities
        ('background', 'object_0')

    Args:
        images: (N, H, W, 3) uint8 RGB, as anything that NumPy can turn into an array. A memory map
            is read piece by piece.
        masks: labels (N, H, W), whole numbers from 0, the background, to 254; or a mask for each
            entity (N, K, H, W), the background first, with each pixel in exactly one mask.
        out: the file.
        overwrite: replace a file that holds something else.

    Raises:
        ValueError: the arrays are of another shape, type or range.
        UsageError: `out` holds something else.
    """
    pictures = _checked_images(np.asarray(images))
    labels = None if masks is None else _labels(np.asarray(masks), pictures.shape[:3])
    height, width = pictures.shape[1:3]
    entities = 0 if labels is None else int(max(part.max() for part in _pieces(labels))) + 1
    if masks is not None and np.ndim(masks) == 4:
        entities = np.shape(masks)[1]  # entities without a pixel count too
    config = ArraysConfig(_content(pictures, labels), height, width, entities)
    source = ArraysSource(config, pictures, labels)
    build(config, n=len(pictures), seed=0, out=out, overwrite=overwrite, opener=lambda: source)


class ArraysSource(OneByOne):
    """Images and segmentations in memory."""

    dataset = ArraysConfig.dataset
    seed = 0

    def __init__(
        self,
        config: ArraysConfig,
        images: UInt8[np.ndarray, "N H W 3"],
        labels: Shaped[np.ndarray, "N H W"] | None,
    ) -> None:
        self.config = config
        self.provenance: Mapping[str, str] = {}
        self.limit: int | None = len(images)
        self._images, self._labels = images, labels
        self._objects = max(0, config.num_entities - 1)
        self.entities = entity_names(self._objects)
        sides = (config.height, config.width)
        self.fields: Mapping[str, Field] = {
            "image": Field((*sides, 3), "uint8", "RGB"),
            **({} if labels is None else mask_fields(self._objects, *sides)),
        }

    def __getitem__(self, index: int) -> Scene:
        """Returns the scene of image `index`."""
        if self._labels is None:
            return Scene(self._images[index])
        segmentation = self._labels[index].astype(np.uint8)
        return Scene(self._images[index], segmentation, mask_rows(segmentation, self._objects))


def _checked_images(images: np.ndarray) -> UInt8[np.ndarray, "N H W 3"]:
    """Returns images, after checking their shape and type.

    Raises:
        ValueError: they are no bytes of the shape (N, H, W, 3).
    """
    if images.ndim != 4 or images.shape[3] != 3 or not images.size:
        raise ValueError(f"images must be (N, H, W, 3), channels last, got {images.shape}")
    if images.dtype != np.uint8:
        advice = "; (255 * images).round().astype(numpy.uint8) makes bytes of floats in [0, 1]"
        raise ValueError(
            f"images must be uint8, got {images.dtype}{advice if images.dtype.kind == 'f' else ''}"
        )
    return images


def _labels(masks: np.ndarray, shape: tuple[int, ...]) -> Shaped[np.ndarray, "N H W"]:
    """Returns the entity of each pixel.

    Args:
        masks: labels, or a mask for each entity.
        shape: (N, H, W) of the images.

    Raises:
        ValueError: the masks are neither, or do not suit the images.
    """
    n, height, width = shape
    if masks.dtype.kind not in "biuf":
        raise ValueError(f"masks must be numbers, got {masks.dtype}")
    if masks.shape == shape:
        return _checked_labels(masks)
    if masks.ndim != 4 or (masks.shape[0], *masks.shape[2:]) != shape:
        raise ValueError(
            f"masks must be labels ({n}, {height}, {width}) or masks of K entities "
            f"({n}, K, {height}, {width}) for these images, got {masks.shape}"
        )
    if not 1 <= masks.shape[1] <= MOST_ENTITIES:
        raise ValueError(f"masks must be of 1 to {MOST_ENTITIES} entities, got {masks.shape[1]}")
    labels = np.empty(shape, dtype=np.uint8)
    for start in range(0, n, AT_ONCE):
        piece = masks[start : start + AT_ONCE]
        ones = piece == 1
        wrong = ((piece != 0) & ~ones).any(axis=1) | (ones.sum(axis=1) != 1)
        for image in np.flatnonzero(wrong.any(axis=(1, 2)))[:1]:
            raise ValueError(
                f"masks must be 0 or 1, and each pixel in exactly one: in image {start + image}, "
                f"{wrong[image].sum():,} pixels are not; masks.argmax(axis=1) gives labels of any"
            )
        labels[start : start + AT_ONCE] = ones.argmax(axis=1)
    return labels


def _checked_labels(labels: np.ndarray) -> Shaped[np.ndarray, "N H W"]:
    if labels.dtype.kind == "f":
        raise ValueError(f"labels must be whole numbers, got {labels.dtype}")
    for piece in _pieces(labels):
        for extreme in (piece.min(), piece.max()):
            if not 0 <= extreme < MOST_ENTITIES:
                raise ValueError(f"labels must be from 0 to {MOST_ENTITIES - 1}, got {extreme}")
    return labels


def _pieces(values: np.ndarray) -> list[np.ndarray]:
    return [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]


def _content(
    images: UInt8[np.ndarray, "N H W 3"], labels: Shaped[np.ndarray, "N H W"] | None
) -> str:
    sha = hashlib.sha256(f"{images.shape} {labels is None}".encode())
    for values in (images,) if labels is None else (images, labels):
        for piece in _pieces(values):
            sha.update(np.ascontiguousarray(piece, dtype=np.uint8).data)
    return sha.hexdigest()
