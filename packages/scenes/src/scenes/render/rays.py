"""Finds the entity and the depth at each pixel without OpenGL, by rays through pixel centres.

A scene's stored factors and camera are compiled into a new MuJoCo model with real sizes, at which
MuJoCo casts rays. The renderer's own model is of no use: scenes are written into it in place, so
that the bounds of its geoms are stale and the sizes of its meshes are hidden in their rotations.
A room's round shapes are replaced by the polyhedra that MuJoCo draws for them: a truly round ball
would differ from the drawn one by up to 8 cm of depth near its outline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from scenes.clevr.config import ClevrLikeConfig
from scenes.clevr.meshes import build_mesh
from scenes.clevr.properties import CODES, SIZES_M
from scenes.clevr.view import HALF_HEIGHT, HEIGHT, WIDTH
from scenes.dataset import DatasetConfig
from scenes.objects_room.arena import FAST, ROOM_HALF_M, WALL_HEIGHT_M, WALLS
from scenes.objects_room.camera import FOV_DEG
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.fields import FIRST_OBJECT, FLOOR, WALL_LEFT, WALL_RIGHT
from scenes.objects_room.kinds import SHAPES
from scenes.objects_room.shapes import MESHES, mesh, primitive_size

NO_GEOM = -1
WALL_THICKNESS_M = 0.1


@dataclass(frozen=True)
class Truth:
    """The entities and depths that rays find at one scene's pixels."""

    segmentation: UInt8[np.ndarray, "H W"]
    """The entity at each pixel, numbered as in the scene's file."""
    depth: Float32[np.ndarray, "H W"]
    """Metres along the camera's axis; inf where there is nothing."""


@dataclass(frozen=True)
class _Hits:
    """The first geom that the ray through each pixel's centre meets."""

    geom: Int[np.ndarray, "H W"]
    """Number of the geom in the order in which geoms were added; `NO_GEOM` where none is met."""
    depth: Float32[np.ndarray, "H W"]


def truth(config: DatasetConfig, values: Mapping[str, np.ndarray]) -> Truth:
    """Returns the entities and depths of one scene, from its stored fields.

    Args:
        config: of the file that the scene is in.
        values: the scene's fields by HDF5 key: one row, without the axis of rows. `factors/...`
            and `camera/...` are read.

    Raises:
        TypeError: the dataset's scenes are not rendered in three dimensions.
    """
    if isinstance(config, ObjectsRoomConfig):
        return _room(config.size, values)
    if isinstance(config, ClevrLikeConfig):
        return _clevr_like(values)
    raise TypeError(f"no rays for {type(config).__name__}")


def _room(size: int, values: Mapping[str, np.ndarray]) -> Truth:
    yaw, pitch = float(values["camera/yaw"]), float(values["camera/pitch"])
    ahead = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    spec = mujoco.MjSpec()
    outer = ROOM_HALF_M + WALL_THICKNESS_M
    _add_geom(spec, mujoco.mjtGeom.mjGEOM_BOX, (outer, outer, 0.1), (0.0, 0.0, -0.1))
    for direction in WALLS.values():
        _add_geom(
            spec,
            mujoco.mjtGeom.mjGEOM_BOX,
            (WALL_THICKNESS_M / 2, outer, WALL_HEIGHT_M / 2),
            (
                (ROOM_HALF_M + WALL_THICKNESS_M / 2) * np.cos(direction),
                (ROOM_HALF_M + WALL_THICKNESS_M / 2) * np.sin(direction),
                WALL_HEIGHT_M / 2,
            ),
            rotation_rad=direction,
        )
    for i in np.flatnonzero(values["factors/present"]):
        shape, half_size = SHAPES[values["factors/shape"][i]], float(values["factors/size"][i]) / 2
        place = values["factors/position"][i], float(values["factors/rotation"][i])
        if shape == "box":
            _add_geom(spec, mujoco.mjtGeom.mjGEOM_BOX, primitive_size(shape, half_size), *place)
        elif shape in MESHES:
            vertices, faces = mesh(shape)
            _add_mesh(spec, f"object_{i}", vertices * half_size, faces, *place)
        else:
            _add_mesh(spec, f"object_{i}", _as_drawn(shape, half_size), None, *place)
    slope = float(np.tan(np.deg2rad(FOV_DEG / 2)))
    hits = _cast(spec, values["camera/position"], ahead, slope, size, size)
    return Truth(_entities_of_room(hits.geom, yaw), hits.depth)


