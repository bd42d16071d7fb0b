"""The camera on its ring, and its field of view."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

RING_RADIUS_M = 3.0
CAMERA_HEIGHT_M = 0.6
FOV_DEG = 45.0


@dataclass(frozen=True)
class Camera:
    """A camera on the ring, facing the room's centre."""

    ring_angle_rad: float
    pitch_deg: float
    """Positive upwards."""

    @property
    def position_m(self) -> tuple[float, float, float]:
        """Position in the room."""
        angle = self.ring_angle_rad
        return RING_RADIUS_M * math.cos(angle), RING_RADIUS_M * math.sin(angle), CAMERA_HEIGHT_M

    @property
    def yaw_rad(self) -> float:
        """Direction of view about the vertical, from the x axis, in [-pi, pi)."""
        return self.ring_angle_rad % (2 * math.pi) - math.pi

    @property
    def axes(self) -> tuple[tuple[float, float, float], ...]:
        """Directions right, up and backward in the room."""
        yaw, pitch = self.yaw_rad, math.radians(self.pitch_deg)
        ahead, aside = math.cos(yaw), math.sin(yaw)
        level, rise = math.cos(pitch), math.sin(pitch)
        return (
            (aside, -ahead, 0.0),
            (-ahead * rise, -aside * rise, level),
            (-ahead * level, -aside * level, -rise),
        )

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """Columns: right, up and backward, in the room's axes."""
        return np.array(self.axes).T


class View:
    """The camera's field of view, in plain floats, since calls of NumPy would take longer."""

    def __init__(self, camera: Camera) -> None:
        self._origin = camera.position_m
        self._right, self._up, self._backward = camera.axes
        self._sin = math.sin(math.radians(FOV_DEG / 2))
        self._cos = math.cos(math.radians(FOV_DEG / 2))

    def reaches(self, x: float, y: float, z: float, radius_m: float) -> bool:
        """Whether a sphere may reach into the view; `True` also for some that just do not.

        Args:
            x: position in the room, in metres.
            y: position in the room, in metres.
            z: height, in metres.
            radius_m: radius of the sphere.
        """
        a, b, c = x - self._origin[0], y - self._origin[1], z - self._origin[2]
        right, up, backward = self._right, self._up, self._backward
        ahead = -(a * backward[0] + b * backward[1] + c * backward[2])
        across = abs(a * right[0] + b * right[1])  # the right axis is level
        along = abs(a * up[0] + b * up[1] + c * up[2])
        # The distance from the nearest side of the view, negative outside.
        return ahead * self._sin - max(across, along) * self._cos >= -radius_m
