"""Crops CLEVR's images to 128 x 128, as in the MONet paper's appendix C."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

SIZE = 128
STANDARD = (320, 240)
"""Width and height of clevr-dataset-gen's images, for which the crop is defined."""
DISTRIBUTED = (480, 320)
"""Width and height of CLEVR_v1.0's images, which are scaled to the standard height and cut."""
CROP_ROWS = slice(29, 221)
CROP_COLUMNS = slice(64, 256)


def crop_image(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "128 128 3"]:
    """Cuts out the middle and resizes it bilinearly, without antialiasing.

    Raises:
        ValueError: the image is of neither of CLEVR's sizes.
    """
    height, width = image.shape[:2]
    if (width, height) == DISTRIBUTED:
        image = cv2.resize(image, (360, 240), interpolation=cv2.INTER_AREA)[:, 20:340]
    elif (width, height) != STANDARD:
        raise ValueError(f"{width} x {height} pixels; CLEVR is 320 x 240 or 480 x 320")
    return shrink(np.ascontiguousarray(image[CROP_ROWS, CROP_COLUMNS]))


def shrink(cut: UInt8[np.ndarray, "192 192 3"]) -> UInt8[np.ndarray, "128 128 3"]:
    """Resizes a crop to 128 x 128, bilinearly."""
    return cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def crop_labels(labels: Shaped[np.ndarray, "240 320"]) -> Shaped[np.ndarray, "128 128"]:
    """Crops labels or depths as `crop_image` crops images, and resizes them by nearest pixels.

    It uses INTER_NEAREST_EXACT, because OpenCV's INTER_NEAREST samples half a pixel up and left of
    where its bilinear filter does, which would move the masks against the image.
    """
    cut = np.ascontiguousarray(labels[CROP_ROWS, CROP_COLUMNS])
    return cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST_EXACT)
