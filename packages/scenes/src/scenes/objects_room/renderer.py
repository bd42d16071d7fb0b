"""One MuJoCo model and one OpenGL context that render every scene in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from scenes.objects_room.arena import FAST, WALLS, Quality, build_model
from scenes.objects_room.camera import Camera
from scenes.objects_room.sampling import Color, Place, Thing, hsv_to_rgb
from scenes.objects_room.shapes import MESHES, primitive_size
from scenes.offscreen import Offscreen

GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "icosahedron": mujoco.mjtGeom.mjGEOM_MESH,
    "triangle": mujoco.mjtGeom.mjGEOM_MESH,
}
SKY, FLOOR, WALL_LEFT, WALL_RIGHT = range(4)
FIRST_OBJECT = 4
"""Entities before it: sky, floor, left wall, right wall."""
FIRST_GEOM = 1 + len(WALLS)
"""The objects' geoms come after the floor's and the walls'."""


@dataclass(frozen=True)
class Form:
    """How MuJoCo draws a shape, and the pose of its geom in the object's frame at half-size 1."""

    geom_type: int
    mesh: int
    """-1 where there is none."""
    position: tuple[float, ...]
    rotation: tuple[float, ...]
    """A matrix of three by three, row by row."""


class Renderer:
    """Renders rooms of up to `max_objects` objects at `size` x `size` pixels."""

    def __init__(self, max_objects: int, size: int, quality: Quality = FAST) -> None:
        self.model = build_model(max_objects, size, quality)
        self._screen = Offscreen(self.model, size, size)
        self.data = self._screen.data
        self._size = size
        self._walls = {self.model.geom(name).id: angle for name, angle in WALLS.items()}
        """Geom of each wall, and its direction from the room's centre."""
        self._floor = self.model.geom("floor").id
        self._objects = range(FIRST_GEOM, FIRST_GEOM + max_objects)
        self._yaw_rad = 0.0
        self._forms = {shape: self._form(shape) for shape in GEOM_TYPES}
        mujoco.mj_forward(self.model, self.data)  # places walls and suns, once for all scenes
        # MuJoCo's own arrays, each fetched once: a look-up costs more than what is written.
        self._geom_type, self._geom_mesh = self.model.geom_type, self.model.geom_dataid
        self._geom_size, self._geom_rgba = self.model.geom_size, self.model.geom_rgba
        self._geom_position, self._geom_rotation = self.data.geom_xpos, self.data.geom_xmat
        self._camera_position, self._camera_rotation = self.data.cam_xpos[0], self.data.cam_xmat[0]

    def _form(self, shape: str) -> Form:
        if shape not in MESHES:
            return Form(
                int(GEOM_TYPES[shape]), -1, (0.0, 0.0, 0.0), tuple(np.eye(3).ravel().tolist())
            )
        # The compiler moved the mesh into its inertial frame; this moves it back.
        mesh, rotation = self.model.mesh(shape).id, np.empty(9)
        mujoco.mju_quat2Mat(rotation, self.model.mesh_quat[mesh])
        position = tuple(self.model.mesh_pos[mesh].tolist())
        return Form(int(GEOM_TYPES[shape]), mesh, position, tuple(rotation.tolist()))

    def provenance(self) -> dict[str, str]:
        """Returns what decides the pixels beside the scene itself."""
        return self._screen.provenance()

    def arrange(self, things: Sequence[Thing], places: Sequence[Place]) -> None:
        """Puts the objects in their places: what `mj_kinematics` would write, at less cost."""
        self._geom_rgba[FIRST_GEOM:, 3] = 0.0
        for geom, thing, place in zip(self._objects, things, places, strict=False):
            form, half_size = self._forms[thing.shape], thing.size_m / 2
            self._geom_rgba[geom, 3] = 1.0
            self._geom_type[geom] = form.geom_type
            self._geom_mesh[geom] = form.mesh
            scale = 1.0
            if form.mesh < 0:
                self._geom_size[geom] = primitive_size(thing.shape, half_size)
            else:
                # Meshes are compiled of half-size 1; OpenGL takes the scale with the rotation.
                scale = half_size
            cos, sin = math.cos(place.rotation_rad), math.sin(place.rotation_rad)
            x, y, z = place.position_m
            a, b, c = form.position
            self._geom_position[geom] = (
                x + half_size * (cos * a - sin * b),
                y + half_size * (sin * a + cos * b),
                z + half_size * c,
            )
            xx, xy, xz, yx, yy, yz, zx, zy, zz = form.rotation
            cos, sin = scale * cos, scale * sin
            self._geom_rotation[geom] = (
                cos * xx - sin * yx, cos * xy - sin * yy, cos * xz - sin * yz,
                sin * xx + cos * yx, sin * xy + cos * yy, sin * xz + cos * yz,
                scale * zx, scale * zy, scale * zz,
            )  # fmt: skip

    def look(self, camera: Camera) -> None:
        """Puts the camera in its place."""
        self._camera_position[:] = camera.position_m
        self._camera_rotation[:] = camera.rotation.ravel()
        self._yaw_rad = camera.yaw_rad

    def paint(self, things: Sequence[Thing], wall: Color, floor: Color) -> None:
        """Gives walls, floor and objects their colours."""
        colors = {self._floor: floor, **dict.fromkeys(self._walls, wall)}
        colors |= {geom: t.color_hsv for geom, t in zip(self._objects, things, strict=False)}
        self._geom_rgba[: len(colors), :3] = [hsv_to_rgb(colors[i]) for i in range(len(colors))]

    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """Renders the picture, edges smoothed."""
        self._screen.update()
        return self._screen.picture(self._size, self._size)

    def segmentation(self) -> tuple[UInt8[np.ndarray, "H W"], Int[np.ndarray, " E"]]:
        """Renders, edges crisp, the entity at each pixel, and counts the pixels of each.

        Entities: sky, floor, left wall, right wall, objects in order. Where one wall fills the
        view it is `WALL_LEFT`, and `WALL_RIGHT` is empty.

        Raises:
            ValueError: more than two walls are in view.
        """
        self._screen.update()
        codes = self._screen.codes(self._size, self._size)
        code_of_geom = self._screen.code_of_geom()
        pixels_of_code = np.bincount(codes.ravel(), minlength=len(code_of_geom) + 1).tolist()
        walls = [wall for wall in self._walls if pixels_of_code[code_of_geom[wall]]]
        if len(walls) > 2:
            raise ValueError(f"{len(walls)} walls are in view; the camera's ring allows two")
        walls.sort(key=lambda wall: -_turn(self._walls[wall], self._yaw_rad))
        entity_of_geom = dict(zip(self._objects, range(FIRST_OBJECT, 256), strict=False))
        entity_of_geom |= dict(
            zip((self._floor, *walls), (FLOOR, WALL_LEFT, WALL_RIGHT), strict=False)
        )
        entity = np.zeros(len(pixels_of_code), dtype=np.uint8)  # SKY where there is no geom
        pixels = [0] * (FIRST_OBJECT + len(self._objects))
        pixels[SKY] = pixels_of_code[0]
        for geom, code in code_of_geom.items():
            if geom in entity_of_geom:
                entity[code] = entity_of_geom[geom]
                pixels[entity[code]] = pixels_of_code[code]
        return entity.take(codes), np.array(pixels)

    def extent(self, index: int) -> Bool[np.ndarray, "H W"]:
        """Renders the pixels of object `index` as if nothing hid it."""
        with self._screen.alone(self._objects[index]):
            self._screen.update()
            return self._screen.codes(self._size, self._size) > 0

    def depth(self) -> Float[np.ndarray, "H W"]:
        """Renders the distance along the camera's axis in metres; the sky is inf."""
        self._screen.update()
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        buffer = self._screen.depth(self._size, self._size).astype(np.float64)
        metres = near / (1 - buffer * (1 - near / far))
        return np.where(buffer >= 1, np.inf, metres)


def _turn(direction_rad: float, yaw_rad: float) -> float:
    """Returns how far a direction lies to the left of the line of view, in [-pi, pi)."""
    return (direction_rad - yaw_rad + math.pi) % (2 * math.pi) - math.pi
