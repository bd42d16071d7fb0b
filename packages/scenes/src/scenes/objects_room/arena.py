"""The room as MJCF, authored with dm_control: one model that serves every scene."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from dm_control import mjcf

from scenes.objects_room.camera import FOV_DEG
from scenes.objects_room.shapes import MESHES, mesh

ROOM_HALF_M = 3.5
WALL_HEIGHT_M = 2.4
SKY_RGB = (0.61, 0.89, 0.98)
WALLS = {
    "wall_east": 0.0, "wall_north": np.pi / 2, "wall_west": np.pi, "wall_south": 3 * np.pi / 2,
}  # fmt: skip
"""Direction of each wall from the centre, about the vertical from the x axis."""

SUNS = {"sun_left": (-0.35, -0.29, -1.0), "sun_right": (-0.49, -0.21, -1.0)}
"""Directions of the light. Two suns eight degrees apart make a shadow soft, which one cannot at
this size: its edge is a pixel wide. Each costs a shadow map."""
SAMPLES = 4


@dataclass(frozen=True)
class Quality:
    """What makes MuJoCo's pictures finer and slower."""

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

    Geom types, sizes, colours and poses are written into the model for each scene, and the sizes
    of meshes, which the compiler bakes in, into what is rendered of it (renderer.py).
    """
    root = author(max_objects, size, quality)
    return mujoco.MjModel.from_xml_string(root.to_xml_string(), root.get_assets())


def author(max_objects: int, size: int, quality: Quality) -> mjcf.RootElement:
    """Returns the room as MJCF, with the same arguments."""
    root = mjcf.RootElement(model="objects_room")
    root.visual.map.znear = 0.02
    root.visual.map.zfar = 4
    root.statistic.extent = 5.0
    root.statistic.center = (0, 0, 0.5)
    root.visual.quality.shadowsize = quality.shadow_map
    root.visual.quality.offsamples = SAMPLES
    root.visual.quality.numslices = quality.slices
    root.visual.quality.numstacks = quality.stacks
    root.visual.quality.numquads = quality.quads
    getattr(root.visual, "global").offwidth = size
    getattr(root.visual, "global").offheight = size
    root.visual.headlight.ambient = (0.5, 0.5, 0.5)
    root.visual.headlight.diffuse = (0.12, 0.12, 0.12)
    root.visual.headlight.specular = (0.0, 0.0, 0.0)
    root.asset.add(
        "texture", name="sky", type="skybox", builtin="flat", rgb1=SKY_RGB, rgb2=SKY_RGB,
        width=8, height=48,
    )  # fmt: skip
    for name, direction in SUNS.items():
        root.worldbody.add(
            "light", name=name, directional=True, castshadow=True, pos=(1.7, 1.0, 4),
            dir=direction, ambient=(0, 0, 0), diffuse=(0.21, 0.21, 0.21),
            specular=(0.1, 0.1, 0.1),
        )  # fmt: skip
    root.worldbody.add("camera", name="ring", pos=(3.0, 0, 0.6), fovy=FOV_DEG)
    _add_room(root)
    for shape in MESHES:
        vertices, faces = mesh(shape)
        root.asset.add("mesh", name=shape, vertex=vertices.ravel(), face=faces.ravel())
    for index in range(max_objects):
        body = root.worldbody.add("body", name=f"object_{index}", mocap=True)
        body.add("geom", name=f"object_{index}", type="sphere", size=(0.1, 0.1, 0.1))
    return root


def _add_room(root: mjcf.RootElement) -> None:
    thick = 0.05
    outer = ROOM_HALF_M + thick
    root.worldbody.add(
        "geom", name="floor", type="box", size=(outer, outer, thick), pos=(0, 0, -thick)
    )
    for name, angle in WALLS.items():
        root.worldbody.add(
            "geom", name=name, type="box",
            pos=(outer * np.cos(angle), outer * np.sin(angle), WALL_HEIGHT_M / 2),
            size=(thick, outer, WALL_HEIGHT_M / 2),
            quat=(np.cos(angle / 2), 0, 0, np.sin(angle / 2)),
        )  # fmt: skip
