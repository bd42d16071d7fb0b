"""Images and masks as encoded pictures in memory: PNG, JPEG, WebP; masks as PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from scenes.file.schema import MOST_ENTITIES
from scenes.formats.image_file import (
    FIRST_COLOR,
    FORMATS,
    Encoded,
    numbered,
    read_indices,
    read_rgb,
)
from scenes.formats.records import check_labels, check_sides

MOST_MASK_PIXELS = 1 << 28
"""Of all masks of a record."""
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


def is_picture(content: bytes) -> bool:
    """Whether bytes begin as an encoded picture does."""
    return content.startswith(BEGINNINGS[:2]) or (
        content.startswith(BEGINNINGS[2]) and content[8:12] == b"WEBP"
    )


def decode_image(content: bytes, name: str) -> UInt8[np.ndarray, "H W 3"]:
    """Decodes a picture.

    Raises:
        ValueError: it cannot be read, or is too large.
    """
    image = read_rgb(Encoded(content, name), FORMATS)
    check_sides(*image.shape[:2])
    return image


def decode_labels(content: bytes, name: str) -> tuple[UInt8[np.ndarray, "H W"], int]:
    """Decodes a picture whose values, or colours, tell entities apart.

    Values stay as they are, 0 for the background; colours are numbered, rising.

    Returns:
        Labels, and the number of entities.

    Raises:
        ValueError: it cannot be read, or has too many entities.
    """
    plane = read_indices(Encoded(content, name))
    if plane.max(initial=0) < FIRST_COLOR:
        try:
            labels = check_labels(plane)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return labels, int(labels.max(initial=0)) + 1
    values, entities = numbered(plane)
    if entities > MOST_ENTITIES:
        raise ValueError(
            f"{name}: {entities} colours; at most {MOST_ENTITIES}, so masks must be flat, "
            "not blended at their edges"
        )
    return values.astype(np.uint8), entities


def decode_masks(contents: Sequence[bytes], name: str) -> UInt8[np.ndarray, "K H W"]:
    """Decodes one picture for each mask.

    Raises:
        ValueError: one cannot be read, they are of unequal sizes, or there are too many.
    """
    if not 1 <= len(contents) <= MOST_ENTITIES:
        raise ValueError(f"{name}: {len(contents)} masks; from 1 to {MOST_ENTITIES} are read")
    planes: list[UInt8[np.ndarray, "H W"]] = []
    for number, content in enumerate(contents):
        plane = (read_indices(Encoded(content, f"{name} {number}")) > 0).view(np.uint8)
        if planes and plane.shape != planes[0].shape:
            raise ValueError(f"{name} {number}: {plane.shape}, but the first is {planes[0].shape}")
        if plane.size * len(contents) > MOST_MASK_PIXELS:
            raise ValueError(
                f"{name}: {len(contents)} masks of {plane.shape}; at most {MOST_MASK_PIXELS:,} "
                "pixels in all are read"
            )
        planes.append(plane)
    return np.stack(planes)
