"""MuJoCo without a window: one OpenGL context that draws one model's scenes in turn."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco
import numpy as np
from jaxtyping import Float32, UInt8
from OpenGL import GL


class Offscreen:
    """A model, its scene, and an OpenGL context of its own.

    Args:
        model: its first camera looks.
        width: of the largest picture, in pixels.
        height: of the largest picture, in pixels.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 1)
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = 0
        self._gl = mujoco.GLContext(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        # Freed while its own context is current, and before the interpreter goes: else the names
        # of another one's textures would be deleted in its stead.
        weakref.finalize(self, _free, self._gl, self._context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def provenance(self) -> dict[str, str]:
        """Returns what decides the pixels beside the scene itself."""
        self._gl.make_current()
        strings = {"vendor": GL.GL_VENDOR, "renderer": GL.GL_RENDERER, "version": GL.GL_VERSION}
        return {
            "mujoco": mujoco.__version__,
            **{f"gl_{name}": GL.glGetString(code).decode() for name, code in strings.items()},
        }

    def upload_mesh(self, mesh: int) -> None:
        """Takes a mesh's changed vertices into the context."""
        self._gl.make_current()
        mujoco.mjr_uploadMesh(self.model, self._context, mesh)

    def update(self) -> None:
        """Takes poses and colours into the scene; `draw` shows them."""
        mujoco.mjv_updateScene(
            self.model, self.data, self._option, None, self._view,
            mujoco.mjtCatBit.mjCAT_ALL, self.scene,
        )  # fmt: skip

    def picture(self, width: int, height: int) -> UInt8[np.ndarray, "H W 3"]:
        """Draws the scene, edges smoothed."""
        return self._read_pixels(self._draw(width, height, segmentation=False))

    def codes(self, width: int, height: int) -> UInt8[np.ndarray, "H W"]:
        """Draws, edges crisp, a number for the geom at each pixel: see `code_of_geom`.

        Zero is where there is none; there must be fewer than 255 geoms, as one byte is read.
        """
        pixels = self._read_pixels(self._draw(width, height, segmentation=True))
        return np.ascontiguousarray(pixels[:, :, 0])

    def code_of_geom(self) -> dict[int, int]:
        """Returns the number that `codes` gives to each of the model's geoms in the scene."""
        return {
            geom.objid: geom.segid + 1
            for geom in self.scene.geoms[: self.scene.ngeom]
            if geom.segid != -1
        }

    def depth(self, width: int, height: int) -> Float32[np.ndarray, "H W"]:
        """Draws, edges crisp, OpenGL's depth: 0 at the near plane, 1 at the far one."""
        rect = self._draw(width, height, segmentation=True)
        buffer = np.empty((height, width), dtype=np.float32)
        mujoco.mjr_readPixels(None, buffer, rect, self._context)
        return buffer[::-1]

    @contextmanager
    def alone(self, geom: int) -> Iterator[None]:
        """Makes every other geom invisible for a while."""
        opacity = self.model.geom_rgba[:, 3].copy()
        self.model.geom_rgba[:, 3] = 0.0
        self.model.geom_rgba[geom, 3] = 1.0
        try:
            yield
        finally:
            self.model.geom_rgba[:, 3] = opacity

    def _draw(self, width: int, height: int, *, segmentation: bool) -> mujoco.MjrRect:
        self._gl.make_current()
        self.scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segmentation
        self.scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segmentation
        rect = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rect, self.scene, self._context)
        return rect

    def _read_pixels(self, rect: mujoco.MjrRect) -> UInt8[np.ndarray, "H W 3"]:
        pixels = np.empty((rect.height, rect.width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(pixels, None, rect, self._context)
        return np.ascontiguousarray(pixels[::-1])


def _free(gl: mujoco.GLContext, context: mujoco.MjrContext) -> None:
    gl.make_current()
    context.free()
    gl.free()
