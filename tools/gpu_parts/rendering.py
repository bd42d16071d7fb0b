"""Part 1: whether OpenGL tells the truth here, how fast it is, and rooms for the other parts."""

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
"""A build that is asked to stop has so long."""


class RenderingError(Exception):
    """Rooms could not be rendered."""


@dataclass(frozen=True)
class Way:
    """How rooms are drawn for training."""

    gl: str
    by_rays: bool
    """Whether rays tell the entities, as its codes are wrong."""


def choose_way(examinations: Mapping[str, Examination], rates: Mapping[str, float]) -> Way | None:
    """Returns the fastest OpenGL that tells the truth, or else one that draws colours.

    Args:
        examinations: what the doctor says of each value of MUJOCO_GL.
        rates: scenes a second by each.
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
    """Makes rooms for as many seconds as it is asked for; answers rooms and seconds."""
    os.environ.update(gl_environment(gl))
    from scenes.objects_room.source import ObjectsRoomSource  # after the choice of OpenGL

    source = ObjectsRoomSource(ObjectsRoomConfig(size=size), 0)
    source.rows(range(WARM_UP))
    connection.send("ready")
    seconds = connection.recv()
    made, start = 0, time.monotonic()
    while (spent := time.monotonic() - start) < seconds:
        source.rows(range(made, made + BLOCK))
        made += BLOCK
    connection.send((made, spent))


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
    return sum(made / spent for made, spent in answers)


def render(bulk: Bulk, until: float) -> None:
    """Renders a file.

    Raises:
        RenderingError: it failed, or was not there in time.
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
    """Share of pixels of another entity."""
    color: float
    """Mean absolute difference of the colours, of 255; of the scene furthest off."""

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
    """A file of rooms that is rendered while other things are done.

    Args:
        bulk: which.
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
        """Waits for the file; tells whether it is there.

        Raises:
            RenderingError: it failed.
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
        """Keeps it from running while something is timed."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def finish(self, until: float) -> int:
        """Waits for the file, or has one made of the scenes that are there by then.

        Returns:
            Number of scenes.

        Raises:
            RenderingError: there is no file.
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
        there = [part.rows for part in plan(bulk.size, 0, bulk.n) if part.path(folder).exists()]
        n = sum(there) // MAX_PART_ROWS * MAX_PART_ROWS
        if not n:
            raise RenderingError(f"{bulk.gl}: hardly any scene was rendered")
        render(Bulk(**{**vars(bulk), "n": n}), until + 2 * STOP_S)
        return n

    def end(self) -> None:
        """Ends it; finished parts stay."""
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def need(way: Way | None) -> Way:
    """Returns a way to draw.

    Raises:
        CommandError: there is none.
    """
    if way is None:
        raise CommandError("nothing draws here: libegl1 or libosmesa6 is missing, or part 1 failed")
    return way
