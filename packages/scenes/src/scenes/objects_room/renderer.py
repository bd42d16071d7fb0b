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
from scenes.objects_room.fields import FIRST_OBJECT, FLOOR, SKY, WALL_LEFT, WALL_RIGHT
from scenes.objects_room.sampling import Color, Place, Thing, hsv_to_rgb
from scenes.objects_room.shapes import MESHES, primitive_size
from scenes.render.offscreen import Offscreen

GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "icosahedron": mujoco.mjtGeom.mjGEOM_MESH,
    "triangle": mujoco.mjtGeom.mjGEOM_MESH,
}
FIRST_WALL_GEOM = 1
FIRST_GEOM = FIRST_WALL_GEOM + len(WALLS)
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


@dataclass
class _Frame:
    """The scene before a camera, to be drawn later."""

    scene: mujoco.MjvScene
    yaw_rad: float = 0.0


class Renderer:
    """Renders rooms of up to `max_objects` objects at `size` x `size` pixels.

    A room is arranged, looked at, and taken as a frame. A frame is a number by which the room is
    painted and drawn, many frames in one go, until another room is taken under the number.
    """

    def __init__(self, max_objects: int, size: int, quality: Quality = FAST) -> None:
        self.model = build_model(max_objects, size, quality)
        self._screen = Offscreen(self.model, size, size)
        self.data = self._screen.data
        self._size = size
        self._objects = range(FIRST_GEOM, FIRST_GEOM + max_objects)
        self._frames: list[_Frame] = []
        self._aside = self._screen.new_scene()
        self._yaw_rad = 0.0
        background = [SKY, FLOOR, *(WALL_RIGHT for _ in WALLS)]
        self._entity_of_code = np.array(
            [*background, *range(FIRST_OBJECT, FIRST_OBJECT + max_objects)], dtype=np.uint8
        )
        """Entity of each number in `Offscreen.geoms`. Every wall is the right one here;
        `segmentations` finds the left one."""
        self._forms = {shape: self._form(shape) for shape in GEOM_TYPES}
        mujoco.mj_forward(self.model, self.data)  # places walls and suns, once for all scenes
        # MuJoCo's arrays, each fetched once, since fetching takes longer than writing into one.
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
        """Returns the versions of MuJoCo and OpenGL, which decide the pixels beside the scene."""
        return self._screen.provenance()

    def arrange(self, things: Sequence[Thing], places: Sequence[Place]) -> None:
        """Puts the objects in their places, by the poses that `mj_kinematics` would compute."""
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
                # Meshes are compiled with half-size 1; the rotation matrix carries their scale.
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
            first = (cos * xx - sin * yx, cos * xy - sin * yy, cos * xz - sin * yz)
            second = (sin * xx + cos * yx, sin * xy + cos * yy, sin * xz + cos * yz)
            third = (scale * zx, scale * zy, scale * zz)
            self._geom_rotation[geom] = (*first, *second, *third)

    def look(self, camera: Camera) -> None:
        """Puts the camera in its place."""
        self._camera_position[:] = camera.position_m
        self._camera_rotation[:] = camera.rotation.ravel()
        self._yaw_rad = camera.yaw_rad

    def take(self, frame: int) -> None:
        """Takes the scene before the camera as a frame, to be drawn later."""
        while len(self._frames) <= frame:
            self._frames.append(_Frame(self._screen.new_scene()))
        self._screen.take(self._frames[frame].scene)
        self._frames[frame].yaw_rad = self._yaw_rad

    def paint(self, frame: int, things: Sequence[Thing], wall: Color, floor: Color) -> None:
        """Gives walls, floor and objects in a frame their colours."""
        walls = [hsv_to_rgb(wall)] * len(WALLS)
        colors = [hsv_to_rgb(floor), *walls, *(hsv_to_rgb(thing.color_hsv) for thing in things)]
        for geom, color in zip(self._frames[frame].scene.geoms, colors, strict=False):
            geom.rgba[:3] = color

    def images(self, frames: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
        """Renders the pictures, edges smoothed."""
        return self._screen.pictures(self._scenes(frames), self._size, self._size)

    def code_colors(self, frames: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
        """Renders, edges crisp, the colours of codes (`scenes.render.codes`), without checks."""
        return self._screen.code_colors(self._scenes(frames), self._size, self._size)

    def segmentations(
        self, frames: Sequence[int]
    ) -> tuple[UInt8[np.ndarray, "N H W"], Int[np.ndarray, "N O"]]:
        """Renders, edges crisp, the entity at each pixel, and counts the pixels of each object.

        Entities: sky, floor, left wall, right wall, objects in order. Where one wall fills the
        view it is `WALL_LEFT`, and `WALL_RIGHT` is empty.

        Raises:
            NoCodeError: a pixel is no entity's.
            ValueError: more than two walls are in view.
        """
        codes = self._screen.geoms(self._scenes(frames), self._size, self._size)
        rows, num_codes = np.arange(len(frames)), 1 + self.model.ngeom
        # Each frame gets codes of its own, so that all frames are counted and translated at once.
        codes = codes + num_codes * rows[:, None, None]
        counts = np.bincount(codes.ravel(), minlength=num_codes * len(frames))
        counts = counts.reshape(len(frames), num_codes)
        walls = slice(1 + FIRST_WALL_GEOM, 1 + FIRST_GEOM)
        in_view = counts[:, walls] > 0
        if (most := in_view.sum(axis=1).max(initial=0)) > 2:
            raise ValueError(f"{most} walls are in view; the camera's ring allows two")
        yaws = np.array([self._frames[frame].yaw_rad for frame in frames])
        turns = _turn(np.array(list(WALLS.values())), yaws[:, None])
        leftmost = np.where(in_view, turns, -np.inf).argmax(axis=1)
        entities = np.tile(self._entity_of_code, (len(frames), 1))
        entities[rows, walls.start + leftmost] = WALL_LEFT
        return entities.ravel().take(codes), counts[:, 1 + FIRST_GEOM :]

    def extents(self, count: int) -> Bool[np.ndarray, "O H W"]:
        """Renders the pixels of each of `count` objects as if nothing hid it.

        Raises:
            NoCodeError: a pixel is no object's.
        """
        extents = np.empty((count, self._size, self._size), dtype=bool)
        for i in range(count):
            with self._screen.alone(self._objects[i]):
                self._screen.take(self._aside)
            extents[i] = self._screen.geoms([self._aside], self._size, self._size)[0] > 0
        return extents

    def depths(self, frames: Sequence[int]) -> Float[np.ndarray, "N H W"]:
        """Renders the distance along the camera's axis in metres; the sky is inf."""
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        buffer = self._screen.depths(self._scenes(frames), self._size, self._size)
        buffer = buffer.astype(np.float64)
        metres = near / (1 - buffer * (1 - near / far))
        return np.where(buffer >= 1, np.inf, metres)

    def _scenes(self, frames: Sequence[int]) -> list[mujoco.MjvScene]:
        return [self._frames[frame].scene for frame in frames]


def _turn(
    direction_rad: Float[np.ndarray, " W"], yaw_rad: Float[np.ndarray, "N 1"]
) -> Float[np.ndarray, "N W"]:
    """Returns how far directions lie to the left of the line of view, in [-pi, pi)."""
    return (direction_rad - yaw_rad + np.pi) % (2 * np.pi) - np.pi
