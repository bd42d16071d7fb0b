"""Draws what a CLEVR-like scene is made of, by the rules of clevr-dataset-gen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scenes.clevr.properties import (
    CODES,
    COLORS_RGB,
    MATERIALS,
    SHAPES,
    SIZES_M,
    Objects,
    code_of,
)
from scenes.clevr.stage import CAMERA_M, LAMPS

CAMERA_JITTER_M = 0.5
LAMP_JITTER_M = 1.0
REACH_M = 3.0
MIN_GAP_M = 0.25
MIN_MARGIN_M = 0.4
"""Least distance of two centres along the ground, both across and along the view."""
PLACEMENT_ATTEMPTS = 50


@dataclass(frozen=True)
class Setting:
    """Positions of the camera, which faces the stage's middle, and of the lamps."""

    camera_m: Float[np.ndarray, "3"]
    lamps_m: Float[np.ndarray, "3 3"]
    """Positions of key, fill and back lamp."""


def sample_setting(rng: np.random.Generator) -> Setting:
    """Draws the positions of camera and lamps, uniformly in boxes about their usual positions."""
    camera = np.array(CAMERA_M) + rng.uniform(-CAMERA_JITTER_M, CAMERA_JITTER_M, size=3)
    lamps = np.array([lamp.position_m for lamp in LAMPS.values()])
    return Setting(camera, lamps + rng.uniform(-LAMP_JITTER_M, LAMP_JITTER_M, size=(3, 3)))


def sample_objects(rng: np.random.Generator, count: int, setting: Setting) -> Objects | None:
    """Draws objects that stand clear of each other.

    Returns:
        The objects, or `None` where one of them found no place in `PLACEMENT_ATTEMPTS`; then the
        scene must be drawn again, as in the generator.
    """
    sizes, colors = list(SIZES_M), list(COLORS_RGB)
    forward = -setting.camera_m[:2] / np.linalg.norm(setting.camera_m[:2])
    ahead_x, ahead_y = forward.tolist()
    placed: list[tuple[float, float, float]] = []  # x, y, radius
    codes, heights = [], []
    for _ in range(count):
        size = sizes[int(rng.integers(len(sizes)))]
        radius = SIZES_M[size]
        for x, y in rng.uniform(-REACH_M, REACH_M, size=(PLACEMENT_ATTEMPTS, 2)).tolist():
            if all(
                math.hypot(x - a, y - b) >= radius + r + MIN_GAP_M
                and abs((x - a) * ahead_x + (y - b) * ahead_y) >= MIN_MARGIN_M
                and abs((x - a) * ahead_y - (y - b) * ahead_x) >= MIN_MARGIN_M
                for a, b, r in placed
            ):
                break
        else:
            return None
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        if shape == "cube":
            radius /= math.sqrt(2)
        placed.append((x, y, radius))
        heights.append(radius)
        material = MATERIALS[int(rng.integers(len(MATERIALS)))]
        color = colors[int(rng.integers(len(colors)))]
        names = {"shape": shape, "size": size, "material": material, "color": color}
        codes.append([code_of(factor, names[factor]) for factor in CODES])
    rotation = rng.uniform(0, 2 * math.pi, size=count)
    return Objects(
        codes=np.array(codes, dtype=np.uint8).reshape(-1, len(CODES)),
        position=np.array([(x, y, z) for (x, y, _), z in zip(placed, heights, strict=True)]),
        rotation_rad=rotation,
    )
