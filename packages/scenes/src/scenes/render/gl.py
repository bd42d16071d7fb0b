"""Which OpenGL draws, decided before MuJoCo is imported. Nothing here draws or imports MuJoCo."""

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

GL_LIBRARIES = {"osmesa": ("OSMesa", "libosmesa6"), "egl": ("EGL", "libegl1")}
"""Shared library that each value of MUJOCO_GL needs, and Debian's package of it."""
MUJOCOS_OWN = ""
"""Leaves the choice to MuJoCo: on macOS, where there is neither EGL nor OSMesa."""


@dataclass(frozen=True)
class Choice:
    """Which OpenGL draws, and why."""

    gl: str
    """A value of MUJOCO_GL."""
    why: str
    """Reason in words, such as `there is no GPU`."""


def choose_gl() -> Choice:
    """Lets MuJoCo render without a display: MUJOCO_GL's way, else a GPU's EGL, else OSMesa.

    Without MUJOCO_GL, EGL is taken where it was seen to draw what is there
    (`scenes.render.answers`, asked once for each driver); where it does not, OSMesa is taken and
    one line on stderr says so. This must run before mujoco is imported. The choice is written into
    this process's environment, so that its children make the same one: MUJOCO_GL, and
    PYOPENGL_PLATFORM, which follows it whatever the user's shell has set.

    Raises:
        CommandError: MUJOCO_GL names no such way, or the library that it needs is missing.
    """
    choice = first_choice()
    if choice.gl == "egl" and not _requested() and (reason := _reason_against_egl()):
        _say(f"a GPU is here, but OSMesa draws on the CPU: {reason}; `scenes doctor` asks again")
        choice = Choice("osmesa", f"EGL of this GPU is not used: {reason}")
    need_library(choice.gl)
    if choice.gl == MUJOCOS_OWN:
        _say("macOS: MuJoCo's own OpenGL draws, which is untested here")
    os.environ.update(gl_environment(choice.gl, os.environ.get("PYOPENGL_PLATFORM", "")))
    return choice


def gl_environment(gl: str, pyopengl: str = "") -> dict[str, str]:
    """Returns the environment in which MuJoCo draws by one way.

    Args:
        gl: a value of MUJOCO_GL.
        pyopengl: what PYOPENGL_PLATFORM is now. MuJoCo refuses to start EGL or OSMesa under
            another name than its own there; a window (glfw) may be GLX's or EGL's.
    """
    if gl in GL_LIBRARIES:
        pyopengl = gl
    elif pyopengl.lower() in ("osmesa", ""):
        pyopengl = ""  # PyOpenGL takes the empty name as none, and finds out
    # One thread a process: at these sizes LLVM's threads gain nothing (measured), one process per
    # core does.
    threads = os.environ.get("LP_NUM_THREADS", "0")
    return {"MUJOCO_GL": gl, "PYOPENGL_PLATFORM": pyopengl, "LP_NUM_THREADS": threads}


def first_choice() -> Choice:
    """Returns what is taken if nothing is known against it: see `choose_gl`.

    Raises:
        CommandError: MUJOCO_GL names no way to draw.
    """
    requested = _requested()
    ways = ("osmesa", "egl", "glfw") if sys.platform != "darwin" else ("cgl", "glfw")
    if requested:
        if requested not in ways:
            raise CommandError(
                f"MUJOCO_GL must be {', '.join(ways[:-1])} or {ways[-1]}, got {requested!r}"
            )
        return Choice(requested, "MUJOCO_GL says so")
    if sys.platform == "darwin":
        return Choice(MUJOCOS_OWN, "MuJoCo's own on macOS, untested here")
    return Choice("egl", "there is a GPU") if has_gpu() else Choice("osmesa", "there is no GPU")


def need_library(gl: str) -> None:
    """Refuses a way to draw whose library is missing.

    Args:
        gl: a value of MUJOCO_GL.

    Raises:
        CommandError: names the library, and Debian's package of it.
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
    """Returns why EGL is not to be taken; empty where it is."""
    if not _installed("egl"):
        library, package = GL_LIBRARIES["egl"]
        return f"EGL needs lib{library} (on Debian: apt-get install {package})"
    # Not at the top: the question is answered by drawing, with modules that stand above this one.
    from scenes.render.answers import reason_against

    return reason_against("egl")


def _installed(gl: str) -> bool:
    return ctypes.util.find_library(GL_LIBRARIES[gl][0]) is not None


@functools.cache
def _say(line: str) -> None:
    """Prints a line on stderr, once however often it is called."""
    if multiprocessing.parent_process() is None:  # its workers would repeat it
        print(f"scenes: {line}", file=sys.stderr)  # noqa: T201


@contextmanager
def starting_gl() -> Iterator[None]:
    """Says what to try where OpenGL cannot be started, as MuJoCo is imported or later.

    Raises:
        CommandError: anything failed within.
    """
    try:
        yield
    except Exception as error:  # each way has errors of its own
        raise CommandError(
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: OpenGL cannot be started: "
            f"{str(error).rstrip('.')}; "
            "MUJOCO_GL=osmesa draws without a display or a GPU"
        ) from error
