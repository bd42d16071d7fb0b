"""A picture and its masks, read; and what looking through a folder says of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from scenes.dataset import sha256_of
from scenes.file.schema import MOST_ENTITIES
from scenes.formats.image_file import FIRST_COLOR, read_indices, read_rgb
from scenes.image_folder.files import Picture
from scenes.inspection import Inspection, reason

FORMATS = ("PNG", "JPEG", "WEBP")
MASK_FORMATS = ("PNG",)
"""Others lose values."""


@dataclass(frozen=True)
class Labels:
    """A picture's segmentation, in its own size."""

    values: UInt8[np.ndarray, "H W"]
    """Entity of each pixel; 0 is the background."""
    entities: int
    """Background included."""
    conflicts: int = 0
    """Pixels in the masks of several objects, of which they get the first."""


def read_labels(picture: Picture, height: int, width: int) -> Labels:
    """Reads the masks of a picture.

    Args:
        picture: has masks.
        height: of the picture.
        width: of the picture.

    Raises:
        ValueError: they are of another size, cannot be read, or tell too many entities apart.
        OSError: the system refuses a file.
    """
    planes = [read_indices(path, MASK_FORMATS) for path in picture.masks]
    for path, plane in zip(picture.masks, planes, strict=True):
        if plane.shape != (height, width):
            raise ValueError(
                f"{path.name}: {plane.shape[1]} x {plane.shape[0]} pixels, but the picture has "
                f"{width} x {height}"
            )
    conflicts = 0
    if picture.each_object:
        covered = np.stack([plane > 0 for plane in planes])
        conflicts = int((covered.sum(axis=0) > 1).sum())
        values = np.where(covered.any(axis=0), 1 + covered.argmax(axis=0), 0)
        entities = 1 + len(planes)
    else:
        background = _background(planes[0])
        others = np.setdiff1d(planes[0], [background])
        values = np.where(planes[0] == background, 0, 1 + np.searchsorted(others, planes[0]))
        entities = 1 + len(others)
    if entities > MOST_ENTITIES:
        raise ValueError(
            f"{picture.masks[0].name}: {entities} entities, background included; at most "
            f"{MOST_ENTITIES}, so masks must be flat, not blended at their edges"
        )
    return Labels(values.astype(np.uint8), entities, conflicts)


def _background(values: Int64[np.ndarray, "H W"]) -> int:
    """Returns the background's value: 0 for indices and where there is black.

    Where a mask has colours and no black, as of a renderer with a grey world, it is the commonest
    of the picture's edge.
    """
    if values.max(initial=0) < FIRST_COLOR or (values == 0).any():
        return 0
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    colors, counts = np.unique(edge, return_counts=True)
    return int(colors[counts.argmax()])


def inspect(picture: Picture, *, masked: bool) -> Inspection:
    """Reads a picture and its masks whole.

    Args:
        picture: which.
        masked: whether it must have masks, as others have.
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
    told = (labels.entities, labels.conflicts)
    return Inspection(picture.name, (width, height), "", sha.hexdigest(), *told)
