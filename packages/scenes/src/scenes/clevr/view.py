"""The camera of CLEVR's stage: its lens, its axes, and its projection onto the image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 320, 240
HALF_HEIGHT = 0.375 * 32 / 35
"""Half the height of the view at distance 1: a lens of 35 mm, a sensor 32 mm wide, 4 to 3."""


def facing(direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Returns the axes of an upright camera that looks in a direction: right, up, backward."""
    backward = -direction / np.linalg.norm(direction)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(backward, right), backward], axis=1)


def pixel_coords(
    camera_m: Float[np.ndarray, "3"], points_m: Float[np.ndarray, "O 3"]
) -> Float[np.ndarray, "O 3"]:
    """Returns the projection of points onto the image of a camera that faces the origin.

    Returns:
        Column and row in the image of 320 x 240, before the crop, and the distance along the
        camera's axis in metres.
    """
    across, up, backward = ((points_m - camera_m) @ facing(-camera_m)).T
    half = -backward * HALF_HEIGHT  # of the view's height, as far away as the point
    column = WIDTH / 2 + across / half * (HEIGHT / 2)
    row = HEIGHT / 2 - up / half * (HEIGHT / 2)
    return np.stack([column, row, -backward], axis=1)
