"""Image files as 8-bit RGB, each mode by its range; a mode without a known range is refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from scenes.regular_files import open_regular

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr")
"""Modes of at most 8 bits, which Pillow converts by their range."""


@contextmanager
def open_image(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Opens an image, of which nothing but its header is read yet.

    Args:
        path: the file.
        formats: Pillow's names of those allowed, such as `PNG`.

    Raises:
        ValueError: it is no such image, is broken (noticed here or while it is used), or is
            larger than Pillow's bound, which is some 90 million pixels.
        OSError: the system refuses the file.
    """
    with open_regular(path) as file, warnings.catch_warnings():
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


def read_rgb(path: Path, formats: tuple[str, ...]) -> UInt8[np.ndarray, "H W 3"]:
    """Reads an image as RGB; transparency is dropped.

    Of 16 bits the upper 8 are taken, in grey as Pillow does in colour.

    Raises:
        ValueError: its mode has no known range (32-bit integers, floats), or it is an animation;
            or as from `open_image`.
        OSError: as from `open_image`.
    """
    with open_image(path, formats) as image:
        frames = getattr(image, "n_frames", 1)
        if frames != 1:
            raise ValueError(f"{path}: {frames} images in one file; only single ones are read")
        image.load()
        if image.mode in SIXTEEN_BITS:
            grey = (np.asarray(image).astype(np.uint16, casting="same_kind") >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=-1)
        if image.mode not in EIGHT_BITS:
            raise ValueError(f"{path}: images of mode {image.mode} are not read; save it as RGB")
        # Not straight to RGB, which palettes with transparency cannot be converted to.
        return np.ascontiguousarray(np.asarray(image.convert("RGBA"))[..., :3])
