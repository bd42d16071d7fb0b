"""Rooms whose fourth mask is an object: those with one wall in view may have three backgrounds.

The released Objects Room's records are said to be so. The rule: mask 3 has pixels, it does not
touch the sky, and its colour is not that of the wall in mask 2, as that of both walls is. "Colour"
is the mean over the mask, each channel divided by the sum of all; 0.04 of difference in one counts.
An object mostly stands before a wall, so that to touch the wall tells nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenes.file.reader import SceneFile

SKY, WALL, FOURTH = 0, 2, 3
LEAST_APART = 0.04
ROWS = 256


def objects_among_walls(file: SceneFile) -> int:
    """Returns how many rooms of a file have an object, and no second wall, at index 3."""
    count = 0
    for start in range(0, file.n, ROWS):
        rows = slice(start, start + ROWS)
        count += int(are_objects(file["image"][rows], file.segmentation(rows)).sum())
    return count


def are_objects(
    images: UInt8[np.ndarray, "N H W 3"], segmentation: UInt8[np.ndarray, "N H W"]
) -> Bool[np.ndarray, " N"]:
    """Returns whether mask 3 of each room is an object, by the rule above."""
    fourth, sky = segmentation == FOURTH, segmentation == SKY
    near = np.zeros_like(sky)
    near[:, 1:] |= sky[:, :-1]
    near[:, :-1] |= sky[:, 1:]
    near[:, :, 1:] |= sky[:, :, :-1]
    near[:, :, :-1] |= sky[:, :, 1:]
    touches = (fourth & near).any(axis=(1, 2))
    apart = np.abs(_colors(images, fourth) - _colors(images, segmentation == WALL)).max(axis=1)
    return ~touches & (apart > LEAST_APART)  # NaN, where there is no such mask, is not above


def _colors(
    images: UInt8[np.ndarray, "N H W 3"], masks: Bool[np.ndarray, "N H W"]
) -> Float[np.ndarray, "N 3"]:
    """Returns each mask's mean colour as shares of its channels; NaN where it has no pixels."""
    sums = np.einsum("nhwc,nhw->nc", images.astype(np.float64), masks)
    with np.errstate(invalid="ignore"):
        return sums / sums.sum(axis=1, keepdims=True)
