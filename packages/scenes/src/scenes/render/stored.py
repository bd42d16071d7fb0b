"""Rooms that ship with the package, as pictures and as numbers, to draw them again anywhere.

They are the first of seed 0, drawn by OSMesa (`tools/store_rooms.py`). To draw them from their
numbers needs no test of visibility, so that a driver that draws wrongly still draws all of them.
"""

from __future__ import annotations

import colorsys
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from scenes.objects_room.camera import Camera
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import SHAPES
from scenes.objects_room.sampling import Color, Place, Thing
from scenes.render.examination import STORED

CONFIG = ObjectsRoomConfig(size=64)
PICTURES = Path(__file__).parent / "rooms"
VALUES = PICTURES / "rooms.json"
FIELDS = {
    "num_objects": "uint8",
    "factors/present": "bool",
    "factors/shape": "uint8",
    "factors/size": "float32",
    "factors/position": "float32",
    "factors/rotation": "float32",
    "factors/color_hsv": "float32",
    "background/wall_rgb": "float32",
    "background/floor_rgb": "float32",
    "camera/position": "float32",
    "camera/yaw": "float32",
    "camera/pitch": "float32",
}
"""Fields that are stored beside a room's picture, and their types in a file."""


@dataclass(frozen=True)
class StoredRoom:
    """A room, and its picture."""

    image: UInt8[np.ndarray, "64 64 3"]
    values: Mapping[str, np.ndarray]
    """Fields by HDF5 key, as in a file of `CONFIG`."""

    @property
    def things(self) -> list[Thing]:
        """Shape, size and colour of its objects."""
        shapes, sizes_m, colors = (self._objects(key) for key in ("shape", "size", "color_hsv"))
        return [
            Thing(SHAPES[shape], size_m, (hue, saturation, value))
            for shape, size_m, (hue, saturation, value) in zip(shapes, sizes_m, colors, strict=True)
        ]

    @property
    def places(self) -> list[Place]:
        """Position and rotation of its objects."""
        positions, rotations = self._objects("position"), self._objects("rotation")
        return [
            Place((x, y, z), rotation_rad)
            for (x, y, z), rotation_rad in zip(positions, rotations, strict=True)
        ]

    @property
    def camera(self) -> Camera:
        """The camera that its picture was taken by."""
        yaw_rad, pitch_rad = float(self.values["camera/yaw"]), float(self.values["camera/pitch"])
        return Camera(yaw_rad + math.pi, math.degrees(pitch_rad))

    @property
    def wall(self) -> Color:
        """Colour of the walls: hue, saturation, value."""
        return colorsys.rgb_to_hsv(*self.values["background/wall_rgb"].tolist())

    @property
    def floor(self) -> Color:
        """Colour of the floor: hue, saturation, value."""
        return colorsys.rgb_to_hsv(*self.values["background/floor_rgb"].tolist())

    def _objects(self, factor: str) -> list:
        return self.values[f"factors/{factor}"][self.values["factors/present"]].tolist()


def stored_rooms() -> list[StoredRoom]:
    """Returns the rooms that ship with the package."""
    values = json.loads(VALUES.read_text())
    rooms = {key: np.array(values[key], dtype=dtype) for key, dtype in FIELDS.items()}
    return [
        StoredRoom(
            _picture(PICTURES / f"{number}.png"),
            {key: rows[number, ...] for key, rows in rooms.items()},
        )
        for number in range(STORED)
    ]


def _picture(path: Path) -> UInt8[np.ndarray, "64 64 3"]:
    with Image.open(path) as picture:
        return np.asarray(picture)
