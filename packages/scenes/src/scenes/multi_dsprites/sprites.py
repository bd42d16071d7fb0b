"""The sprites: dSprites' own file, or the same factor grid drawn from curves.

Geometry of the drawing, in pixels of the 64 x 64 image, at scale 1, orientation 0: a square of
side 19; an ellipse of half-axes 13.5 (across) and 6.75; the heart curve
(16 sin^3 t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t), point down, 22 wide. The centre lies at
pixel 16 + i for position i of 32. A pixel belongs to the sprite where at least half of its 8 x 8
samples do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from scenes.formats.npz_file import NpzFile

SIZE = 64
SHAPES = ("square", "ellipse", "heart")
SCALES = np.linspace(0.5, 1, 6)
ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)
POSITIONS = np.linspace(0, 1, 32)
GRID = (len(SHAPES), len(SCALES), len(ORIENTATIONS), len(POSITIONS), len(POSITIONS))

SQUARE_SIDE = 19.0
ELLIPSE_HALF_AXES = (13.5, 6.75)
HEART_WIDTH = 22.0
FIRST_CENTRE = 16
REACH = 14
"""Pixels from a drawn sprite's centre that it may reach, in either direction."""
SAMPLES = 8
MEAN_PIXEL = (0.02, 0.08)
"""Between these lies the share of white pixels in dSprites; another file's does by chance only."""


@runtime_checkable
class Sprites(Protocol):
    """Sprites by their class indices: shape, scale, orientation, x, y.

    Attributes:
        origin: what decides the pixels, for a file's provenance.
    """

    origin: str

    def mask(self, classes: Integer[np.ndarray, " 5"]) -> Bool[np.ndarray, "64 64"]:
        """Returns a sprite's pixels."""
        ...


class DrawnSprites:
    """Sprites drawn from their curves; 720 drawings, moved by whole pixels."""

    origin = "drawn, geometry 1"

    def __init__(self) -> None:
        self._drawings: dict[tuple[int, int, int], np.ndarray] = {}

    def mask(self, classes: Integer[np.ndarray, " 5"]) -> Bool[np.ndarray, "64 64"]:
        """Returns a sprite's pixels."""
        shape, scale, orientation, x, y = classes.tolist()
        key = (shape, scale, orientation)
        if key not in self._drawings:
            self._drawings[key] = draw(SHAPES[shape], SCALES[scale], ORIENTATIONS[orientation])
        row, column = FIRST_CENTRE + y - REACH, FIRST_CENTRE + x - REACH
        side = 2 * REACH + 1
        mask = np.zeros((SIZE, SIZE), dtype=bool)
        mask[row : row + side, column : column + side] = self._drawings[key]
        return mask


def draw(shape: str, scale: float, orientation: float) -> Bool[np.ndarray, "29 29"]:
    """Draws one sprite about the middle pixel.

    Args:
        shape: one of `SHAPES`.
        scale: of the lengths, 0.5 to 1.
        orientation: angle in rad, clockwise as seen in the image.
    """
    side = 2 * REACH + 1
    samples = (np.arange(side * SAMPLES) + 0.5) / SAMPLES - side / 2
    across, down = samples[None, :], samples[:, None]
    cos, sin = np.cos(orientation) / scale, np.sin(orientation) / scale
    inside = _inside(shape, cos * across + sin * down, cos * down - sin * across)
    share = inside.reshape(side, SAMPLES, side, SAMPLES).mean(axis=(1, 3))
    return share >= 0.5


def _inside(
    shape: str, x: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n n"]
) -> Bool[np.ndarray, "n n"]:
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= SQUARE_SIDE / 2
    if shape == "ellipse":
        a, b = ELLIPSE_HALF_AXES
        return (x / a) ** 2 + (y / b) ** 2 <= 1
    # The heart is seen whole from its origin, so that its radius is a function of the angle.
    t = np.linspace(0, 2 * np.pi, 721)
    heart_x = 16 * np.sin(t) ** 3 * HEART_WIDTH / 32
    heart_y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    heart_y *= -HEART_WIDTH / 32
    angle = np.arctan2(heart_y, heart_x)
    radius = np.interp(np.arctan2(y, x), angle, np.hypot(heart_x, heart_y), period=2 * np.pi)
    return np.hypot(x, y) <= radius


class PublishedSprites:
    """The sprites of dSprites' own file, packed to 512 bytes each (377 MB in all).

    Args:
        path: `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`.

    Raises:
        ValueError: the file is something else; the message says in what.
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
    with NpzFile(path) as file:
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
    """Returns the published sprites where a file is given, else the drawn ones."""
    return DrawnSprites() if path is None else PublishedSprites(path)