def _entities_of_room(geom: Int[np.ndarray, "H W"], yaw_rad: float) -> UInt8[np.ndarray, "H W"]:
    """Turns geoms into entities; of two walls in view, the one further left is the left wall."""
    walls = 1 + np.arange(len(WALLS))
    aside = np.array(list(WALLS.values())) - yaw_rad
    turns = np.arctan2(np.sin(aside), np.cos(aside))  # to the left of the line of view
    turns[~np.isin(walls, geom)] = -np.inf
    last = max(int(geom.max()), len(WALLS))
    entity = np.zeros(1 + last + 1, dtype=np.uint8)  # the last row is `NO_GEOM`'s, the sky
    entity[0], entity[walls], entity[walls[turns.argmax()]] = FLOOR, WALL_RIGHT, WALL_LEFT
    entity[1 + len(WALLS) : -1] = np.arange(FIRST_OBJECT, FIRST_OBJECT + last - len(WALLS))
    return entity[geom]


def _clevr_like(values: Mapping[str, np.ndarray]) -> Truth:
    # Not at the top: it imports OpenCV, which rays of rooms (`scenes doctor`) do not need.
    from scenes.clevr.images import crop_labels

    camera = values["camera/position"].astype(np.float64)
    spec = mujoco.MjSpec()
    _add_geom(spec, mujoco.mjtGeom.mjGEOM_PLANE, (0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    for i in np.flatnonzero(values["factors/present"]):
        built = build_mesh(CODES["shape"][values["factors/shape"][i]])
        half_size = SIZES_M[CODES["size"][values["factors/size"][i]]]
        place = values["factors/position"][i], float(values["factors/rotation"][i])
        _add_mesh(spec, f"object_{i}", built.vertices * half_size, built.faces, *place)
    hits = _cast(spec, camera, -camera, HALF_HEIGHT, WIDTH, HEIGHT)
    # The ground is the background as the sky is: geom 0 and `NO_GEOM` are entity 0.
    entities = np.maximum(hits.geom, 0).astype(np.uint8)
    return Truth(crop_labels(entities), crop_labels(hits.depth))


def _add_geom(
    spec: mujoco.MjSpec,
    kind: mujoco.mjtGeom,
    size: tuple[float, ...],
    position_m: Float[np.ndarray, "3"] | tuple[float, ...],
    rotation_rad: float = 0.0,
) -> None:
    spec.worldbody.add_geom(
        type=kind, size=size, pos=position_m, quat=_about_the_vertical(rotation_rad)
    )


def _add_mesh(
    spec: mujoco.MjSpec,
    name: str,
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "T 3"] | None,
    position_m: Float[np.ndarray, "3"],
    rotation_rad: float,
) -> None:
    """Adds a mesh; without faces, the convex hull of its vertices."""
    spec.add_mesh(
        name=name,
        uservert=vertices.ravel(),
        userface=[] if faces is None else faces.ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        pos=position_m,
        quat=_about_the_vertical(rotation_rad),
    )


def _as_drawn(shape: str, half_size_m: float) -> Float[np.ndarray, "V 3"]:
    """Returns the corners of the convex polyhedron that MuJoCo draws for a round shape."""
    radius, half_length, _ = primitive_size(shape, half_size_m)
    quarter = np.linspace(0, np.pi / 2, FAST.stacks // 2 + 1)
    if shape == "cylinder":
        radii, heights = np.array([radius]), np.array([half_length])
    else:
        radii, heights = radius * np.cos(quarter), radius * np.sin(quarter)
    if shape == "capsule":
        heights += half_length
    around = 2 * np.pi * np.arange(FAST.slices)[:, None] / FAST.slices
    half = np.stack(np.broadcast_arrays(radii * np.cos(around), radii * np.sin(around), heights))
    upper = half.reshape(3, -1).T
    return np.concatenate([upper, upper * (1, 1, -1)])


def _about_the_vertical(rotation_rad: float) -> tuple[float, float, float, float]:
    return float(np.cos(rotation_rad / 2)), 0.0, 0.0, float(np.sin(rotation_rad / 2))


def _cast(
    spec: mujoco.MjSpec,
    camera_m: Float[np.ndarray, "3"],
    ahead: Float[np.ndarray, "3"],
    slope: float,
    width: int,
    height: int,
) -> _Hits:
    """Casts a ray through the centre of each pixel.

    Args:
        spec: the scene.
        camera_m: where the rays begin.
        ahead: the camera's axis, of any length; the camera is upright.
        slope: half the height of the view at distance 1.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    across = slope * (2 * np.arange(width) + 1 - width) / height
    along = slope * (height - 1 - 2 * np.arange(height)) / height
    # Rays have length 1 along the axis, so that MuJoCo's distances are depths.
    rays = ahead + across[None, :, None] * right + along[:, None, None] * up  # (H, W, 3)
    geom, depth = np.empty(height * width, dtype=np.int32), np.empty(height * width)
    mujoco.mj_multiRay(
        model,
        data,
        camera_m.astype(np.float64),
        rays.ravel(),
        None,
        True,
        -1,
        geom,
        depth,
        None,
        height * width,
        mujoco.mjMAXVAL,
    )
    depth[geom == NO_GEOM] = np.inf
    return _Hits(geom.reshape(height, width), depth.reshape(height, width).astype(np.float32))
