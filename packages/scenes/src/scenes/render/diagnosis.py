"""Presents an examination of OpenGL: a table, and what to set where something disagrees."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from scenes.command_line import UsageError
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.local_workers import available_cores
from scenes.progress import counting
from scenes.render.answers import remember
from scenes.render.examination import STORED, Examination, Request, examine
from scenes.render.gl import Choice, first_choice, need_library


def diagnose(gl: str | None, *, n: int, size: int, folder: Path) -> tuple[Examination, str]:
    """Draws stored rooms by one OpenGL, and compares them.

    Args:
        gl: a value of MUJOCO_GL; `None` takes the one that builds would take.
        n: rooms to draw.
        size: side of the images in pixels.
        folder: gets a picture if something disagrees.

    Returns:
        The examination, and why this OpenGL was chosen.

    Raises:
        UsageError: there are fewer rooms.
        ValueError: there are no images of that size.
        CommandError: there is no such OpenGL here.
    """
    if not 1 <= n <= STORED:
        raise UsageError(f"--n must be from 1 to {STORED}, got {n}")
    ObjectsRoomConfig(size=size)  # refuses a size before anything is started
    choice = first_choice() if gl is None else Choice(gl, "--gl says so")
    need_library(choice.gl)
    picture = folder / f"doctor-{choice.gl or 'default'}.png"
    with counting("drawing rooms"):
        examination = examine(choice.gl, Request(n, size, str(picture)))
    if choice.gl == "egl":
        remember(examination)  # for builds, which ask only once for each driver
    return examination, choice.why


def lines(examination: Examination, why: str) -> list[str]:
    """Returns an examination as the lines of a table.

    Args:
        examination: the result.
        why: why its OpenGL was chosen.
    """
    table = [
        ("MUJOCO_GL", f"{examination.gl or 'unset'}: {why}"),
        ("GPU driver", examination.driver),
        ("vendor", examination.vendor),
        ("renderer", examination.renderer),
        ("OpenGL", examination.version),
        ("MuJoCo", examination.mujoco),
        ("failure", examination.failure),
        *_measurements(examination),
        ("picture", examination.picture),
        ("what to set", what_to_set(examination)),
    ]
    always = ("MUJOCO_GL", "GPU driver")
    return [f"{name:<14}{value}" for name, value in table if value or name in always]


def _measurements(examination: Examination) -> Iterator[tuple[str, str]]:
    """Yields, for each thing that was measured, its name and the result in words."""
    if examination.equal is not None and examination.equal_inside is not None:
        yield (
            "segmentation",
            f"{_verdict(examination.segmentation_agrees)} with rays: {_share(examination.equal)} "
            f"of all pixels are equal, {_share(examination.equal_inside)} of those off the edges "
            f"({examination.n} rooms of {examination.size} x {examination.size})",
        )
    if examination.depth_error_m is not None:
        yield (
            "depth",
            f"{_verdict(examination.depth_agrees)} with rays: at most "
            f"{100 * examination.depth_error_m:.3f} cm apart on objects, off their edges",
        )
    if examination.image_difference is not None:
        yield (
            "colour",
            f"{_verdict(examination.image_agrees)} with stored pictures: at most "
            f"{examination.image_difference:.2f} of 255 apart, averaged over a room",
        )
    if examination.scenes_per_second is not None:
        cores = available_cores()
        yield (
            "speed",
            f"{examination.scenes_per_second:,.0f} scenes a second by one process; "
            f"{cores} {'core' if cores == 1 else 'cores'}",
        )


def what_to_set(examination: Examination) -> str:
    """Returns advice where something disagrees; empty where all is well."""
    if examination.agrees:
        return ""
    if not examination.untruths():
        return (
            "nothing: what is where is right, only colours are another renderer's; do not mix its "
            "scenes with others'"
        )
    if examination.gl == "osmesa":
        return (
            "GALLIUM_DRIVER=llvmpipe if it is set otherwise; else install Debian's libosmesa6, or "
            "try `scenes doctor --gl egl`"
        )
    own = "" if os.environ.get("MUJOCO_GL", "").strip() else "; builds do so by themselves"
    others = ", or MUJOCO_EGL_DEVICE_ID=1 for another GPU" if examination.gl == "egl" else ""
    return f"MUJOCO_GL=osmesa, which draws on the CPU{own}{others}"


def _share(share: float) -> str:
    """Returns a share in per cent, rounded down, so that only all of it is 100%."""
    return f"{math.floor(100_000 * share) / 1000:.3f}%"


def _verdict(agrees: bool) -> str:
    return "agrees" if agrees else "DISAGREES"
