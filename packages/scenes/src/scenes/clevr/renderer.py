"""One MuJoCo model and one OpenGL context that render every CLEVR-like scene in turn."""

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenes.clevr.images import CROP_COLUMNS, CROP_ROWS
from scenes.clevr.mirror import (
    BENT,
    DISPLAY_GAMMA,
    SMOOTH,
    ball_directions,
    mirrored,
    surroundings,
    tinted,
    with_neighbours,
)
from scenes.clevr.properties import COLORS_RGB, SIZES_M, Objects, names_of
from scenes.clevr.sampling import Setting
from scenes.clevr.stage import LAMPS, MIRROR_SIZE, build_model, bulb_positions
from scenes.clevr.view import HALF_HEIGHT, HEIGHT, WIDTH, facing
from scenes.render.offscreen import Offscreen

CROP_WIDTH = CROP_COLUMNS.stop - CROP_COLUMNS.start
CROP_HEIGHT = CROP_ROWS.stop - CROP_ROWS.start
LINEAR_RGB = {name: np.array(rgb) / 255 for name, rgb in COLORS_RGB.items()}
"""The generator's colours are linear reflectances."""
DISPLAY_RGB = {name: rgb ** (1 / DISPLAY_GAMMA) for name, rgb in LINEAR_RGB.items()}
"""Colours for rubber and the ground, where light is added up in display values."""
WHITE = np.ones(3)


