"""Sprites from dSprites' own file, or drawn from curves on the same grid of factors.

At scale 1 and orientation 0 the curves are, in pixels of the 64 x 64 image: a square of side 19.2;
an ellipse of half-axes 12.77 (across) and 7.24; and a heart, point down, whose radius about a point
2 pixels above its centre is a polynomial of the angle. Positions 0 and 1 are 32 pixels apart. A
pixel belongs to a sprite if the pixel's middle does. All lengths were fitted to the 320 frames that
dSprites' repository shows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from scenes.formats.npz_file import NpzFile
from scenes.multi_dsprites.config import DRAWING

SIZE = 64
SHAPES = ("square", "ellipse", "heart")
SCALES = np.linspace(0.5, 1, 6)
ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)
POSITIONS = np.linspace(0, 1, 32)
GRID = (len(SHAPES), len(SCALES), len(ORIENTATIONS), len(POSITIONS), len(POSITIONS))

SQUARE_SIDE = 19.2
ELLIPSE_HALF_AXES = (12.77, 7.24)
HEART_MIDDLE = 2.0
"""How many pixels above the heart's centre the origin of its radii lies, to see all its outline."""
HEART_RADII = (7.953, 1.904, -1.129, 2.159, 0.16, 0.041, 0.079, 0.112, 0.058)
"""Chebyshev series of the radius by angle, from -1, straight up, to 1, straight down."""
FIRST_CENTRE, LAST_CENTRE = 15.5, 47.5
"""Pixel coordinates of positions 0 and 1; a pixel's index is the coordinate of its middle."""
REACH = 14
"""Most pixels from a sprite's centre to its outline."""
MEAN_PIXEL = (0.02, 0.08)
"""Bounds of the share of white pixels in dSprites, by which other files are told apart."""


@runtime_checkable
class Sprites(Protocol):
    """Sprites by their class indices: shape, scale, orientation, x, y.

    Attributes:
        origin: names the source of the pixels, for a file's provenance.
    """

    origin: str

    def mask(self, classes: Integer[np.ndarray, " 5"]) -> Bool[np.ndarray, "64 64"]:
        """Returns a sprite's pixels."""
        ...


class DrawnSprites:
    """Sprites drawn from their curves."""

    origin = DRAWING

    def mask(self, classes: Integer[np.ndarray, " 5"]) -> Bool[np.ndarray, "64 64"]:
        """Returns a sprite's pixels."""
        shape, scale, orientation, x, y = classes.tolist()
        return draw(
            SHAPES[shape], SCALES[scale], ORIENTATIONS[orientation], POSITIONS[x], POSITIONS[y]
        )


def draw(
    shape: str, scale: float, orientation: float, x: float, y: float
) -> Bool[np.ndarray, "64 64"]:
    """Draws one sprite; its factors may lie between the values of the grid.

    Args:
        shape: one of `SHAPES`.
        scale: factor of all lengths, up to 1.
        orientation: angle in rad, counter-clockwise as seen in the image.
        x: position across, 0 to 1.
        y: position down, 0 to 1.

    Raises:
        ValueError: scale or position is out of range, so that the sprite would be cut off.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, got {scale}")
    for name, position in (("x", x), ("y", y)):
        if not 0 <= position <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {position}")
    across, columns = _near(x)
    down, rows = _near(y)
    cos, sin = np.cos(orientation) / scale, np.sin(orientation) / scale
    right, below = across[None, :], down[:, None]
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[rows, columns] = _inside(shape, cos * right - sin * below, sin * right + cos * below)
    return mask


def _near(position: float) -> tuple[Float[np.ndarray, " n"], slice]:
    """Returns the pixels of an axis that a sprite may reach: distances to its centre, and slice."""
    centre = FIRST_CENTRE + (LAST_CENTRE - FIRST_CENTRE) * position
    first = int(centre) + 1 - REACH
    return np.arange(first, first + 2 * REACH) - centre, slice(first, first + 2 * REACH)


def _inside(
    shape: str, x: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n n"]
) -> Bool[np.ndarray, "n n"]:
    """Whether points are inside a shape at scale 1 and orientation 0; y points down."""
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= SQUARE_SIDE / 2
    if shape == "ellipse":
        a, b = ELLIPSE_HALF_AXES
        return (x / a) ** 2 + (y / b) ** 2 <= 1
    y = y + HEART_MIDDLE
    radius = np.polynomial.chebyshev.chebval(2 / np.pi * np.arctan2(abs(x), -y) - 1, HEART_RADII)
    return np.hypot(x, y) <= radius


class PublishedSprites:
    """The sprites of dSprites' own file, packed to 512 bytes each (377 MB in all).

    Args:
        path: `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`.

    Raises:
        ValueError: the file is something else; the message names the difference.
    """

    def __init__(self, path: Path) -> None:
        self._packed = np.packbits(_published_images(path), axis=-1)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.origin = f"dsprites sha256 {digest}"

    def mask(self, classes: Integer[np.ndarray, " 5"]) -> Bool[np.ndarray, "64 64"]:
        """Returns a sprite's pixels."""
        packed = self._packed[np.ravel_multi_index(tuple(classes.tolist()), GRID)]
        return np.unpackbits(packed, axis=-1).view(bool)


def _published_images(path: Path) -> UInt8[np.ndarray, "N 64 64"]:
    count = int(np.prod(GRID))
    with NpzFile.open(path) as file:
        if missing := file.lacks(("imgs", "latents_classes")):
            raise ValueError(f"{path}: not dSprites: no {' and no '.join(missing)}")
        classes = file.read("latents_classes", (count, 6), "<i8")
        grid = np.stack(np.unravel_index(np.arange(count), GRID), axis=1)
        if not np.array_equal(classes[:, 1:], grid):
            raise ValueError(f"{path}: latents_classes: not the grid {GRID} in order")
        images = file.read("imgs", (count, SIZE, SIZE), "|u1")
    mean = float(images.sum(dtype=np.int64)) / images.size
    if images.max() != 1 or not MEAN_PIXEL[0] < mean < MEAN_PIXEL[1]:
        raise ValueError(
            f"{path}: imgs: expected 0 and 1 with a mean between {MEAN_PIXEL[0]} and "
            f"{MEAN_PIXEL[1]}, got up to {images.max()} with a mean of {mean:.4f}"
        )
    return images


def open_sprites(path: Path | None) -> Sprites:
    """Returns the sprites of a file, or drawn ones for `None`."""
    return DrawnSprites() if path is None else PublishedSprites(path)
