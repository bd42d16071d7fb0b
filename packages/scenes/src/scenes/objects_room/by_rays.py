"""Finds the entities in rooms by rays, for drivers whose pictures are right and codes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from scenes.objects_room.camera import Camera
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.fields import FIRST_OBJECT
from scenes.objects_room.kinds import SHAPES
from scenes.objects_room.sampling import Place, Thing
from scenes.render.rays import truth


def seen_by_rays(
    config: ObjectsRoomConfig, things: Sequence[Thing], places: Sequence[Place], camera: Camera
) -> tuple[UInt8[np.ndarray, "H W"], Int[np.ndarray, " O"]]:
    """Returns the entity at each pixel, and the pixels of each of `config.max_objects` objects.

    Args:
        config: of the room.
        things: shapes, sizes and colours of the objects.
        places: positions and rotations of the objects.
        camera: the camera.
    """
    values = {
        "factors/present": np.arange(config.max_objects) < len(things),
        "factors/shape": np.array([SHAPES.index(thing.shape) for thing in things], dtype=np.uint8),
        # Rounded as in a file, so that rays at a scene read from the file see the same.
        "factors/size": _stored([thing.size_m for thing in things]),
        "factors/position": _stored([place.position_m for place in places]),
        "factors/rotation": _stored([place.rotation_rad for place in places]),
        "camera/position": _stored(camera.position_m),
        "camera/yaw": _stored(camera.yaw_rad),
        "camera/pitch": _stored(np.deg2rad(camera.pitch_deg)),
    }
    segmentation = truth(config, values).segmentation
    counts = np.bincount(segmentation.ravel(), minlength=FIRST_OBJECT + config.max_objects)
    return segmentation, counts[FIRST_OBJECT:]


def _stored(values: object) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)
