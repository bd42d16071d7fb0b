"""What a scene is made of, drawn at random (MONet paper, appendix C)."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from scenes.config import SHAPES, ObjectsRoomConfig
from scenes.objects_room.arena import FOV_DEG, ROOM_HALF_M
from scenes.objects_room.shapes import centre_height, footprint_radius

RING_RADIUS_M = 2.5
CAMERA_HEIGHT_M = 0.6
PITCH_DEG = (-25.0, 22.0)
SIZE_M = (0.5, 1.0)
SATURATION = (0.75, 1.0)
GAP_M = 0.05
CAMERA_CLEARANCE_M = 0.7
SIMILAR_HUE = 0.03
PLACEMENT_ATTEMPTS = 100


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
    count = int(rng.choice(config.object_counts))
    allowed = np.array([SHAPES.index(shape) for shape in config.shapes], dtype=np.int64)
    shape = allowed[rng.integers(len(allowed), size=count)]
    size = rng.uniform(*SIZE_M, size=count)
    rotation = rng.uniform(0, 2 * np.pi, size=count)
    position = np.zeros((count, 3))
    radius = np.zeros(count)
    for i in range(count):
        name, half_size = SHAPES[shape[i]], size[i] / 2
        radius[i] = footprint_radius(name, half_size)
        reach = ROOM_HALF_M - radius[i] - GAP_M
        candidates = np.empty((PLACEMENT_ATTEMPTS, 3))
        candidates[:, :2] = rng.uniform(-reach, reach, size=(PLACEMENT_ATTEMPTS, 2))
        candidates[:, 2] = centre_height(name, half_size)
        to_camera = np.linalg.norm(candidates[:, :2] - camera.position_m[:2], axis=1)
        free = to_camera > radius[i] + CAMERA_CLEARANCE_M
        apart = np.linalg.norm(candidates[:, None, :2] - position[None, :i, :2], axis=2)
        free &= (apart > radius[i] + radius[:i] + GAP_M).all(axis=1)
        if config.all_in_view:
            free &= in_view(candidates, np.full(len(candidates), half_size), camera, margin=0.0)
        if not free.any():
            return None
        position[i] = candidates[np.argmax(free)]
    if count and not in_view(position, size / 2, camera, margin=-1.0).any():
        return None
    return Layout(shape=shape, size_m=size, position_m=position, rotation_rad=rotation)


def in_view(
    centres_m: Float[np.ndarray, "N 3"],
    radius_m: Float[np.ndarray, " N"],
    camera: Camera,
    margin: float,
) -> Bool[np.ndarray, " N"]:
    """Tells which spheres lie within the field of view.

    Args:
        centres_m: centres of the spheres.
        radius_m: their radii.
        camera: where they are seen from.
        margin: how many radii inside each plane of the view a centre must be; -1 keeps every
            sphere that reaches into the view.
    """
    right, up, backward = ((centres_m - camera.position_m) @ camera.rotation).T
    half = np.deg2rad(FOV_DEG / 2)
    inside = -backward * np.sin(half) - np.maximum(np.abs(right), np.abs(up)) * np.cos(half)
    return inside >= margin * radius_m


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
