"""Reads a picture and its masks, and inspects them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from scenes.dataset import sha256_of
from scenes.file.schema import MOST_ENTITIES
from scenes.formats.image_file import FORMATS, numbered, read_indices, read_rgb
from scenes.image_folder.files import Picture
from scenes.inspection import Inspection, reason


@dataclass(frozen=True)
class Labels:
    """A picture's segmentation, in its own size."""

    values: UInt8[np.ndarray, "H W"]
    """Entity of each pixel; 0 is the background."""
    entities: int
    """Number of entities, background included."""
    conflicts: int = 0
    """Number of pixels that several objects' masks claim; they get the first object."""


def read_labels(picture: Picture, height: int, width: int) -> Labels:
    """Reads the masks of a picture.

    Args:
        picture: a picture with masks.
        height: of the picture.
        width: of the picture.

    Raises:
        ValueError: masks are of another size, cannot be read, or have too many entities.
        OSError: the system refuses a file.
    """
    if picture.each_object:
        return _from_objects(picture, height, width)
    values, entities = numbered(_plane(picture.masks[0], height, width))
    _check_entities(picture, entities)
    return Labels(values.astype(np.uint8), entities)


def _from_objects(picture: Picture, height: int, width: int) -> Labels:
    """Reads the masks of single objects, one after the other to save memory."""
    _check_entities(picture, 1 + len(picture.masks))
    values = np.zeros((height, width), dtype=np.uint8)
    conflicts = np.zeros((height, width), dtype=bool)
    for number, path in enumerate(picture.masks, start=1):
        covered = _plane(path, height, width) > 0
        conflicts |= covered & (values > 0)
        values[covered & (values == 0)] = number
    return Labels(values, 1 + len(picture.masks), int(conflicts.sum()))


def _plane(path: Path, height: int, width: int) -> Int64[np.ndarray, "H W"]:
    plane = read_indices(path)
    if plane.shape != (height, width):
        raise ValueError(
            f"{path.name}: {plane.shape[1]} x {plane.shape[0]} pixels, but the picture has "
            f"{width} x {height}"
        )
    return plane


def _check_entities(picture: Picture, entities: int) -> None:
    if entities > MOST_ENTITIES:
        raise ValueError(
            f"{picture.masks[0].name}: {entities} entities, background included; at most "
            f"{MOST_ENTITIES}, so masks must be flat, not blended at their edges"
        )


def inspect(picture: Picture, *, masked: bool) -> Inspection:
    """Reads a picture and its masks whole.

    Args:
        picture: the picture.
        masked: whether it must have masks, because others in the folder have.
    """
    try:
        if masked and not picture.masks:
            raise ValueError("has no masks, which others have")
        height, width, _ = read_rgb(picture.path, FORMATS).shape
        labels = read_labels(picture, height, width) if picture.masks else None
        sha = hashlib.sha256("".join(sha256_of(path) for path in picture.files).encode())
    except (OSError, ValueError) as error:
        return Inspection(picture.name, (0, 0), reason(error, picture.path))
    if labels is None:
        return Inspection(picture.name, (width, height), "", sha.hexdigest())
    counts = (labels.entities, labels.conflicts)
    return Inspection(picture.name, (width, height), "", sha.hexdigest(), *counts)
