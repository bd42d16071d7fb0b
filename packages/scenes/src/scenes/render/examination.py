"""Whether an OpenGL draws what is there: draws rooms that ship, and compares them.

They are compared with rays and with stored pictures. Drawing happens in a process of its own with
a time limit, since a process starts OpenGL once, and a driver may hang it or end it: `examine`
starts that process, which runs this module.
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
"""Seconds that the drawing may take; where nothing hangs it takes a few."""
STORED = 8
"""Number of rooms that ship (`scenes.render.stored`)."""
MIN_EQUAL = 0.995
"""Share of all pixels that must be of the entity that a ray through their centre meets."""
MAX_DEPTH_ERROR_M = 0.02
"""Inside objects; measured with Mesa's llvmpipe: 0.00001."""


@dataclass(frozen=True)
class Request:
    """What to draw."""

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
    """What was drawn by one OpenGL, against rays and stored pictures.

    What was not measured is `None`. A pixel is inside where it and its neighbours are of one
    entity.
    """

    gl: str
    """A value of MUJOCO_GL."""
    driver: str
    """The GPU's driver: see `gpu_driver`."""
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
    """The same share, of the pixels inside alone."""
    depth_error_m: float | None = None
    """Largest difference to the rays' depth inside objects."""
    image_difference: float | None = None
    """Mean absolute difference from the stored picture, of 255, in the room where it is largest."""
    scenes_per_second: float | None = None
    """Rate of one process, from sampling to the arrays of a file."""
    picture: str = ""
    """Path of the picture of what disagrees; empty where there is none."""

    def untruths(self) -> list[str]:
        """Returns in words what disagrees with the rays; nothing for an OpenGL that can be used."""
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
        """Whether segmentations are the rays', but for a few pixels at edges."""
        return self.equal is not None and self.equal >= MIN_EQUAL and self.equal_inside == 1

    @property
    def depth_agrees(self) -> bool:
        """Whether depths are the rays'."""
        return self.depth_error_m is not None and self.depth_error_m <= MAX_DEPTH_ERROR_M

    @property
    def image_agrees(self) -> bool:
        """Whether pictures are the stored ones, within what `scenes verify` allows."""
        return self.image_difference is not None and self.image_difference <= IMAGE_TOLERANCE

    @property
    def agrees(self) -> bool:
        """Whether segmentation, depth and pictures all agree."""
        return not self.untruths() and self.image_agrees

    def to_json(self) -> str:
        """Returns this as JSON, for `from_json` of `scenes.serialise`."""
        return to_json(self)


def examine(gl: str, request: Request | None = None, *, limit_s: float = LIMIT_S) -> Examination:
    """Draws the rooms that ship in a process of its own, and compares.

    Args:
        gl: a value of MUJOCO_GL, whatever the environment says.
        request: what to draw.
        limit_s: how long it may take.

    Returns:
        What was found; where OpenGL cannot be started, crashes or hangs, its `failure` says so.
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
        # Not at the top: it starts OpenGL, and why that fails is part of the answer.
        from scenes.render.comparison import compare

        line = compare(arguments[0])
    except CommandError as error:
        nothing = Examination(os.environ["MUJOCO_GL"], gpu_driver(), str(error), started=False)
        line = nothing.to_json()
    print(line)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
