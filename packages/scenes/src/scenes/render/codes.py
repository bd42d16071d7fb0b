"""Codes: colours by which geoms are told apart, and which show whether a driver blended them.

Number n, 0 where there is no geom and 1 + g at geom g, is drawn as the bytes

    red = 15 n,  green = 110 n^2,  blue = 110 n^3    (modulo 256)

Red gives the number, and green and blue confirm it. A search found the factors: any average of two
to eight samples of up to four different numbers is, in at least one byte, 2.25 or more away from
every number's colour. So a pixel that a driver has blended is never taken for another geom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Bool, UInt8

from scenes.command_line import CommandError

MOST_GEOMS = 16
"""Most geoms, for which the distance above holds."""
RED, GREEN_AND_BLUE = np.uint8(15), np.uint8(110)
RED_INVERSE = np.uint8(pow(15, -1, 256))


class NoCodeError(Exception):
    """A pixel has a colour that no geom was drawn in.

    Attributes:
        picture: place of its picture among those that were drawn together.
    """

    def __init__(self, picture: int, message: str) -> None:
        super().__init__(message)
        self.picture = picture


class MixedCodesError(CommandError):
    """A driver gave a pixel a colour that no geom was drawn in; the message names the scene."""


@contextmanager
def scenes_named(numbers: Sequence[int]) -> Iterator[None]:
    """Adds to the error of a pixel that is no code its scene, and what to do.

    Args:
        numbers: of the scenes that the block draws together.

    Raises:
        MixedCodesError: a pixel is no code.
    """
    try:
        yield
    except NoCodeError as error:
        raise MixedCodesError(
            f"scene {numbers[error.picture]}: {error}; MUJOCO_GL=osmesa renders without that driver"
        ) from None


def colors(numbers: UInt8[np.ndarray, "*P"]) -> UInt8[np.ndarray, "*P 3"]:
    """Returns the colours, red, green and blue, in which numbers are drawn."""
    green = GREEN_AND_BLUE * numbers * numbers
    return np.stack([RED * numbers, green, green * numbers], axis=-1)


def segids(num_geoms: int) -> list[int]:
    """Returns the `segid` of each geom by which MuJoCo draws it in the colour of 1 + the geom.

    MuJoCo draws `segid + 1`, red its lowest byte.

    Raises:
        ValueError: there are more than `MOST_GEOMS` geoms.
    """
    if num_geoms > MOST_GEOMS:
        raise ValueError(f"there are codes for {MOST_GEOMS} geoms, got {num_geoms}")
    pixels = colors(np.arange(1, num_geoms + 1, dtype=np.uint8)).astype(int)
    return (pixels @ (1, 1 << 8, 1 << 16) - 1).tolist()


def read(
    pixels: UInt8[np.ndarray, "N H W 3"], num_geoms: int
) -> tuple[UInt8[np.ndarray, "N H W"], Bool[np.ndarray, "N H W"]]:
    """Returns the number at each pixel, and whether the pixel is a code of such a number."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    numbers = red * RED_INVERSE
    expected = GREEN_AND_BLUE * numbers
    expected *= numbers
    right = green == expected
    expected *= numbers
    right &= blue == expected
    right &= numbers <= num_geoms
    return numbers, right
