"""Colours of entities, slots and depths."""

from __future__ import annotations

import colorsys

import numpy as np
from jaxtyping import Float, Integer, UInt8


def entity_palette(entities: tuple[str, ...], num_background: int) -> UInt8[np.ndarray, "E 3"]:
    """Returns a colour for each entity: greys for the background, hues for objects."""
    greys = np.linspace(225, 70, max(1, num_background))
    colors = [[grey, grey, grey] for grey in greys[:num_background]]
    colors += [_hue(index, 0.75, 0.95) for index in range(len(entities) - num_background)]
    return np.array(colors, dtype=np.uint8)


def spare_palette(slots: int) -> UInt8[np.ndarray, "K 3"]:
    """Returns dark colours, none of them an entity's, for slots that are left over."""
    return np.array([_hue(index, 0.6, 0.45) for index in range(slots)], dtype=np.uint8)


def _hue(index: int, saturation: float, value: float) -> list[float]:
    """Returns the colour of a number; consecutive numbers have hues far apart."""
    rgb = colorsys.hsv_to_rgb((0.57 + 0.381966 * index) % 1, saturation, value)
    return [255 * channel for channel in rgb]


SLOT_COLORS = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (60, 60, 60),
    (170, 170, 170),
    (110, 60, 150),
    (130, 70, 30),
)
"""Okabe and Ito's colours, which the colour-blind can tell apart, and four more."""


def slot_palette(slots: int) -> UInt8[np.ndarray, "K 3"]:
    """Returns a colour for each slot; the first ones do not depend on how many there are."""
    return np.array([SLOT_COLORS[k % len(SLOT_COLORS)] for k in range(slots)], dtype=np.uint8)


def colorize(
    segmentation: Integer[np.ndarray, "N H W"], palette: UInt8[np.ndarray, "E 3"]
) -> UInt8[np.ndarray, "N H W 3"]:
    """Paints each entity in its colour."""
    return palette[segmentation]


NEAR_TO_FAR = np.array(
    [(253, 231, 37), (94, 201, 98), (33, 145, 140), (59, 82, 139), (68, 1, 84)], dtype=np.float64
)
"""Viridis' own colours, in order of lightness."""
SKY_COLOR = 235


def colorize_depth(depth_m: Float[np.ndarray, "N H W"]) -> UInt8[np.ndarray, "N H W 3"]:
    """Paints depths, near yellow to far purple over all images together; the sky is grey."""
    seen = np.isfinite(depth_m)
    metres = depth_m.astype(np.float64)
    near, far = (metres[seen].min(), metres[seen].max()) if seen.any() else (0.0, 1.0)
    share = np.where(seen, metres - near, 0) / max(far - near, 1e-6)
    stops = np.linspace(0, 1, len(NEAR_TO_FAR))
    painted = [np.interp(share, stops, channel) for channel in NEAR_TO_FAR.T]
    return np.where(seen[..., None], np.stack(painted, axis=-1), SKY_COLOR).astype(np.uint8)


def to_uint8(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Turns colours in [0, 1], clipped, into bytes."""
    return (255 * np.clip(values, 0, 1) + 0.5).astype(np.uint8)
