"""Images as PNG and back, without a loss."""

from __future__ import annotations

from importlib.metadata import version

import cv2
import numpy as np
from jaxtyping import UInt8

MADE_WITH = {"opencv-python": version("opencv-python")}
LEVEL = 6
"""Of zlib. Image and segmentation of a room of 64 x 64: 0.42 ms of a core and 1.3 KB. OpenCV's own
choice takes 0.15 ms and 1.8 KB, level 9 takes 2.1 ms and 1.2 KB."""


def encode_png(pixels: UInt8[np.ndarray, "H W *C"]) -> bytes:
    """Returns an image as PNG: RGB in colour, (H, W) in grey."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, LEVEL])
    return content.tobytes()


def decode_png(content: bytes) -> UInt8[np.ndarray, "H W *C"]:
    """Returns the pixels that `encode_png` was given.

    Raises:
        ValueError: it is no image.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if pixels is None or pixels.dtype != np.uint8:
        raise ValueError("not a PNG of 8 bits")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels
