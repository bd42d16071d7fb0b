"""Part 1: checks whether OpenGL draws rightly here, times it, and renders rooms for other parts."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile
from scenes.file.schema import parts_folder
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.plan import MAX_PART_ROWS, plan
from scenes.remake import IMAGE_TOLERANCE, LABEL_TOLERANCE
from scenes.render.examination import Examination
from scenes.render.gl import gl_environment

from gpu_parts.bulk import Bulk
from gpu_parts.worker import Worker, end

WARM_UP, BLOCK = 16, 64
STOP_S = 10.0
"""Time that a build has to stop once it is told to."""


class RenderingError(Exception):
    """Rooms could not be rendered."""


@dataclass(frozen=True)
class Way:
    """How rooms are drawn for training."""

    gl: str
    """A value of MUJOCO_GL."""
    by_rays: bool
    """Whether rays tell which entity each pixel shows, since the colour codes are wrong."""


def choose_way(examinations: Mapping[str, Examination], rates: Mapping[str, float]) -> Way | None:
    """Returns the fastest OpenGL that draws rightly, or else the one whose colours are closest.

    Args:
        examinations: the doctor's examination of each value of MUJOCO_GL.
        rates: scenes a second that each draws.

    Returns:
        The way to draw; `None` where nothing draws at all.
    """
    right = [gl for gl, examination in examinations.items() if not examination.untruths()]
    if right:
        return Way(max(right, key=lambda gl: rates.get(gl, 0.0)), by_rays=False)
    drawing = [
        gl for gl, examination in examinations.items() if examination.image_difference is not None
    ]
    if not drawing:
        return None
    return Way(min(drawing, key=lambda gl: examinations[gl].image_difference or 0.0), by_rays=True)


def draw_when_asked(connection: Connection, gl: str, size: int) -> None:
    """Receives a number of seconds and draws rooms for that long; sends rooms and seconds."""
    os.environ.update(gl_environment(gl))
    from scenes.objects_room.source import ObjectsRoomSource  # after the choice of OpenGL

    source = ObjectsRoomSource(ObjectsRoomConfig(size=size), 0)
    source.rows(range(WARM_UP))
    connection.send("ready")
    seconds = connection.recv()
    rooms, start = 0, time.monotonic()
    while (spent := time.monotonic() - start) < seconds:
        source.rows(range(rooms, rooms + BLOCK))
        rooms += BLOCK
    connection.send((rooms, spent))


def scenes_per_second(gl: str, size: int, processes: int, seconds: float, until: float) -> float:
    """Returns the rate of several processes at once.

    Raises:
        WorkerError: one failed, or hung.
    """
    workers = [
        Worker(f"{gl}, process {i + 1} of {processes}", draw_when_asked, gl, size)
        for i in range(processes)
    ]
    try:
        for worker in workers:
            worker.answer(until)
        for worker in workers:
            worker.ask(seconds)
        answers = [worker.answer(until) for worker in workers]
    finally:
        end(workers)
    return sum(rooms / spent for rooms, spent in answers)


def render(bulk: Bulk, until: float) -> None:
    """Renders a file of rooms.

    Raises:
        RenderingError: rendering failed, or took too long.
    """
    rendering = Rendering(bulk)
    try:
        if not rendering.wait(until - time.monotonic()):
            raise RenderingError(f"{bulk.gl}: {bulk.n:,} scenes were not rendered in time")
    finally:
        rendering.end()


@dataclass(frozen=True)
class Sameness:
    """How far two files of the same scenes are apart."""

    different: float
    """Share of pixels that show another entity."""
    color: float
    """Mean absolute difference of the colours, of 255, in the scene where it is largest."""

    def __str__(self) -> str:
        entities = (
            "segmentations equal"
            if self.different == 0
            else f"segmentations differ at {self.different:.4%} of the pixels, "
            f"{'within' if self.different <= LABEL_TOLERANCE else 'BEYOND'} the "
            f"{LABEL_TOLERANCE:.1%} that verify allows"
        )
        within = "within" if self.color <= IMAGE_TOLERANCE else "BEYOND"
        return f"{entities}; colours {self.color:.2f} of 255 apart, {within} {IMAGE_TOLERANCE:g}"


def compare(one: Path, other: Path) -> Sameness:
    """Compares two files of the same scenes."""
    with SceneFile(one) as a, SceneFile(other) as b:
        different = float((a["segmentation"][:] != b["segmentation"][:]).mean())
        apart = np.abs(a["image"][:].astype(int) - b["image"][:]).mean(axis=(1, 2, 3))
    return Sameness(different, float(apart.max()))


class Rendering:
    """A file of rooms that is rendered in the background.

    Args:
        bulk: which rooms, and how.
    """

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._log = Path(bulk.out).with_suffix(".log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log:
            # A session of its own, so that it can be paused whole.
            self._process = subprocess.Popen(
                bulk.command(), stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, seconds: float) -> bool:
        """Waits for the file, for some seconds at most; returns whether it is finished.

        Raises:
            RenderingError: rendering failed.
        """
        try:
            code = self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        if code:
            lines = self._log.read_text().strip().splitlines() or ["without a word"]
            raise RenderingError(f"{self._bulk.gl}: rendering ended with {code}: {lines[-1]}")
        return True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pauses rendering while something else is timed."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def finish(self, until: float) -> int:
        """Waits for the file, or makes one of the scenes that are rendered by then.

        Returns:
            Number of scenes in the file.

        Raises:
            RenderingError: rendering failed, or too few scenes were rendered.
        """
        bulk = self._bulk
        if self.wait(until - time.monotonic()):
            return bulk.n
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        finally:
            self.end()
        folder = parts_folder(Path(bulk.out))
        rows = [part.rows for part in plan(bulk.size, 0, bulk.n) if part.path(folder).exists()]
        n = sum(rows) // MAX_PART_ROWS * MAX_PART_ROWS
        if not n:
            raise RenderingError(f"{bulk.gl}: hardly any scene was rendered")
        render(Bulk(**{**vars(bulk), "n": n}), until + 2 * STOP_S)
        return n

    def end(self) -> None:
        """Ends rendering by force; finished parts stay."""
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def need(way: Way | None) -> Way:
    """Returns the way to draw.

    Raises:
        CommandError: nothing draws.
    """
    if way is None:
        raise CommandError("nothing draws here: libegl1 or libosmesa6 is missing, or part 1 failed")
    return way
