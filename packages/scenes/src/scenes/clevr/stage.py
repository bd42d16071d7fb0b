"""CLEVR's stage as MJCF: ground, three lamps, camera, and one model that serves every scene.

Lamps and camera stand where clevr-dataset-gen's base scene has them. Light is added up in display
values, not in linear ones: the lamps' strengths and their attenuation were fitted to the ground
of its images, which they meet within 3 of 255 on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from dm_control import mjcf
from jaxtyping import Float

from scenes.clevr.meshes import Mesh, build_mesh, ground_mesh
from scenes.clevr.properties import MATERIALS, SHAPES

WIDTH, HEIGHT = 320, 240
HALF_HEIGHT = 0.375 * 32 / 35
"""Half the height of the view at distance 1: a lens of 35 mm, a sensor 32 mm wide, 4 to 3."""
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
BOUNCED = 0.06
"""What the ground throws back onto an object."""
GROUND_RADIUS_M = 60.0

LAMP_RADIUS_M = 0.6
SHADOW_MAP = 512
SAMPLES = 4
MIRROR_SIZE = 128
"""Side of the picture of the surroundings that metal mirrors (mirror.py)."""


def build_model(
    max_objects: int, *, shadow_map: int = SHADOW_MAP, samples: int = SAMPLES
) -> mujoco.MjModel:
    """Compiles the stage with `max_objects` movable objects.

    Every object has its own copy of each shape's mesh: its size, and what its vertices mirror, are
    written into the model and uploaded for each scene (renderer.py).
    """
    root = mjcf.RootElement(model="clevr_like")
    root.visual.map.znear = 0.1
    root.visual.map.zfar = 10
    root.visual.map.shadowscale = 0.6
    root.statistic.extent = 10.0
    root.statistic.center = (0, 0, 0)
    root.visual.quality.shadowsize = shadow_map
    root.visual.quality.offsamples = samples
    getattr(root.visual, "global").offwidth = WIDTH
    getattr(root.visual, "global").offheight = HEIGHT
    root.visual.headlight.ambient = (AMBIENT, AMBIENT, AMBIENT)
    root.visual.headlight.diffuse = (0, 0, 0)
    root.visual.headlight.specular = (0, 0, 0)
    for name, lamp in LAMPS.items():
        for bulb in range(lamp.bulbs):
            root.worldbody.add(
                "light", name=f"{name}_{bulb}", cutoff=80, exponent=0, castshadow=True,
                attenuation=(1, 0, QUADRATIC), diffuse=np.array(lamp.rgb) / lamp.bulbs,
                specular=np.full(3, 1.5 / lamp.bulbs), ambient=(0, 0, 0),
            )  # fmt: skip
    fov_deg = float(np.rad2deg(2 * np.arctan(HALF_HEIGHT)))
    root.worldbody.add("camera", name="camera", pos=CAMERA_M, fovy=fov_deg)
    root.asset.add(
        "texture", name="mirror", type="2d", builtin="flat", width=MIRROR_SIZE, height=MIRROR_SIZE
    )
    root.asset.add("material", name="ground", specular=0.0, shininess=0.0)
    root.asset.add("material", name="rubber", emission=BOUNCED, specular=0.08, shininess=0.1)
    root.asset.add(
        "material", name="metal", texture="mirror", emission=0.6, specular=0.7, shininess=0.8
    )
    _add_mesh(root, "ground", ground_mesh(GROUND_RADIUS_M), inertia="shell")
    root.worldbody.add(
        "geom", name="ground", type="mesh", mesh="ground", material="ground", rgba=(1, 1, 1, 1),
        contype=0, conaffinity=0,
    )  # fmt: skip
    for index in range(max_objects):
        for shape in SHAPES:
            _add_mesh(root, f"{shape}_{index}", build_mesh(shape), inertia="legacy")
        body = root.worldbody.add("body", name=f"object_{index}", mocap=True)
        body.add(
            "geom", name=f"object_{index}", type="mesh", mesh=f"{SHAPES[0]}_{index}",
            material=MATERIALS[0], contype=0, conaffinity=0,
        )  # fmt: skip
    model = mujoco.MjModel.from_xml_string(root.to_xml_string(), root.get_assets())
    # A flat ground throws no shadow; drawn into the shadow maps it speckles itself.
    model.geom_castshadow[model.geom("ground").id] = 0
    return model


def _add_mesh(root: mjcf.RootElement, name: str, mesh: Mesh, *, inertia: str) -> None:
    root.asset.add(
        "mesh", name=name, vertex=mesh.vertices.ravel(), normal=mesh.normals.ravel(),
        texcoord=np.zeros(2 * len(mesh.vertices)), face=mesh.faces.ravel(), inertia=inertia,
    )  # fmt: skip


def facing(direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Returns right, up and backward, as columns, of what looks in a direction, upright."""
    backward = -direction / np.linalg.norm(direction)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(backward, right), backward], axis=1)


def bulb_positions(lamp_m: Float[np.ndarray, "3"], bulbs: int) -> Float[np.ndarray, "B 3"]:
    """Returns where the bulbs of a lamp are: on a circle around its middle."""
    right, up, _ = facing(-lamp_m).T
    angles = 2 * np.pi * (np.arange(bulbs)[:, None] + 0.35) / bulbs
    return lamp_m + LAMP_RADIUS_M * (np.cos(angles) * right + np.sin(angles) * up)
