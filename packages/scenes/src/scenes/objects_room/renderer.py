"""One MuJoCo model and one OpenGL context that render every scene in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


class Renderer:
    """Renders rooms of up to `max_objects` objects at `size` x `size` pixels."""

    def __init__(self, max_objects: int, size: int, quality: Quality = FAST) -> None:
        self.model = build_model(max_objects, size, quality)
        self._screen = Offscreen(self.model, size, size)
        self.data = self._screen.data
        self._size = size
        self._walls = {self.model.geom(name).id: angle for name, angle in WALLS.items()}
        """Geom of each wall, and its direction from the room's centre."""
        self._left_to_right = list(self._walls)
        self._floor = self.model.geom("floor").id
        self._objects = [self.model.geom(f"object_{i}").id for i in range(max_objects)]
        self._meshes = {shape: self.model.mesh(shape).id for shape in MESHES}
        self._mesh_sizes: dict[int, float] = {}
        """Half-size of each geom that is a mesh."""
        # Poses are written for each scene: no geom may keep the shortcut to its body's frame.
        self.model.geom_sameframe[self._objects] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE

    def provenance(self) -> dict[str, str]:
        """Returns what decides the pixels beside the scene itself."""
        return self._screen.provenance()

    def arrange(self, things: Sequence[Thing], places: Sequence[Place]) -> None:
        """Puts the objects in their places."""
        self.model.geom_rgba[self._objects, 3] = 0.0
        self._mesh_sizes = {}
        for i, (thing, place) in enumerate(zip(things, places, strict=True)):
            self._shape_object(self._objects[i], thing.shape, thing.size_m / 2)
            half_angle = place.rotation_rad / 2
            self.data.mocap_pos[i] = place.position_m
            self.data.mocap_quat[i] = (math.cos(half_angle), 0.0, 0.0, math.sin(half_angle))
        mujoco.mj_kinematics(self.model, self.data)

    def _shape_object(self, geom: int, shape: str, half_size: float) -> None:
        model = self.model
        model.geom_rgba[geom, 3] = 1.0
        model.geom_type[geom] = GEOM_TYPES[shape]
        if shape in MESHES:
            mesh = self._meshes[shape]
            model.geom_dataid[geom] = mesh
            # The compiler moved the mesh into its inertial frame; this moves it back.
            model.geom_pos[geom] = model.mesh_pos[mesh] * half_size
            model.geom_quat[geom] = model.mesh_quat[mesh]
            self._mesh_sizes[geom] = half_size
        else:
            model.geom_dataid[geom] = -1
            model.geom_pos[geom] = 0.0
            model.geom_quat[geom] = (1.0, 0.0, 0.0, 0.0)
            model.geom_size[geom] = primitive_size(shape, half_size)

    def look(self, camera: Camera) -> None:
        """Puts the camera in its place; it comes after `arrange`."""
        rotation = np.empty(4)
        mujoco.mju_mat2Quat(rotation, camera.rotation.ravel())
        self.model.cam_pos[0] = camera.position_m
        self.model.cam_quat[0] = rotation
        mujoco.mj_camlight(self.model, self.data)
        self._left_to_right = sorted(
            self._walls, key=lambda wall: -_turn(self._walls[wall], camera.yaw_rad)
        )

    def paint(self, things: Sequence[Thing], wall: Color, floor: Color) -> None:
        """Gives walls, floor and objects their colours."""
        rgba = self.model.geom_rgba
        rgba[list(self._walls), :3] = hsv_to_rgb(wall)
        rgba[self._floor, :3] = hsv_to_rgb(floor)
        for geom, thing in zip(self._objects, things, strict=False):
            rgba[geom, :3] = hsv_to_rgb(thing.color_hsv)

    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """Renders the picture, edges smoothed."""
        self._update()
        return self._screen.picture(self._size, self._size)

    def segmentation(self) -> tuple[UInt8[np.ndarray, "H W"], Int[np.ndarray, " E"]]:
        """Renders, edges crisp, the entity at each pixel, and counts the pixels of each.

        Entities: sky, floor, left wall, right wall, objects in order. Where one wall fills the
        view it is `WALL_LEFT`, and `WALL_RIGHT` is empty.

        Raises:
            ValueError: more than two walls are in view.
        """
        self._update()
        codes, num_geoms = self._screen.codes(self._size, self._size), self._screen.scene.ngeom
        pixels_of_code = np.bincount(codes.ravel(), minlength=num_geoms + 1)
        code_of_geom = self._screen.code_of_geom()
        walls = [wall for wall in self._left_to_right if pixels_of_code[code_of_geom[wall]]]
        if len(walls) > 2:
            raise ValueError(f"{len(walls)} walls are in view; the camera's ring allows two")
        entity = np.zeros(num_geoms + 1, dtype=np.uint8)  # SKY where there is no geom
        for number, geom in enumerate((self._floor, *walls), start=FLOOR):
            entity[code_of_geom[geom]] = number
        for number, geom in enumerate(self._objects, start=FIRST_OBJECT):
            if geom in code_of_geom:
                entity[code_of_geom[geom]] = number
        pixels = np.zeros(FIRST_OBJECT + len(self._objects), dtype=np.int64)
        np.add.at(pixels, entity, pixels_of_code)
        return entity[codes], pixels

    def extent(self, index: int) -> Bool[np.ndarray, "H W"]:
        """Renders the pixels of object `index` as if nothing hid it."""
        with self._screen.alone(self._objects[index]):
            self._update()
            return self._screen.codes(self._size, self._size) > 0

    def depth(self) -> Float[np.ndarray, "H W"]:
        """Renders the distance along the camera's axis in metres; the sky is inf."""
        self._update()
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        buffer = self._screen.depth(self._size, self._size).astype(np.float64)
        metres = near / (1 - buffer * (1 - near / far))
        return np.where(buffer >= 1, np.inf, metres)

    def _update(self) -> None:
        self._screen.update()
        if self._mesh_sizes:
            # Meshes are compiled of half-size 1; OpenGL takes the scale with the pose.
            scene = self._screen.scene
            for geom in scene.geoms[: scene.ngeom]:
                if geom.objid in self._mesh_sizes:
                    geom.mat[:] *= self._mesh_sizes[geom.objid]


def _turn(direction_rad: float, yaw_rad: float) -> float:
    """Returns how far a direction lies to the left of the line of view, in [-pi, pi)."""
    return (direction_rad - yaw_rad + math.pi) % (2 * math.pi) - math.pi
