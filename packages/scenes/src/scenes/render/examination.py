"""Examines whether an OpenGL draws what is there.

It draws rooms that ship with the package, and compares them with rays and with stored pictures. It
does so in a separate process with a time limit, because a process can start OpenGL only once, and a
driver may hang or end it. `examine` starts that process, which runs this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace

from scenes.command_line import CommandError
from scenes.render.gl import gl_environment
from scenes.render.gpu_driver import gpu_driver
from scenes.render.tolerance import IMAGE_TOLERANCE
from scenes.serialise import from_json, to_json

LIMIT_S = 180.0
"""Seconds that the drawing may take; it takes a few where nothing hangs."""
STORED = 8
"""Number of rooms that ship with the package (`scenes.render.stored`)."""
MIN_EQUAL = 0.995
"""Share of all pixels that must be of the entity that a ray through their centre meets."""
MAX_DEPTH_ERROR_M = 0.02
"""Largest error of depth inside objects; with Mesa's llvmpipe it is 0.00001."""


@dataclass(frozen=True)
class Request:
    """What an examination draws and measures."""

    n: int = STORED
    """Number of rooms to draw, at most `STORED`."""
    size: int = 64
    """Side of the images in pixels."""
    picture: str = ""
    """Path of the picture to write if something disagrees; empty for none."""
    with_rate: bool = True
    """Whether to measure scenes a second too."""


@dataclass(frozen=True)
class Examination:
    """How the drawings of one OpenGL compare with rays and stored pictures.

    Numbers that were not measured are `None`. A pixel counts as inside where it and its eight
    neighbours belong to one entity.
    """

    gl: str
    """A value of MUJOCO_GL."""
    driver: str
    """The GPU's driver, as `gpu_driver` returns it."""
    failure: str = ""
    """Why nothing could be drawn, or no scenes made; empty where they could."""
    started: bool = True
    """Whether OpenGL could be started at all, as libraries and devices are now."""
    mujoco: str = ""
    vendor: str = ""
    renderer: str = ""
    version: str = ""
    n: int = 0
    """Rooms drawn."""
    size: int = 0
    """Side of their images in pixels."""
    equal: float | None = None
    """Share of all pixels whose entity is the one that a ray through their centre meets."""
    equal_inside: float | None = None
    """The same share among pixels inside alone."""
    depth_error_m: float | None = None
    """Largest difference from the rays' depth inside objects."""
    image_difference: float | None = None
    """Mean absolute difference from the stored picture, of 255, in the room where it is largest."""
    scenes_per_second: float | None = None
    """Rate of one process, from sampling to the arrays of a file."""
    picture: str = ""
    """Path of a picture of the differences; empty where there is none."""

    def untruths(self) -> list[str]:
        """Returns in words what disagrees with rays; empty for an OpenGL that can be used."""
        disagreements = [self.failure] if self.failure else []
        if self.equal is not None and not self.segmentation_agrees:
            disagreements.append(
                f"{1 - self.equal:.2%} of pixels are of another entity than rays say"
            )
        if self.depth_error_m is not None and not self.depth_agrees:
            disagreements.append(
                f"depths are up to {100 * self.depth_error_m:.1f} cm from the rays'"
            )
        return disagreements

    @property
    def segmentation_agrees(self) -> bool:
        """Whether segmentations are those of rays, apart from a few pixels at edges."""
        return self.equal is not None and self.equal >= MIN_EQUAL and self.equal_inside == 1

    @property
    def depth_agrees(self) -> bool:
        """Whether depths are those of rays."""
        return self.depth_error_m is not None and self.depth_error_m <= MAX_DEPTH_ERROR_M

    @property
    def image_agrees(self) -> bool:
        """Whether pictures differ from the stored ones by no more than `scenes verify` allows."""
        return self.image_difference is not None and self.image_difference <= IMAGE_TOLERANCE

    @property
    def agrees(self) -> bool:
        """Whether segmentation, depth and pictures all agree."""
        return not self.untruths() and self.image_agrees


def examine(gl: str, request: Request | None = None, *, limit_s: float = LIMIT_S) -> Examination:
    """Draws stored rooms in a separate process, and compares them.

    Args:
        gl: a value of MUJOCO_GL, whatever the environment says.
        request: what to draw; all rooms by default.
        limit_s: seconds that it may take.

    Returns:
        The examination; its `failure` says where OpenGL cannot be started, crashes or hangs.
    """
    pyopengl = os.environ.get("PYOPENGL_PLATFORM", "")
    nothing = Examination(gl, gpu_driver())
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "scenes.render.examination",
        to_json(request or Request()),
    ]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **gl_environment(gl, pyopengl)},
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return replace(nothing, failure=f"nothing was drawn in {limit_s:g} s")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["without a word"]
        cause = f"signal {-done.returncode}" if done.returncode < 0 else last[0]
        return replace(nothing, failure=f"the process that drew ended: {cause}")
    return from_json(done.stdout.splitlines()[-1], Examination)


def main(arguments: list[str]) -> None:
    """Draws in this process, and prints the examination as one line of JSON."""
    try:
        # Not at the top: it starts OpenGL, and the cause of a failure is part of the answer.
        from scenes.render.comparison import compare

        line = compare(arguments[0])
    except CommandError as error:
        nothing = Examination(os.environ["MUJOCO_GL"], gpu_driver(), str(error), started=False)
        line = to_json(nothing)
    print(line)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
