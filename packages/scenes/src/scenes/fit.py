"""Images and segmentations of any size as squares: cut, padded or stretched."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from scenes.limits import check_choice, check_whole

Fit = Literal["crop", "pad", "stretch"]
"""`crop` scales the shorter side to the square's and cuts the middle of the longer one; `pad`
scales the longer side and fills the rest with black, which is entity 0; `stretch` scales both."""
FITS: tuple[Fit, ...] = get_args(Fit)
MOST_PIXELS = 10_000
"""Side of the largest square."""


def fit_image(
    image: Shaped[np.ndarray, "H W 3"], size: int, fit: Fit
) -> Shaped[np.ndarray, "size size 3"]:
    """Returns an image as a square, each new pixel the average of the area it covers.

    Args:
        image: uint8, or floats.
        size: side of the square in pixels.
        fit: how an image that is no square becomes one.

    Raises:
        ValueError: `size` or `fit` is not allowed.
    """
    check_fit(size, fit)
    channels = [_fitted(image[..., channel], size, fit) for channel in range(3)]
    return np.stack(channels, axis=-1)


def fit_labels(
    labels: UInt8[np.ndarray, "H W"], size: int, fit: Fit
) -> UInt8[np.ndarray, "size size"]:
    """Returns a segmentation as a square: each pixel gets the label that covers most of it.

    Args:
        labels: entity index of each pixel; the lowest wins a draw.
        size: side of the square in pixels.
        fit: the same as for the image.

    Raises:
        ValueError: `size` or `fit` is not allowed.
    """
    check_fit(size, fit)
    best = np.zeros((size, size), dtype=np.uint8)
    most = np.zeros((size, size), dtype=np.float32)
    for label in np.unique(labels):
        share = _fitted((labels == label).astype(np.float32), size, fit)
        wins = share > most + 1e-6  # equal shares differ by the filter's rounding
        best[wins], most[wins] = label, share[wins]
    return best


def check_fit(size: int, fit: str) -> None:
    """Refuses a size or a `fit` that is not allowed.

    Raises:
        ValueError: one of them is not.
    """
    check_whole("--size", size, 1, MOST_PIXELS)
    check_choice("--fit", fit, FITS)


def way_to(size: int) -> str:
    """Returns which commands make a file whose images are squares of `size` pixels."""
    return (
        f"scenes import FILE --size {size} --fit crop makes a file that suits, as scenes images "
        "does, and scenes.images_at of arrays; --fit pad and stretch cut nothing"
    )


def _fitted(plane: Shaped[np.ndarray, "H W"], size: int, fit: Fit) -> Shaped[np.ndarray, "S S"]:
    height, width = plane.shape
    if plane.dtype != np.uint8:
        plane = plane.astype(np.float32)
    whole = Image.fromarray(np.ascontiguousarray(plane))
    if fit == "pad":
        scale = size / max(height, width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        square = Image.new(whole.mode, (size, size))
        place = ((size - inner[0]) // 2, (size - inner[1]) // 2)
        square.paste(_scaled(whole, inner, (0, 0, width, height)), place)
    else:
        box = (0, 0, width, height)
        if fit == "crop":
            side = min(height, width)
            left, top = (width - side) // 2, (height - side) // 2
            box = (left, top, left + side, top + side)
        square = _scaled(whole, (size, size), box)
    return np.asarray(square)


def _scaled(
    image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]
) -> Image.Image:
    """Returns part of an image at another size: averaged by area, or interpolated if enlarged."""
    enlarged = size[0] > box[2] - box[0] or size[1] > box[3] - box[1]
    filter_ = Image.Resampling.BILINEAR if enlarged else Image.Resampling.BOX
    return image.resize(size, filter_, box=box)
