"""CLEVR's stage: ground, three lamps, camera, and one MuJoCo model that serves every scene.

All of it but the objects is stage.xml, which `tools/author` writes from the constants here.

Lamps and camera stand where clevr-dataset-gen's base scene has them. Light is added up in display
values, not in linear ones: the lamps' strengths and their attenuation were fitted to the ground
of its images, which they meet within 3 of 255 on average.
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
    """Strength on a surface that faces it, at no distance."""
    bulbs: int
    """Points that stand for its area, whose shadows blend into a soft one. MuJoCo draws eight
    lights, of which the headlight is one."""


LAMPS = {
    "key": Lamp((6.45, -2.91, 4.26), (0.8, 0.775, 0.74), 3),
    "fill": Lamp((-4.67, -4.01, 3.01), (0.195, 0.197, 0.2), 2),
    "back": Lamp((-1.17, 2.65, 5.82), (0.413, 0.413, 0.413), 2),
}
QUADRATIC = 0.1
"""A lamp's light at distance r is divided by 1 + QUADRATIC r^2."""
AMBIENT = 0.372

LAMP_RADIUS_M = 0.6
SHADOW_MAP = 512
SAMPLES = 4
MIRROR_SIZE = 96
"""Side of the picture of its surroundings that a metal object mirrors (mirror.py). With 128 a scene
takes 19% longer than without pictures of their own; with 96, 9%."""


def build_model(
    max_objects: int, *, shadow_map: int = SHADOW_MAP, samples: int = SAMPLES
) -> mujoco.MjModel:
    """Compiles the stage with `max_objects` movable objects.

    Every object has its own copy of each shape's mesh, and a picture of what it mirrors: size,
    coordinates and picture are written into the model and uploaded for each scene (renderer.py).
    """
    spec = mujoco.MjSpec.from_file(str(STAGE))
    spec.visual.quality.shadowsize = shadow_map
    spec.visual.quality.offsamples = samples
    # A flat ground throws no shadow, and speckles if it is drawn into the shadow maps. This is not
    # in stage.xml, since dm_control does not know the attribute.
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
        # With the headlight's, its light is 1 everywhere: the texture is what is seen.
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
