"""The entities and the fields of an Objects Room file."""

from __future__ import annotations

from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import SHAPES
from scenes.scene import Field

BACKGROUND = ("sky", "floor", "wall_left", "wall_right")
"""Entities before the first object, in index order."""
SKY, FLOOR, WALL_LEFT, WALL_RIGHT = range(len(BACKGROUND))
FIRST_OBJECT = len(BACKGROUND)


def fields(config: ObjectsRoomConfig) -> dict[str, Field]:
    """Returns the fields of every row, by HDF5 key."""
    size, objects = config.size, config.max_objects
    by_key = {
        "image": Field((size, size, 3), "uint8", "RGB"),
        "segmentation": Field((size, size), "uint8", "entity index of each pixel"),
        "num_objects": Field((), "uint8", "objects placed in the room"),
        "num_visible": Field((), "uint8", "objects with at least one pixel"),
        "factors/present": Field((objects,), "bool", "which rows of the factors count"),
        "factors/shape": Field((objects,), "uint8", "shape", categories=SHAPES),
        "factors/size": Field((objects,), "float32", "twice the half-size; a sphere's width", "m"),
        "factors/position": Field((objects, 3), "float32", "the object's origin", "m"),
        "factors/rotation": Field((objects,), "float32", "about the vertical", "rad"),
        "factors/color_hsv": Field((objects, 3), "float32", "hue, saturation, value in [0, 1]"),
        "factors/color_rgb": Field((objects, 3), "float32", "the same colour as RGB in [0, 1]"),
        "factors/visible_pixels": Field((objects,), "int32", "pixels of the object in view"),
        "background/wall_rgb": Field((3,), "float32", "colour of the walls in [0, 1]"),
        "background/floor_rgb": Field((3,), "float32", "colour of the floor in [0, 1]"),
        "camera/position": Field((3,), "float32", "position in the room, z up", "m"),
        "camera/yaw": Field((), "float32", "direction of view from the x axis", "rad"),
        "camera/pitch": Field((), "float32", "direction of view above the horizontal", "rad"),
    }
    if config.views > 1:
        by_key["scene"] = Field((), "uint32", "number of the scene, which its views share")
        by_key["view"] = Field((), "uint8", "number of the view of that scene")
    if config.with_amodal:
        by_key["amodal"] = Field(
            (objects, size, size), "bool", "the object's full extent, as if nothing hid it"
        )
    if config.depth:
        by_key["depth"] = Field(
            (size, size), "float16", "distance along the camera's axis; the sky is inf", "m"
        )
    return by_key
