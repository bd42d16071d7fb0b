"""Scores of how close a reconstruction is to its image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, UInt8


def mse(
    images: UInt8[np.ndarray, "N H W 3"], reconstructions: Float[np.ndarray, "N H W 3"]
) -> Float64[np.ndarray, " N"]:
    """Returns the mean squared error over pixels and channels, colours in [0, 1].

    Args:
        images: RGB.
        reconstructions: RGB in [0, 1]; not clipped, as a model's means may leave that range.
    """
    error = images.astype(np.float64) / 255 - reconstructions
    return np.square(error).mean((1, 2, 3))
