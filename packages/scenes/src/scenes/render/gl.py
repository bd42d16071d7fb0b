"""Decides which OpenGL draws, before MuJoCo is imported. Nothing here draws or imports MuJoCo."""

from __future__ import annotations

import ctypes.util
import functools
import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError
from scenes.notices import tell

GL_LIBRARIES = {"osmesa": ("OSMesa", "libosmesa6"), "egl": ("EGL", "libegl1")}
"""Shared library that each value of MUJOCO_GL needs, and Debian's package of it."""
MUJOCOS_OWN = ""
"""Value of MUJOCO_GL that leaves the choice to MuJoCo, for macOS: it has no EGL and no OSMesa."""


@dataclass(frozen=True)
class Choice:
    """Which OpenGL draws, and why."""

    gl: str
    """A value of MUJOCO_GL."""
    why: str
    """Reason in words, such as `there is no GPU`."""


def choose_gl() -> Choice:
    """Chooses the OpenGL by which MuJoCo renders without a display, before mujoco is imported.

    MUJOCO_GL decides, if it is set. Otherwise a GPU's EGL is taken, if an examination found that it
    draws what is there (`scenes.render.answers`, once for each driver). Otherwise OSMesa is taken;
    where there is a GPU, one line on stderr says why. The choice is written into this process's
    environment, so that its children make the same one: as MUJOCO_GL, and as PYOPENGL_PLATFORM,
    which must agree with it.

    Raises:
        CommandError: MUJOCO_GL is set to something else, or the library that it needs is missing.
    """
    choice = first_choice()
    if choice.gl == "egl" and not _requested() and (reason := _reason_against_egl()):
        _say_once(
            f"a GPU is here, but OSMesa draws on the CPU: {reason}; `scenes doctor` asks again"
        )
        choice = Choice("osmesa", f"EGL of this GPU is not used: {reason}")
    need_library(choice.gl)
    if choice.gl == MUJOCOS_OWN:
        _say_once("macOS: MuJoCo's own OpenGL draws, which is untested here")
    os.environ.update(gl_environment(choice.gl, os.environ.get("PYOPENGL_PLATFORM", "")))
    return choice


def gl_environment(gl: str, pyopengl: str = "") -> dict[str, str]:
    """Returns the environment variables with which MuJoCo draws by a certain OpenGL.

    Args:
        gl: a value of MUJOCO_GL.
        pyopengl: the present value of PYOPENGL_PLATFORM. MuJoCo refuses to start EGL or OSMesa
            unless it names the same; a window (glfw) works with GLX and with EGL.
    """
    if gl in GL_LIBRARIES:
        pyopengl = gl
    elif pyopengl.lower() in ("osmesa", ""):
        pyopengl = ""  # PyOpenGL then finds the platform by itself
    # One thread a process: at these sizes LLVM's threads gain nothing (measured), while one process
    # per core does.
    threads = os.environ.get("LP_NUM_THREADS", "0")
    return {"MUJOCO_GL": gl, "PYOPENGL_PLATFORM": pyopengl, "LP_NUM_THREADS": threads}


def first_choice() -> Choice:
    """Returns the choice of `choose_gl` before any examination.

    Raises:
        CommandError: MUJOCO_GL is set to none of its values.
    """
    requested = _requested()
    values = ("osmesa", "egl", "glfw") if sys.platform != "darwin" else ("cgl", "glfw")
    if requested:
        if requested not in values:
            raise CommandError(
                f"MUJOCO_GL must be {', '.join(values[:-1])} or {values[-1]}, got {requested!r}"
            )
        return Choice(requested, "MUJOCO_GL says so")
    if sys.platform == "darwin":
        return Choice(MUJOCOS_OWN, "MuJoCo's own on macOS, untested here")
    return Choice("egl", "there is a GPU") if has_gpu() else Choice("osmesa", "there is no GPU")


def need_library(gl: str) -> None:
    """Refuses an OpenGL whose library is missing.

    Args:
        gl: a value of MUJOCO_GL.

    Raises:
        CommandError: the library is missing; the message names it, and Debian's package of it.
    """
    if gl in GL_LIBRARIES and not _installed(gl):
        library, package = GL_LIBRARIES[gl]
        raise CommandError(
            f"MUJOCO_GL={gl} needs lib{library}; on Debian: apt-get install {package}"
        )


def _requested() -> str:
    return os.environ.get("MUJOCO_GL", "").strip().lower()


def has_gpu() -> bool:
    """Whether the system shows a GPU: NVIDIA's driver, or a node that renders."""
    return Path("/dev/nvidiactl").exists() or any(Path("/dev/dri").glob("renderD*"))


def _reason_against_egl() -> str:
    """Returns why EGL must not be taken; empty where it may."""
    if not _installed("egl"):
        library, package = GL_LIBRARIES["egl"]
        return f"EGL needs lib{library} (on Debian: apt-get install {package})"
    # Not at the top: the answer needs drawing, by modules that import this one.
    from scenes.render.answers import reason_against

    return reason_against("egl")


def _installed(gl: str) -> bool:
    return ctypes.util.find_library(GL_LIBRARIES[gl][0]) is not None


@functools.cache
def _say_once(line: str) -> None:
    """Says a line on stderr, only the first time that it is called with it."""
    if multiprocessing.parent_process() is None:  # workers would repeat it
        tell(line)


@contextmanager
def starting_gl() -> Iterator[None]:
    """Turns any failure to start OpenGL, by an import of MuJoCo or later, into advice.

    Raises:
        CommandError: anything failed in the block.
    """
    try:
        yield
    except Exception as error:  # each OpenGL has errors of its own
        raise CommandError(
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: OpenGL cannot be started: "
            f"{str(error).rstrip('.')}; "
            "MUJOCO_GL=osmesa draws without a display or a GPU"
        ) from error