class Renderer:
    """Renders stages of up to `max_objects` objects at 320 x 240, or only CLEVR's crop of it."""

    def __init__(self, max_objects: int) -> None:
        self.model = build_model(max_objects)
        self._screen = Offscreen(self.model, WIDTH, HEIGHT)
        self.data = self._screen.data
        self._scene = self._screen.new_scene()
        self._objects = np.array(
            [self.model.geom(f"object_{i}").id for i in range(max_objects)], dtype=np.int64
        )
        self._rubber = self.model.material("rubber").id
        self._metals = [self.model.material(f"metal_{i}").id for i in range(max_objects)]
        self._mirrors = [self.model.texture(f"mirror_{i}").id for i in range(max_objects)]
        self._unit_vertices = self.model.mesh_vert.copy()
        self._normals = self.model.mesh_normal.copy()
        # Poses are written for each scene: no geom may keep the shortcut to its body's frame.
        self.model.geom_sameframe[self._objects] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE

    def provenance(self) -> dict[str, str]:
        """Returns the versions of MuJoCo and OpenGL, which decide the pixels beside the scene."""
        return self._screen.provenance()

    def arrange(self, objects: Objects, setting: Setting) -> None:
        """Puts the objects, the camera and the lamps in their places."""
        model = self.model
        rotation = np.empty(4)
        mujoco.mju_mat2Quat(rotation, facing(-setting.camera_m).ravel())
        model.cam_pos[0] = setting.camera_m
        model.cam_quat[0] = rotation
        first = 0
        for lamp, place in zip(LAMPS.values(), setting.lamps_m, strict=True):
            bulbs = slice(first, first + lamp.bulbs)
            model.light_pos[bulbs] = bulb_positions(place, lamp.bulbs)
            model.light_dir[bulbs] = -place / np.linalg.norm(place)
            first += lamp.bulbs
        model.geom_rgba[self._objects, 3] = 0.0
        for i, code in enumerate(objects.codes):
            self._shape_object(i, *names_of(code))
            self.data.mocap_pos[i] = objects.position[i]
            half_angle = objects.rotation_rad[i] / 2
            self.data.mocap_quat[i] = (np.cos(half_angle), 0.0, 0.0, np.sin(half_angle))
        mujoco.mj_kinematics(model, self.data)
        mujoco.mj_camlight(model, self.data)

    def _shape_object(self, index: int, shape: str, size: str, material: str, color: str) -> None:
        model, geom = self.model, self._objects[index]
        mesh = model.mesh(f"{shape}_{index}").id
        scale = SIZES_M[size]
        model.geom_dataid[geom] = mesh
        metal = material == "metal"
        model.geom_matid[geom] = self._metals[index] if metal else self._rubber
        model.geom_rgba[geom] = (*(WHITE if metal else DISPLAY_RGB[color]), 1.0)
        # The compiler moved the mesh into its inertial frame; this moves it back.
        model.geom_pos[geom] = model.mesh_pos[mesh] * scale
        model.geom_quat[geom] = model.mesh_quat[mesh]
        vertices = model.mesh_vertadr, model.mesh_vertnum, mesh
        _rows(model.mesh_vert, *vertices)[:] = _rows(self._unit_vertices, *vertices) * scale
        normals = model.mesh_normaladr, model.mesh_normalnum, mesh
        _rows(model.mesh_normal, *normals)[:] = _rows(self._normals, *normals)
        self._screen.upload_mesh(mesh)

    def polish(self, objects: Objects, setting: Setting) -> None:
        """Lets metal mirror its surroundings, as seen from the camera.

        It is apart from `arrange`, because scenes that are refused are never drawn in colour.
        """
        names = [names_of(code) for code in objects.codes]
        colors = np.array([LINEAR_RGB[color] for _, _, _, color in names])
        radii = objects.position[:, 2]
        directions = ball_directions(MIRROR_SIZE, setting.camera_m)
        empty = {
            glare: surroundings(directions, setting.camera_m, setting.lamps_m[0], glare)
            for glare in (SMOOTH, BENT)
        }
        for i, (shape, _, material, _) in enumerate(names):
            if material != "metal":
                continue
            others = np.arange(len(names)) != i
            seen = with_neighbours(
                empty[SMOOTH if shape == "sphere" else BENT],
                directions,
                objects.position[others] - objects.position[i],
                radii[others],
                colors[others],
            )
            self._paint_mirror(i, tinted(seen, colors[i]))
            self._turn_to_mirror(i, setting.camera_m, objects.position[i])

    def _paint_mirror(self, index: int, pixels: UInt8[np.ndarray, "S S 3"]) -> None:
        texture = self._mirrors[index]
        start = self.model.tex_adr[texture]
        self.model.tex_data[start : start + pixels.size] = pixels.ravel()
        self._screen.upload_texture(texture)

    def _turn_to_mirror(
        self, index: int, camera_m: Float[np.ndarray, "3"], middle_m: Float[np.ndarray, "3"]
    ) -> None:
        model, geom = self.model, self._objects[index]
        mesh = int(model.geom_dataid[geom])
        rotation = self.data.geom_xmat[geom].reshape(3, 3)
        points = _rows(model.mesh_vert, model.mesh_vertadr, model.mesh_vertnum, mesh)
        normals = model.mesh_normaladr, model.mesh_normalnum, mesh
        coordinates = _rows(
            model.mesh_texcoord, model.mesh_texcoordadr, model.mesh_texcoordnum, mesh
        )
        coordinates[:] = mirrored(
            points @ rotation.T + self.data.geom_xpos[geom],
            _rows(self._normals, *normals) @ rotation.T,
            camera_m,
            middle_m,
        )
        # Normals point down, away from all lamps: all light of metal is in its texture.
        _rows(model.mesh_normal, *normals)[:] = -rotation[2]
        self._screen.upload_mesh(mesh)

    def image(self) -> UInt8[np.ndarray, "192 192 3"]:
        """Renders CLEVR's crop of the picture, edges smoothed."""
        self._screen.take(self._scene)
        half_width = HALF_HEIGHT * WIDTH / HEIGHT
        for camera in self._scene.camera:
            near = camera.frustum_near
            camera.frustum_top = near * HALF_HEIGHT * (1 - 2 * CROP_ROWS.start / HEIGHT)
            camera.frustum_bottom = near * HALF_HEIGHT * (1 - 2 * CROP_ROWS.stop / HEIGHT)
            camera.frustum_center = 0.0
            camera.frustum_width = near * half_width * CROP_WIDTH / WIDTH
        return self._screen.pictures([self._scene], CROP_WIDTH, CROP_HEIGHT)[0]

    def entities(self) -> UInt8[np.ndarray, "240 320"]:
        """Renders, edges crisp, the entity at each pixel: background, then objects in order.

        Raises:
            NoCodeError: a pixel is no geom's.
        """
        self._screen.take(self._scene)
        entity_of_number = np.zeros(1 + self.model.ngeom, dtype=np.uint8)
        entity_of_number[1 + self._objects] = 1 + np.arange(len(self._objects))
        return entity_of_number[self._screen.geoms([self._scene], WIDTH, HEIGHT)[0]]

    def extent(self, index: int) -> Bool[np.ndarray, "240 320"]:
        """Renders the pixels of object `index` as if nothing hid it.

        Raises:
            NoCodeError: a pixel is no geom's.
        """
        with self._screen.alone(int(self._objects[index])):
            return self.entities() == 1 + index


def _rows(values: np.ndarray, starts: np.ndarray, counts: np.ndarray, mesh: int) -> np.ndarray:
    """Returns the part of a model's array that belongs to one mesh."""
    return values[starts[mesh] : starts[mesh] + counts[mesh]]
