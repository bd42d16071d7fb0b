"""Remembers for each driver whether its OpenGL draws what is there.

The answers are kept in the user's cache folder, one for each driver, MuJoCo and version of this
package. Without such a folder OpenGL is examined each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from scenes.atomic import write_whole
from scenes.render.examination import Examination, Request, examine
from scenes.render.gpu_driver import gpu_driver

QUESTION = Request(n=4, with_rate=False)
LIMIT_S = 60.0
"""Seconds after which the driver counts as hung; the drawing takes four."""
DEVICES = ("MUJOCO_EGL_DEVICE_ID", "CUDA_VISIBLE_DEVICES")
"""Environment variables that decide which GPU draws."""


def reason_against(gl: str, *, folder: Path | None = None, limit_s: float = LIMIT_S) -> str:
    """Returns why an OpenGL must not be used; empty where segmentation and depth are right.

    Args:
        gl: a value of MUJOCO_GL.
        folder: where answers are kept; the user's cache folder by default.
        limit_s: how long the drawing may take.
    """
    folder = cache_folder() if folder is None else folder
    with _one_at_a_time(folder):
        answer = _read(folder).get(_question(gl))
        if answer is None:
            answer = remember(examine(gl, QUESTION, limit_s=limit_s), folder)
        return answer


def remember(examination: Examination, folder: Path | None = None) -> str:
    """Returns the case against an examination's OpenGL, and stores it in place of an older answer.

    That an OpenGL cannot be started is not stored, because installing a library changes it.
    """
    folder = cache_folder() if folder is None else folder
    answer = "; ".join(examination.untruths())
    if folder is not None:
        answers = _read(folder)
        answers.pop(_question(examination.gl), None)
        if examination.started:
            answers[_question(examination.gl)] = answer
        with suppress(OSError):  # without a stored answer the next build asks again
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "opengl.json", (json.dumps(answers, indent=1) + "\n").encode())
    return answer


def cache_folder() -> Path | None:
    """Returns this package's folder among the user's caches; `None` for a user without a home."""
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if xdg:
        return Path(xdg) / "scenes"
    try:
        return Path.home() / ".cache" / "scenes"
    except RuntimeError:
        return None


def _question(gl: str) -> str:
    devices = [f"{name}={os.environ[name]}" for name in DEVICES if name in os.environ]
    programs = [f"{name} {version(name)}" for name in ("mujoco", "scenes")]
    return "; ".join([gl, *programs, *devices, gpu_driver()])


def _read(folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {}
    try:
        answers = json.loads((folder / "opengl.json").read_text())
    except (OSError, ValueError):  # there is no file yet, or it is another program's
        return {}
    if not isinstance(answers, dict):
        return {}
    return {key: answer for key, answer in answers.items() if isinstance(answer, str)}


@contextmanager
def _one_at_a_time(folder: Path | None) -> Iterator[None]:
    """Lets one process at a time examine OpenGL, because several at once can hang a driver.

    Without a folder, or on a disk without locks, nothing keeps others out.
    """
    import fcntl  # not at the top: see `scenes.lock`

    with ExitStack() as held:
        with suppress(OSError):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                fcntl.flock(held.enter_context((folder / "lock").open("w")), fcntl.LOCK_EX)
        yield
