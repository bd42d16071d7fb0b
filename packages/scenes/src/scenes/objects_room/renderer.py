"""One MuJoCo model and one OpenGL context that render every scene in turn."""

from __future__ import annotations

import weakref

import mujoco
import numpy as np
from jaxtyping import Bool, Int, UInt8
from OpenGL import GL

from scenes.config import SHAPES
from scenes.objects_room.arena import SHADOW_MAP, WALLS, build_model
from scenes.objects_room.sampling import Camera, Colors, Layout, hsv_to_rgb
from scenes.objects_room.shapes import MESHES, primitive_size

GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "icosahedron": mujoco.mjtGeom.mjGEOM_MESH,
    "triangle": mujoco.mjtGeom.mjGEOM_MESH,
}
SKY_GEOM = -1
FIRST_OBJECT = 4
"""Entities before it: sky, floor, left wall, right wall."""


class Renderer:
    """Renders rooms of up to `max_objects` objects at `size` x `size` pixels."""

    def __init__(
        self,
        max_objects: int,
        size: int,
        *,
        shadow_map: int = SHADOW_MAP,
        slices: int = 16,
        stacks: int = 8,
    ) -> None:
        self.model = build_model(
            max_objects, size, shadow_map=shadow_map, slices=slices, stacks=stacks
        )
        self.data = mujoco.MjData(self.model)
        self._scene = mujoco.MjvScene(self.model, maxgeom=self.model.ngeom + 1)
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = 0
        self._gl = mujoco.GLContext(size, size)
        self._gl.make_current()
        self._context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        # Freed while its own context is current, and before the interpreter goes: else the names
        # of another renderer's textures would be deleted in its stead.
        weakref.finalize(self, _free, self._gl, self._context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._rect = mujoco.MjrRect(0, 0, size, size)
        self._pixels = np.empty((size, size, 3), dtype=np.uint8)
        self._depth = np.empty((size, size), dtype=np.float32)
        self._walls = [self.model.geom(name).id for name in WALLS]
        self._floor = self.model.geom("floor").id
        self._objects = np.array(
            [self.model.geom(f"object_{i}").id for i in range(max_objects)], dtype=np.int64
        )
        self._meshes = [
            {shape: self.model.mesh(f"{shape}_{i}").id for shape in MESHES}
            for i in range(max_objects)
        ]
        self._unit_vertices = self.model.mesh_vert.copy()
        # Poses are written for each scene: no geom may keep the shortcut to its body's frame.
        self.model.geom_sameframe[self._objects] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE

    def provenance(self) -> dict[str, str]:
        """Returns what decides the pixels beside the scene itself."""
        self._gl.make_current()
        strings = {"vendor": GL.GL_VENDOR, "renderer": GL.GL_RENDERER, "version": GL.GL_VERSION}
        return {
            "mujoco": mujoco.__version__,
            **{f"gl_{name}": GL.glGetString(code).decode() for name, code in strings.items()},
        }

    def arrange(self, layout: Layout, camera: Camera) -> None:
        """Puts the objects and the camera in their places."""
        model = self.model
        rotation = np.empty(4)
        mujoco.mju_mat2Quat(rotation, camera.rotation.ravel())
        model.cam_pos[0] = camera.position_m
        model.cam_quat[0] = rotation
        model.geom_rgba[self._objects, 3] = 0.0
        for i, code in enumerate(layout.shape):
            self._shape_object(i, SHAPES[code], layout.size_m[i] / 2)
            self.data.mocap_pos[i] = layout.position_m[i]
            half_angle = layout.rotation_rad[i] / 2
            self.data.mocap_quat[i] = (np.cos(half_angle), 0.0, 0.0, np.sin(half_angle))
        mujoco.mj_kinematics(model, self.data)
        mujoco.mj_camlight(model, self.data)

    def _shape_object(self, index: int, shape: str, half_size: float) -> None:
        model, geom = self.model, self._objects[index]
        model.geom_rgba[geom, 3] = 1.0
        model.geom_type[geom] = GEOM_TYPES[shape]
        if shape in MESHES:
            mesh = self._meshes[index][shape]
            model.geom_dataid[geom] = mesh
            # The compiler moved the mesh into its inertial frame; this moves it back.
            model.geom_pos[geom] = model.mesh_pos[mesh] * half_size
            model.geom_quat[geom] = model.mesh_quat[mesh]
            start = model.mesh_vertadr[mesh]
            rows = slice(start, start + model.mesh_vertnum[mesh])
            model.mesh_vert[rows] = self._unit_vertices[rows] * half_size
            self._gl.make_current()
            mujoco.mjr_uploadMesh(model, self._context, mesh)
        else:
            model.geom_dataid[geom] = -1
            model.geom_pos[geom] = 0.0
            model.geom_quat[geom] = (1.0, 0.0, 0.0, 0.0)
            model.geom_size[geom] = primitive_size(shape, half_size)

    def paint(self, colors: Colors) -> None:
        """Gives walls, floor and objects their colours."""
        rgb = hsv_to_rgb(np.concatenate([[colors.wall, colors.floor], colors.objects]))
        self.model.geom_rgba[self._walls, :3] = rgb[0]
        self.model.geom_rgba[self._floor, :3] = rgb[1]
        self.model.geom_rgba[self._objects[: len(rgb) - 2], :3] = rgb[2:]

    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """Renders the picture, edges smoothed."""
        self._render(segmentation=False)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return np.ascontiguousarray(self._pixels[::-1])

    def geoms(self) -> Int[np.ndarray, "H W"]:
        """Renders, edges crisp, the model's geom at each pixel; `SKY_GEOM` where there is none."""
        self._render(segmentation=True)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        code = self._pixels[::-1, :, 0].astype(np.int32)  # fewer than 255 geoms: one byte
        geom_of_code = np.full(self._scene.ngeom + 1, SKY_GEOM, dtype=np.int32)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid != -1:
                geom_of_code[geom.segid + 1] = geom.objid
        return geom_of_code[code]

    def extent(self, index: int) -> Bool[np.ndarray, "H W"]:
        """Renders the pixels of object `index` as if nothing hid it."""
        opacity = self.model.geom_rgba[:, 3].copy()
        self.model.geom_rgba[:, 3] = 0.0
        self.model.geom_rgba[self._objects[index], 3] = 1.0
        try:
            return self.geoms() == self._objects[index]
        finally:
            self.model.geom_rgba[:, 3] = opacity

    def depth(self) -> np.ndarray:
        """Renders the distance along the camera's axis in metres (H, W); the sky is inf."""
        self._render(segmentation=True)
        mujoco.mjr_readPixels(None, self._depth, self._rect, self._context)
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        buffer = self._depth[::-1].astype(np.float64)  # 0 at the near plane, 1 at the far one
        metres = near / (1 - buffer * (1 - near / far))
        return np.where(buffer >= 1, np.inf, metres)

    def entities(self, geoms: Int[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
        """Turns geoms into entities: sky, floor, left wall, right wall, objects in order.

        Where one wall fills the view it is `wall_left`, and `wall_right` is empty.

        Raises:
            ValueError: more than two walls are in view.
        """
        columns = np.arange(geoms.shape[1])
        centres = {}
        for wall in self._walls:
            pixels = geoms == wall
            if pixels.any():
                centres[wall] = float((pixels * columns).sum() / pixels.sum())
        if len(centres) > 2:
            raise ValueError(f"{len(centres)} walls are in view; the camera's ring allows two")
        table = np.zeros(self.model.ngeom + 1, dtype=np.uint8)  # SKY_GEOM is its last row
        table[self._floor] = 1
        for entity, wall in enumerate(sorted(centres, key=lambda wall: centres[wall]), start=2):
            table[wall] = entity
        table[self._objects] = FIRST_OBJECT + np.arange(len(self._objects))
        return table[geoms]

    def _render(self, *, segmentation: bool) -> None:
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self.model, self.data, self._option, None, self._view,
            mujoco.mjtCatBit.mjCAT_ALL, self._scene,
        )  # fmt: skip
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segmentation
        self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segmentation
        mujoco.mjr_render(self._rect, self._scene, self._context)


def _free(gl: mujoco.GLContext, context: mujoco.MjrContext) -> None:
    gl.make_current()
    context.free()
    gl.free()
