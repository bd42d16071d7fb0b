"""Draws at random what a scene is made of (MONet paper, appendix C).

All numbers are plain floats, since calls of NumPy would take longer than the sums.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np

from scenes.objects_room.camera import Camera, View
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import Shape
from scenes.objects_room.shapes import bounding_radius, centre_height, footprint_radius

PITCH_DEG = (-25.0, 22.0)
SIZE_M = (0.5, 1.0)
SATURATION = (0.75, 1.0)
SPAWN_RADIUS_M = 1.9
"""Objects stand uniformly within this radius of the room's centre, as in the released samples. It
keeps them off the walls, and half a metre from the camera."""
GAP_M = 0.05
SIMILAR_HUE = 0.03
PLACEMENT_ATTEMPTS = 64
MAX_KIND_ATTEMPTS = 100_000

Color = tuple[float, float, float]


class Draws:
    """Uniform random numbers, fetched in blocks, since a call of NumPy for each takes longer."""

    BLOCK = 32

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draws a number of [low, high)."""
        if not self._left:
            self._left = self._rng.random(self.BLOCK).tolist()
        return low + (high - low) * self._left.pop()

    def below(self, count: int) -> int:
        """Draws a whole number of 0 to `count` - 1."""
        return int(self.uniform() * count)


@dataclass(frozen=True)
class Thing:
    """An object's shape, size and colour."""

    shape: Shape
    size_m: float
    color_hsv: Color


@dataclass(frozen=True)
class Place:
    """An object's position and rotation."""

    position_m: tuple[float, float, float]
    rotation_rad: float
    """About the vertical."""


def sample_pitch(draws: Draws) -> float:
    """Draws the cameras' pitch in degrees."""
    return draws.uniform(*PITCH_DEG)


def sample_cameras(draws: Draws, pitch_deg: float, views: int) -> tuple[Camera, ...]:
    """Draws places on the ring."""
    return tuple(Camera(draws.uniform(0.0, 2 * math.pi), pitch_deg) for _ in range(views))


def sample_things(draws: Draws, config: ObjectsRoomConfig) -> tuple[Thing, ...]:
    """Draws the number of objects, and their shapes, sizes and colours."""
    counts = config.object_counts
    count = counts[draws.below(len(counts))]
    kinds = _sample_kinds(draws, config, count)
    colors = [(hue, draws.uniform(*SATURATION), 1.0) for _, hue in kinds]
    if config.one_color:
        colors = colors[:1] * count
    return tuple(
        Thing(shape, draws.uniform(*SIZE_M), color)
        for (shape, _), color in zip(kinds, colors, strict=True)
    )


def sample_places(
    draws: Draws, config: ObjectsRoomConfig, things: tuple[Thing, ...], views: tuple[View, ...]
) -> tuple[Place, ...] | None:
    """Draws places for objects, which overlap neither each other, nor the walls, nor the camera.

    Returns:
        The places, or `None` where the objects do not fit, or cannot be seen as the split demands.
        Whether an object may be seen is tested by a sphere against the fields of view, which is
        cheap; whether it is really seen is left to the renderer.
    """
    places = []
    footprints: list[tuple[float, float, float]] = []  # x, y, footprint radius
    all_in_view = config.all_in_view
    unseen = set(() if all_in_view else views)
    for thing in things:
        half_size = thing.size_m / 2
        z = centre_height(thing.shape, half_size)
        footprint = footprint_radius(thing.shape, half_size)
        bound = bounding_radius(thing.shape, half_size)
        for _ in range(PLACEMENT_ATTEMPTS):
            distance = SPAWN_RADIUS_M * math.sqrt(draws.uniform())
            angle = draws.uniform(0.0, 2 * math.pi)
            x, y = distance * math.cos(angle), distance * math.sin(angle)
            if any(math.hypot(x - a, y - b) < footprint + r + GAP_M for a, b, r in footprints):
                continue
            if all_in_view and not all(view.reaches(x, y, z, bound) for view in views):
                continue
            break
        else:
            return None
        footprints.append((x, y, footprint))
        places.append(Place((x, y, z), draws.uniform(0.0, 2 * math.pi)))
        unseen = {view for view in unseen if not view.reaches(x, y, z, bound)}
    return None if unseen else tuple(places)


def sample_background(
    draws: Draws, config: ObjectsRoomConfig, things: tuple[Thing, ...]
) -> tuple[Color, Color]:
    """Draws the colours of walls and floor."""
    wall, floor = ((draws.uniform(), draws.uniform(*SATURATION), 1.0) for _ in range(2))
    if config.split == "four_identical":
        hue, saturation, value = things[0].color_hsv
        floor = ((hue + draws.uniform(-SIMILAR_HUE, SIMILAR_HUE)) % 1.0, saturation, value)
    return wall, floor


def _sample_kinds(draws: Draws, config: ObjectsRoomConfig, count: int) -> list[tuple[Shape, float]]:
    """Draws shapes and hues uniformly among those that the config's kinds allow."""
    # Objects of one colour are redrawn together, others one by one, so that all shapes and hues
    # that the file may have are equally likely.
    special = draws.below(count) if config.only_held_out else None
    if not config.one_color:
        return [_sample_kind(draws, config, held_out=i == special) for i in range(count)]
    for _ in range(MAX_KIND_ATTEMPTS):
        hue = draws.uniform()
        shapes = [config.shapes[draws.below(len(config.shapes))] for _ in range(count)]
        candidates = shapes if special is None else [shapes[special]]
        if all(config.is_held_out(shape, hue) == config.only_held_out for shape in candidates):
            return [(shape, hue) for shape in shapes]
    raise ValueError("--hold-out leaves hardly any objects of one colour")


def _sample_kind(draws: Draws, config: ObjectsRoomConfig, *, held_out: bool) -> tuple[Shape, float]:
    free = config.only_held_out and not held_out
    for _ in range(MAX_KIND_ATTEMPTS):
        shape, hue = config.shapes[draws.below(len(config.shapes))], draws.uniform()
        if free or config.is_held_out(shape, hue) == held_out:
            return shape, hue
    raise ValueError("--hold-out leaves or names hardly any objects")


def hsv_to_rgb(hsv: Color) -> Color:
    """Converts a colour; all values are in [0, 1]."""
    return colorsys.hsv_to_rgb(*hsv)
