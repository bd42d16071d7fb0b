"""Draws MuJoCo scenes without a window, by one OpenGL context for each model.

Pictures are drawn into a buffer with several samples a pixel. Codes of geoms, and depths, are drawn
into a buffer with one sample, because a driver may return averages of a multisampled buffer, and an
average of two codes or depths is neither. Software OpenGL does not do so; NVIDIA's is reported to
(google-deepmind/dm_control issue 395).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
from jaxtyping import Float32, UInt8
from OpenGL import GL

from scenes.render.codes import NoCodeError, read, segids
from scenes.render.gl import starting_gl

SEGMENTATION = [int(mujoco.mjtRndFlag.mjRND_SEGMENT), int(mujoco.mjtRndFlag.mjRND_IDCOLOR)]


class Offscreen:
    """A model, its data, and an OpenGL context that draws scenes which were taken of them.

    The OpenGL context has two of MuJoCo's contexts, one for each buffer. A second OpenGL context
    would be one more that can hang a driver.

    Scenes are drawn many at once, because software OpenGL empties the processor's caches: other
    work between two pictures takes three times as long as elsewhere.

    Args:
        model: the model, whose first camera is used.
        width: of the largest picture, in pixels.
        height: of the largest picture, in pixels.

    Raises:
        CommandError: OpenGL cannot be started.
        ValueError: the model has more geoms than there are codes.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._segids = segids(model.ngeom)
        self.model = model
        self.data = mujoco.MjData(model)
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = 0
        with starting_gl():
            self._gl = mujoco.GLContext(width, height)
            self._gl.make_current()
            self._smooth = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            with _one_sample_a_pixel(model):
                self._crisp = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            self._renderer = GL.glGetString(GL.GL_RENDERER).decode()
        # Freed while its own context is current, and before the interpreter ends: otherwise
        # textures of another context that have the same numbers would be deleted.
        weakref.finalize(self, _free, self._gl, self._smooth, self._crisp)

    def provenance(self) -> dict[str, str]:
        """Returns the versions of MuJoCo and OpenGL, which decide the pixels beside the scene."""
        self._gl.make_current()
        strings = {"vendor": GL.GL_VENDOR, "renderer": GL.GL_RENDERER, "version": GL.GL_VERSION}
        return {
            "mujoco": mujoco.__version__,
            **{f"gl_{name}": GL.glGetString(code).decode() for name, code in strings.items()},
        }

    def upload_mesh(self, mesh: int) -> None:
        """Copies a mesh's changed vertices to OpenGL, which draws its own copy."""
        self._gl.make_current()
        for context in (self._smooth, self._crisp):
            mujoco.mjr_uploadMesh(self.model, context, mesh)

    def upload_texture(self, texture: int) -> None:
        """Copies a changed texture to OpenGL, for pictures alone: codes have no textures."""
        self._gl.make_current()
        mujoco.mjr_uploadTexture(self.model, self._smooth, texture)

    def new_scene(self) -> mujoco.MjvScene:
        """Returns an empty scene."""
        return mujoco.MjvScene(self.model, maxgeom=self.model.ngeom + 1)

    def take(self, scene: mujoco.MjvScene) -> None:
        """Copies the model's current poses and colours into a scene."""
        mujoco.mjv_updateScene(
            self.model,
            self.data,
            self._option,
            None,
            self._view,
            mujoco.mjtCatBit.mjCAT_ALL,
            scene,
        )
        for geom in scene.geoms[: scene.ngeom]:
            geom.segid = self._segids[geom.objid]

    def pictures(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws scenes, edges smoothed."""
        return self._draw(self._smooth, scenes, width, height)

    def code_colors(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws, edges crisp, the colours from which `geoms` reads codes, and checks nothing."""
        return self._draw(self._crisp, scenes, width, height)

    def geoms(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> UInt8[np.ndarray, "N H W"]:
        """Draws, edges crisp, 1 + the model's geom at each pixel; 0 is where there is none.

        Raises:
            NoCodeError: a pixel has a colour that no geom was drawn in.
        """
        pixels = self.code_colors(scenes, width, height)
        numbers, right = read(pixels, self.model.ngeom)
        if not right.all():
            picture, row, column = np.argwhere(~right)[0].tolist()
            raise NoCodeError(
                picture,
                f"the GL renderer {self._renderer!r} drew the colour "
                f"{tuple(pixels[picture, row, column].tolist())}, which is no object's, "
                f"at row {row}, column {column}",
            )
        return numbers

    def depths(
        self, scenes: Sequence[mujoco.MjvScene], width: int, height: int
    ) -> Float32[np.ndarray, "N H W"]:
        """Draws, edges crisp, OpenGL's depth: 0 at the near plane, 1 at the far one."""
        buffers = np.empty((len(scenes), height, width), dtype=np.float32)
        self._draw(self._crisp, scenes, width, height, depths=buffers)
        return buffers[:, ::-1]

    @contextmanager
    def alone(self, geom: int) -> Iterator[None]:
        """Makes every other geom invisible during the block."""
        opacity = self.model.geom_rgba[:, 3].copy()
        self.model.geom_rgba[:, 3] = 0.0
        self.model.geom_rgba[geom, 3] = 1.0
        try:
            yield
        finally:
            self.model.geom_rgba[:, 3] = opacity

    def _draw(
        self,
        context: mujoco.MjrContext,
        scenes: Sequence[mujoco.MjvScene],
        width: int,
        height: int,
        *,
        depths: Float32[np.ndarray, "N H W"] | None = None,
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws scenes and returns their pixels; writes depths into an array, if there is one."""
        pixels = np.empty((len(scenes), height, width, 3), dtype=np.uint8)
        rect = mujoco.MjrRect(0, 0, width, height)
        for scene in scenes:
            scene.flags[SEGMENTATION] = context is self._crisp
        self._gl.make_current()
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        for i, scene in enumerate(scenes):
            mujoco.mjr_render(rect, scene, context)
            mujoco.mjr_readPixels(pixels[i], None if depths is None else depths[i], rect, context)
        return pixels[:, ::-1]  # OpenGL's rows begin at the bottom


@contextmanager
def _one_sample_a_pixel(model: mujoco.MjModel) -> Iterator[None]:
    """Lets the block make contexts without multisampling and shadows, which would blend codes."""
    quality = model.vis.quality
    samples, shadow_map = quality.offsamples, quality.shadowsize
    quality.offsamples = quality.shadowsize = 0
    try:
        yield
    finally:
        quality.offsamples, quality.shadowsize = samples, shadow_map


def _free(gl: mujoco.GLContext, *contexts: mujoco.MjrContext) -> None:
    gl.make_current()
    for context in contexts:
        context.free()
    gl.free()
