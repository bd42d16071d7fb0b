"""MuJoCo without a window: one OpenGL context that draws one model's scenes in turn."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
from jaxtyping import Float32, UInt8
from OpenGL import GL

from scenes.render.gl import starting_gl

SEGMENTATION = [int(mujoco.mjtRndFlag.mjRND_SEGMENT), int(mujoco.mjtRndFlag.mjRND_IDCOLOR)]


class Offscreen:
    """A model, its data, and an OpenGL context of its own that draws scenes taken of them.

    Scenes are drawn many at once: software OpenGL drives all else out of the processor's caches,
    so that what lies between two pictures takes three times as long as it does elsewhere.

    Args:
        model: its first camera looks.
        width: of the largest picture, in pixels.
        height: of the largest picture, in pixels.

    Raises:
        CommandError: OpenGL cannot be started.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = 0
        with starting_gl():
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

    def new_scene(self) -> mujoco.MjvScene:
        """Returns a scene without anything in it."""
        return mujoco.MjvScene(self.model, maxgeom=self.model.ngeom + 1)

    def take(self, scene: mujoco.MjvScene) -> None:
        """Takes poses and colours, as they are now, into a scene."""
        mujoco.mjv_updateScene(
            self.model, self.data, self._option, None, self._view,
            mujoco.mjtCatBit.mjCAT_ALL, scene,
        )  # fmt: skip

    def pictures(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws scenes, edges smoothed."""
        return self._draw(scenes, width, height, segmentation=False)

    def codes(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> UInt8[np.ndarray, "N H W"]:
        """Draws, edges crisp, a number for the geom at each pixel: see `code_of_geom`.

        Zero is where there is none; there must be fewer than 255 geoms, as one byte is read.
        """
        return self._draw(scenes, width, height, segmentation=True)[..., 0]

    def depths(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> Float32[np.ndarray, "N H W"]:
        """Draws, edges crisp, OpenGL's depth: 0 at the near plane, 1 at the far one."""
        buffers = np.empty((len(scenes), height, width), dtype=np.float32)
        self._draw(scenes, width, height, segmentation=True, depths=buffers)
        return buffers[:, ::-1]

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

    def _draw(
        self,
        scenes: Sequence[mujoco.MjvScene],
        width: int,
        height: int,
        *,
        segmentation: bool,
        depths: Float32[np.ndarray, "N H W"] | None = None,
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws scenes and reads their pixels, and their depths if there is an array for them."""
        pixels = np.empty((len(scenes), height, width, 3), dtype=np.uint8)
        rect = mujoco.MjrRect(0, 0, width, height)
        for scene in scenes:
            scene.flags[SEGMENTATION] = segmentation
        self._gl.make_current()
        for i, scene in enumerate(scenes):
            mujoco.mjr_render(rect, scene, self._context)
            mujoco.mjr_readPixels(
                pixels[i], None if depths is None else depths[i], rect, self._context
            )
        return pixels[:, ::-1]  # OpenGL's rows begin at the bottom


def code_of_geom(scene: mujoco.MjvScene) -> dict[int, int]:
    """Returns the number that `Offscreen.codes` gives to each of the model's geoms in a scene."""
    geoms = scene.geoms[: scene.ngeom]
    return {geom.objid: geom.segid + 1 for geom in geoms if geom.segid != -1}


def _free(gl: mujoco.GLContext, context: mujoco.MjrContext) -> None:
    gl.make_current()
    context.free()
    gl.free()
