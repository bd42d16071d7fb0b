"""Image files as 8-bit RGB, each mode by its range; a mode without a known range is refused."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from scenes.regular_files import open_regular

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr")
"""Modes of at most 8 bits, which Pillow converts by their range."""

FORMATS = ("PNG", "JPEG", "WEBP")
"""Pillow's names of what pictures are read from."""
MASK_FORMATS = ("PNG",)
"""The one of them that keeps every value of a mask."""

FIRST_COLOR = 1 << 24
"""Above the values of grey images and palettes, for `read_indices`."""


@dataclass(frozen=True)
class Encoded:
    """An image file in memory, such as a record holds."""

    content: bytes
    name: str
    """What messages call it."""

    def __str__(self) -> str:
        return self.name


ImageFile = Path | Encoded
"""An image file, on disk or in memory."""


@contextmanager
def open_image(path: ImageFile, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Opens an image, of which nothing but its header is read yet.

    Args:
        path: the file.
        formats: Pillow's names of those allowed, such as `PNG`.

    Raises:
        ValueError: it is no such image, is broken (noticed here or while it is used), or is
            larger than Pillow's bound, which is some 90 million pixels.
        OSError: the system refuses the file.
    """
    with _opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=formats) as image:
                yield image
        except UnidentifiedImageError as error:
            raise ValueError(f"{path}: not a {' or '.join(formats)} file") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            most = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
            raise ValueError(f"{path}: {most}, the bound against bombs") from error
        except Exception as error:  # Pillow raises any for damage, most without the file's name
            ours = str(error).startswith(f"{path}: ")
            if ours or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise ValueError(f"{path}: {error}") from error


def _opened(path: ImageFile) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(path.content) if isinstance(path, Encoded) else open_regular(path)


def read_rgb(path: ImageFile, formats: tuple[str, ...]) -> UInt8[np.ndarray, "H W 3"]:
    """Reads an image as RGB, turned as its EXIF orientation says; transparency is dropped.

    Of 16 bits the upper 8 are taken, in grey as Pillow does in colour.

    Raises:
        ValueError: its mode has no known range (32-bit integers, floats), or it is an animation;
            or as from `open_image`.
        OSError: as from `open_image`.
    """
    with open_image(path, formats) as opened:
        image = _single(path, opened)
        if image.mode in SIXTEEN_BITS:
            grey = (_sixteen_bits(image) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=-1)
        if image.mode not in EIGHT_BITS:
            raise ValueError(f"{path}: images of mode {image.mode} are not read; save it as RGB")
        # Not straight to RGB, which palettes with transparency cannot be converted to.
        return np.ascontiguousarray(np.asarray(image.convert("RGBA"))[..., :3])


def read_indices(path: ImageFile) -> Int64[np.ndarray, "H W"]:
    """Reads a PNG whose pixels' values say of which entity they are.

    Of grey images and palettes these are the values as they are, up to 16 bits; of colours, a
    number above `FIRST_COLOR` for each, but 0 for black and for what is wholly transparent.

    Raises:
        ValueError: its mode has no values of its own; or as from `read_rgb`.
        OSError: as from `open_image`.
    """
    with open_image(path, MASK_FORMATS) as opened:
        image = _single(path, opened)
        if image.mode in SIXTEEN_BITS:
            return _sixteen_bits(image).astype(np.int64)
        if image.mode in ("1", "L", "P"):
            return np.asarray(image).astype(np.int64)
        if image.mode in ("LA", "PA"):
            return np.asarray(image)[..., 0].astype(np.int64)
        if image.mode not in ("RGB", "RGBA"):
            raise ValueError(f"{path}: masks of mode {image.mode} are not read; save it as RGB")
        red, green, blue, alpha = np.moveaxis(np.asarray(image.convert("RGBA"), np.int64), -1, 0)
        color = (red << 16) + (green << 8) + blue
        return np.where((alpha > 0) & (color > 0), FIRST_COLOR + color, 0)


def _single(path: ImageFile, image: Image.Image) -> Image.Image:
    """Returns a file's only image, upright.

    Raises:
        ValueError: it is an animation.
    """
    frames = getattr(image, "n_frames", 1)
    if frames != 1 and image.format != "MPO":  # a telephone's JPEG with a preview after it
        raise ValueError(f"{path}: {frames} images in one file; only single ones are read")
    image.load()
    return ImageOps.exif_transpose(image)


def numbered(values: Int64[np.ndarray, "H W"]) -> tuple[Int64[np.ndarray, "H W"], int]:
    """Numbers entities in the rising order of their values, the background as 0.

    Args:
        values: as from `read_indices`.

    Returns:
        Entity of each pixel, and the number of entities, background included.
    """
    background = _background_of(values)
    others = np.setdiff1d(values, [background])
    return np.where(values == background, 0, 1 + np.searchsorted(others, values)), 1 + len(others)


def _background_of(values: Int64[np.ndarray, "H W"]) -> int:
    """Returns the background's value: 0 for indices and where there is black.

    Where a mask has colours and no black, as of a renderer with a grey world, it is the commonest
    of the picture's edge.
    """
    if values.max(initial=0) < FIRST_COLOR or (values == 0).any():
        return 0
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    colors, counts = np.unique(edge, return_counts=True)
    return int(colors[counts.argmax()])


def _sixteen_bits(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.uint16, casting="same_kind")
