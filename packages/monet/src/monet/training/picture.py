"""A decomposition as a picture: image, reconstruction, segmentation, and each slot."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from scenes.pictures.palette import slot_palette, to_uint8
from scenes.pictures.sheet import tile, with_headings

from monet.model import Decompositions

SHOWN_PIXELS = 96
"""About the width of each image in the picture; smaller images are enlarged."""


def decomposition_sheet(
    images: UInt8[np.ndarray, "N H W 3"], parts: Decompositions
) -> UInt8[np.ndarray, "Y X 3"]:
    """Lays out a row for each image: reconstruction, segmentation, slots on white, with headings.

    A slot is its component where its mask is, fading to white where it is not.
    """
    slots = parts.masks.shape[1]
    palette = slot_palette(slots)
    segmentation = palette[parts.masks.argmax(axis=1)]
    mask = parts.masks[..., None]
    shown = to_uint8(parts.components * mask + (1 - mask))  # (N, K, H, W, 3)
    cells = np.concatenate(
        [np.stack([images, to_uint8(parts.reconstruction), segmentation], axis=1), shown], axis=1
    )
    columns = cells.shape[1]
    headings = ["image", "reconstruction", "segmentation"]
    headings += [f"slot {slot + 1}" for slot in range(slots)]
    sheet = tile(cells.reshape(-1, *images.shape[1:]), columns)
    return np.asarray(with_headings(sheet, headings, width=columns * SHOWN_PIXELS))
