"""What a scene is made of, drawn at random (MONet paper, appendix C)."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scenes.config import SHAPES, ObjectsRoomConfig
from scenes.objects_room.arena import FOV_DEG
from scenes.objects_room.shapes import centre_height, footprint_radius

RING_RADIUS_M = 3.0
CAMERA_HEIGHT_M = 0.6
PITCH_DEG = (-25.0, 22.0)
SIZE_M = (0.5, 1.0)
SATURATION = (0.75, 1.0)
SPAWN_RADIUS_M = 1.9
"""Objects stand, uniformly, within this radius of the room's centre, as in the released samples:
clear of the walls, and of the camera by half a metre."""
GAP_M = 0.05
SIMILAR_HUE = 0.03
PLACEMENT_ATTEMPTS = 16


@dataclass(frozen=True)
class Camera:
    """A camera on the ring, facing the room's centre."""

    ring_angle_rad: float
    pitch_deg: float
    """Positive upwards."""

    @property
    def position_m(self) -> Float[np.ndarray, 3]:
        """Position in the room."""
        a = self.ring_angle_rad
        return np.array([RING_RADIUS_M * np.cos(a), RING_RADIUS_M * np.sin(a), CAMERA_HEIGHT_M])

    @property
    def yaw_rad(self) -> float:
        """Direction of view about the vertical, from the x axis, in [-pi, pi)."""
        return float(self.ring_angle_rad % (2 * np.pi) - np.pi)

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """Columns: right, up and backward, in the room's axes."""
        yaw, pitch = self.yaw_rad, np.deg2rad(self.pitch_deg)
        forward = np.array(
            [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)]
        )
        right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
        return np.stack([right, np.cross(right, forward), -forward], axis=1)


@dataclass(frozen=True)
class Layout:
    """What the objects are and where they stand."""

    shape: Int[np.ndarray, " O"]
    """Index into `SHAPES`."""
    size_m: Float[np.ndarray, " O"]
    position_m: Float[np.ndarray, "O 3"]
    rotation_rad: Float[np.ndarray, " O"]
    """About the vertical."""


@dataclass(frozen=True)
class Colors:
    """Hue, saturation and value, each in [0, 1]."""

    objects: Float[np.ndarray, "O 3"]
    wall: Float[np.ndarray, 3]
    floor: Float[np.ndarray, 3]


def sample_pitch(rng: np.random.Generator) -> float:
    """Draws the camera's pitch in degrees."""
    return float(rng.uniform(*PITCH_DEG))


def sample_camera(rng: np.random.Generator, pitch_deg: float) -> Camera:
    """Draws a place on the ring."""
    return Camera(ring_angle_rad=float(rng.uniform(0, 2 * np.pi)), pitch_deg=pitch_deg)


def sample_layout(
    rng: np.random.Generator, config: ObjectsRoomConfig, camera: Camera
) -> Layout | None:
    """Draws objects that overlap neither each other, nor the walls, nor the camera.

    Returns:
        The objects, or `None` where they do not fit or cannot be seen as the split asks. That is
        a cheap test of spheres against the field of view; the renderer's comes after it.
    """
    count = config.object_counts[int(rng.integers(len(config.object_counts)))]
    allowed = [SHAPES.index(shape) for shape in config.shapes]
    shapes = [allowed[i] for i in rng.integers(len(allowed), size=count)]
    sizes = rng.uniform(*SIZE_M, size=count).tolist()
    rotations = rng.uniform(0, 2 * np.pi, size=count)
    view = View(camera)
    placed: list[tuple[float, float, float, float]] = []  # x, y, z, footprint radius
    for shape, size in zip(shapes, sizes, strict=True):
        name, radius = SHAPES[shape], footprint_radius(SHAPES[shape], size / 2)
        z = centre_height(name, size / 2)
        draws = rng.uniform(size=(PLACEMENT_ATTEMPTS, 2)).tolist()
        for across, around in draws:
            distance, angle = SPAWN_RADIUS_M * math.sqrt(across), 2 * math.pi * around
            x, y = distance * math.cos(angle), distance * math.sin(angle)
            if any(math.hypot(x - a, y - b) < radius + r + GAP_M for a, b, _, r in placed):
                continue
            if config.all_in_view and not view.holds(x, y, z, 0.0):
                continue
            placed.append((x, y, z, radius))
            break
        else:
            return None
    reach = zip(placed, sizes, strict=True)
    if count and not any(view.holds(x, y, z, -size / 2) for (x, y, z, _), size in reach):
        return None
    return Layout(
        shape=np.array(shapes, dtype=np.int64),
        size_m=np.array(sizes, dtype=np.float64),
        position_m=np.array([place[:3] for place in placed], dtype=np.float64).reshape(-1, 3),
        rotation_rad=rotations,
    )


class View:
    """The camera's field of view; plain floats, as NumPy's calls would cost more than the sums."""

    def __init__(self, camera: Camera) -> None:
        self._origin = camera.position_m.tolist()
        self._right, self._up, self._backward = camera.rotation.T.tolist()
        self._sin = math.sin(math.radians(FOV_DEG / 2))
        self._cos = math.cos(math.radians(FOV_DEG / 2))

    def holds(self, x: float, y: float, z: float, margin_m: float) -> bool:
        """Tells whether a point is at least so far inside each side of the view.

        Args:
            x: position in the room, in metres.
            y: position in the room, in metres.
            z: height, in metres.
            margin_m: distance from the sides; minus a radius asks whether that sphere reaches in.
        """
        a, b, c = x - self._origin[0], y - self._origin[1], z - self._origin[2]
        right, up, backward = (
            a * axis[0] + b * axis[1] + c * axis[2]
            for axis in (self._right, self._up, self._backward)
        )
        return -backward * self._sin - max(abs(right), abs(up)) * self._cos >= margin_m


def sample_colors(rng: np.random.Generator, config: ObjectsRoomConfig, count: int) -> Colors:
    """Draws the colours of an accepted scene: H in (0, 1), S in (0.75, 1), V = 1."""
    drawn = np.ones((count + 2, 3))
    drawn[:, 0] = rng.uniform(0, 1, size=count + 2)
    drawn[:, 1] = rng.uniform(*SATURATION, size=count + 2)
    wall, floor, objects = drawn[0], drawn[1], drawn[2:]
    if config.split in ("identical_color", "four_identical"):
        objects[:] = objects[0]
    if config.split == "four_identical":
        floor[0] = (objects[0, 0] + rng.uniform(-SIMILAR_HUE, SIMILAR_HUE)) % 1.0
        floor[1] = objects[0, 1]
    return Colors(objects=objects, wall=wall, floor=floor)


def hsv_to_rgb(hsv: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Converts colours, all in [0, 1]."""
    return np.array([colorsys.hsv_to_rgb(*color) for color in hsv], dtype=np.float64).reshape(-1, 3)
