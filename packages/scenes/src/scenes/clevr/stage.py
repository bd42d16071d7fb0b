"""CLEVR's stage: ground, three lamps, camera, and one MuJoCo model that serves every scene.

Everything but the objects is in stage.xml, which `tools/author` writes from the constants here.

Lamps and camera stand as in clevr-dataset-gen's base scene. MuJoCo adds light up in display values,
not in linear ones, so the lamps' strengths and attenuation were fitted to the ground in the
generator's images, from which it now differs by 3 of 255 on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from jaxtyping import Float

from scenes.clevr.meshes import build_mesh
from scenes.clevr.properties import MATERIALS, SHAPES
from scenes.clevr.view import facing

STAGE = Path(__file__).with_name("stage.xml")
CAMERA_M = (7.48, -6.51, 5.34)


@dataclass(frozen=True)
class Lamp:
    """An area lamp that faces the stage's middle."""

    position_m: tuple[float, float, float]
    rgb: tuple[float, float, float]
    """Strength of its light on a surface that faces it, at distance 0."""
    bulbs: int
    """Number of point lights that replace its area, so that their shadows blend into a soft one.
    MuJoCo draws at most eight lights, the headlight included."""


LAMPS = {
    "key": Lamp((6.45, -2.91, 4.26), (0.8, 0.775, 0.74), 3),
    "fill": Lamp((-4.67, -4.01, 3.01), (0.195, 0.197, 0.2), 2),
    "back": Lamp((-1.17, 2.65, 5.82), (0.413, 0.413, 0.413), 2),
}
QUADRATIC = 0.1
"""Attenuation: a lamp's light at distance r is divided by 1 + QUADRATIC r^2."""
AMBIENT = 0.372

LAMP_RADIUS_M = 0.6
SHADOW_MAP = 512
SAMPLES = 4
MIRROR_SIZE = 96
"""Side of the picture of surroundings that a metal object mirrors (mirror.py). Such pictures make a
scene take 9% longer, and with a side of 128 19%."""


def build_model(
    max_objects: int, *, shadow_map: int = SHADOW_MAP, samples: int = SAMPLES
) -> mujoco.MjModel:
    """Compiles the stage with `max_objects` movable objects.

    Every object has its own copy of each shape's mesh, and its own picture of what it mirrors.
    renderer.py writes sizes, coordinates and pictures into the model for each scene.
    """
    spec = mujoco.MjSpec.from_file(str(STAGE))
    spec.visual.quality.shadowsize = shadow_map
    spec.visual.quality.offsamples = samples
    # A flat ground casts no shadow, and gets speckles if it is drawn into the shadow maps. This is
    # not in stage.xml, because dm_control does not know the attribute.
    spec.geom("ground").castshadow = False
    meshes = {shape: build_mesh(shape) for shape in SHAPES}
    for index in range(max_objects):
        texture, metal = f"mirror_{index}", f"metal_{index}"
        spec.add_texture(
            name=texture,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
            width=MIRROR_SIZE,
            height=MIRROR_SIZE,
        )
        # With the headlight, its light is 1 everywhere, so that the texture is shown as it is.
        material = spec.add_material(name=metal, emission=1 - AMBIENT, specular=0, shininess=0)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture
        for shape, mesh in meshes.items():
            spec.add_mesh(
                name=f"{shape}_{index}",
                uservert=mesh.vertices.ravel(),
                usernormal=mesh.normals.ravel(),
                usertexcoord=np.zeros(2 * len(mesh.vertices)),
                userface=mesh.faces.ravel(),
                inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_LEGACY,
            )
        body = spec.worldbody.add_body(name=f"object_{index}", mocap=True)
        body.add_geom(
            name=f"object_{index}",
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=f"{SHAPES[0]}_{index}",
            material=MATERIALS[0],
            contype=0,
            conaffinity=0,
        )
    return spec.compile()


def bulb_positions(lamp_m: Float[np.ndarray, "3"], bulbs: int) -> Float[np.ndarray, "B 3"]:
    """Returns where the bulbs of a lamp are: on a circle around its middle."""
    right, up, _ = facing(-lamp_m).T
    angles = 2 * np.pi * (np.arange(bulbs)[:, None] + 0.35) / bulbs
    return lamp_m + LAMP_RADIUS_M * (np.cos(angles) * right + np.sin(angles) * up)
