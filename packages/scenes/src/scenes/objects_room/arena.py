"""The room: one MuJoCo model that serves every scene.

Everything but the objects is in room.xml, which `tools/author` writes from the constants here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

ROOM = Path(__file__).with_name("room.xml")
ROOM_HALF_M = 3.5
WALL_HEIGHT_M = 2.4
SKY_RGB = (0.61, 0.89, 0.98)
WALLS = {
    "wall_east": 0.0,
    "wall_north": np.pi / 2,
    "wall_west": np.pi,
    "wall_south": 3 * np.pi / 2,
}
"""Direction of each wall from the centre, about the vertical from the x axis."""


@dataclass(frozen=True)
class Quality:
    """Settings that make MuJoCo's pictures finer and slower."""

    shadow_map: int = 384
    slices: int = 16
    stacks: int = 8
    quads: int = 1


FAST = Quality()
"""Chosen by looking at pictures of 64 x 64 beside those of `FULL`, which take ten times as long."""
FULL = Quality(shadow_map=4096, slices=28, stacks=16, quads=4)
"""MuJoCo's defaults."""


def build_model(max_objects: int, size: int, quality: Quality) -> mujoco.MjModel:
    """Compiles the room with `max_objects` movable objects for images of `size` pixels.

    Geom types, sizes, colours and poses are written into the model for each scene. The sizes of
    meshes, which the compiler fixes, are written into the rotations that are drawn (renderer.py).
    """
    spec = mujoco.MjSpec.from_file(str(ROOM))
    spec.visual.quality.shadowsize = quality.shadow_map
    spec.visual.quality.numslices = quality.slices
    spec.visual.quality.numstacks = quality.stacks
    spec.visual.quality.numquads = quality.quads
    spec.visual.global_.offwidth = size
    spec.visual.global_.offheight = size
    for index in range(max_objects):
        body = spec.worldbody.add_body(name=f"object_{index}", mocap=True)
        body.add_geom(
            name=f"object_{index}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(0.1, 0.1, 0.1)
        )
    return spec.compile()
