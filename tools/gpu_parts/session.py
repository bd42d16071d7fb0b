"""One run of tools/gpu: its parts in order, each failing alone, within its time."""

import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from scenes.command_line import CommandError
from scenes.file.seal import seal
from scenes.file.writer import LIBVER, append_rows, lay_out
from scenes.hdf5_output import hdf5_output
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.local_workers import available_cores
from scenes.render.answers import remember
from scenes.render.diagnosis import lines
from scenes.render.examination import Examination, Request, examine
from scenes.render.gl import need_library
from scenes.render.stored import stored_rooms
from scenes.scene import Field
from scenes.serialise import to_json

from gpu_parts.bulk import Bulk
from gpu_parts.forms import tell_device
from gpu_parts.losses import measure_losses
from gpu_parts.rendering import (
    Rendering,
    RenderingError,
    Way,
    choose_way,
    compare,
    need,
    render,
    scenes_per_second,
)
from gpu_parts.report import Report
from gpu_parts.scale import Scale
from gpu_parts.stepping import Stepping
from gpu_parts.training import RUN, Origin, train
from gpu_parts.worker import Worker, WorkerError

EARLY_S = 30.0
"""The command ends this long before its time is over."""
SHARES = {"rendering": 0.15, "losses": 0.32, "steps": 0.50}
"""Share of the time after which each part before training must have ended."""
DRY_S = 1200.0
"""Time limit of a dry run, which only a part that hangs reaches."""
WAIT_S = 60.0
"""Training waits this long for its scenes, and then takes those that are rendered."""
LIMIT_S = 30.0
"""An OpenGL that needs longer for a few scenes counts as hanging."""
DRAWING = {"egl": "the GPU's driver draws", "osmesa": "the CPU draws"}
NOT_RUN = (
    "a GPU's own EGL, alone and in many processes: if EGL drew, it was software",
    "CUDA graphs (each step was made anew in their place) and kernels by Inductor (aot_eager)",
    "max-autotune, and forms timed on a GPU: the steps a second are a toy's on a CPU",
    "the table of kernels is one of a CPU's operators",
    "images on the GPU, TF32, 64 pixels, batches of 64, 100,000 scenes",
)


def find_device(limit_s: float = 120.0) -> str:
    """Returns a line about the GPU that torch finds; an empty one where it finds none."""
    worker = Worker("torch", tell_device)
    try:
        return worker.answer(time.monotonic() + limit_s)
    finally:
        worker.end()


class Session:
    """The parts of one run, and what each leaves for the next.

    Args:
        scale: sizes of all parts.
        minutes: time in all; ignored in a dry run.
        begin: where training begins.
        work: folder for data.
        report: receives lines and numbers.
    """

    def __init__(
        self, scale: Scale, minutes: float, begin: Origin, work: Path, report: Report
    ) -> None:
        self._scale, self._begin, self._work, self._report = scale, begin, work, report
        self._end = report.started + (DRY_S if scale.dry else 60 * minutes - EARLY_S)
        self._way: Way | None = None
        self._first = work / "first.h5"
        self._rendering: Rendering | None = None
        self._stepping: Stepping | None = None

    def run(self) -> bool:
        """Does all parts; returns whether none of them failed."""
        report = self._report
        try:
            done = [
                report.run("1 rendering", self.draw),
                report.run("2 compiling", self.compile),
                # While the processors compile, the GPU has nothing else to do.
                report.run("3 losses", self.losses),
                report.run("2 steps", self.steps),
                report.run("4 training", self.training),
            ]
        finally:
            if self._stepping is not None:
                self._stepping.end()
            if self._rendering is not None:
                self._rendering.end()
        if self._scale.dry:
            report.not_run += NOT_RUN
        report.finish()
        return all(done)

    def _until(self, part: str) -> float:
        started = self._report.started
        return started + SHARES[part] * (self._end - started)

    # Part 1

    def draw(self) -> str:
        """Examines, compares and times each OpenGL, and starts rendering the training scenes."""
        until = self._until("rendering")
        examinations = self._ask_doctor(until)
        rates: dict[str, dict[int, float]] = {}
        right = [gl for gl, examination in examinations.items() if not examination.untruths()]
        same = self._compare(right, until)
        for gl in right:
            rates[gl] = self._time(gl, until)
        examinations = {
            gl: each for gl, each in examinations.items() if gl in right or each.untruths()
        }
        best = {gl: max(of.values(), default=0.0) for gl, of in rates.items()}
        self._way = choose_way(examinations, best)
        way = need(self._way)
        told = "rays tell the entities, as its codes are wrong" if way.by_rays else "codes proved"
        self._report.say(f"scenes for training: {way.gl}, {told}")
        start = time.monotonic()
        render(self._bulk(self._scale.first, self._first), max(until, start + WAIT_S))
        self._report.say(
            f"{self._scale.first:,} scenes in {time.monotonic() - start:.1f} s, with the start of "
            f"{available_cores()} processes"
        )
        data = self._work / self._begin.config.data
        workers = max(1, available_cores() - 2)
        self._rendering = Rendering(replace(self._bulk(self._scale.scenes, data), workers=workers))
        verdicts = [
            f"{gl} {'right' if gl in right else 'WRONG'}"
            + (f" {best[gl]:,.0f}/s" if best.get(gl) else "")
            for gl in examinations
        ]
        return "; ".join([*verdicts, *([same] if same else [])])

    def _ask_doctor(self, until: float) -> dict[str, Examination]:
        """Returns the doctor's examination of each OpenGL that is installed."""
        examinations: dict[str, Examination] = {}
        for gl, why in DRAWING.items():
            try:
                need_library(gl)
            except CommandError as error:
                self._report.say(str(error))
                self._report.not_run.append(f"{gl}: {error}")
                continue
            picture = str(self._report.out / "doctor.png") if gl == "egl" else ""
            limit_s = max(20.0, until - time.monotonic())
            examinations[gl] = examine(gl, Request(picture=picture), limit_s=limit_s)
            if gl == "egl":
                remember(examinations[gl])
            self._report.say("\n".join(lines(examinations[gl], why)))
            self._report.keep(f"doctor_{gl}", vars(examinations[gl]))
        return examinations

    def _compare(self, right: list[str], until: float) -> str:
        """Draws the same scenes with each OpenGL that draws rightly, and compares the files.

        Args:
            right: these OpenGLs; the method removes those that cannot draw the scenes.
            until: when to give up.

        Returns:
            The difference in words; empty where there are no two files.
        """
        files: dict[str, Path] = {}
        for gl in list(right):
            files[gl] = self._work / f"same-{gl}.h5"
            size, n = self._scale.room.size, self._scale.compared
            try:
                render(
                    Bulk(gl, False, size, n, available_cores(), str(files[gl])),
                    min(until, time.monotonic() + LIMIT_S),
                )
            except RenderingError as error:  # it hangs, or dies, in several processes
                self._report.say(str(error))
                del files[gl]
        right[:] = files
        if len(files) < 2:
            return ""
        apart = compare(files["egl"], files["osmesa"])
        self._report.say(f"the same {self._scale.compared} scenes by egl and osmesa: {apart}")
        self._report.keep("egl_and_osmesa", vars(apart))
        return str(apart)

    def _time(self, gl: str, until: float) -> dict[int, float]:
        """Returns scenes a second by number of processes, without the numbers that fail."""
        rates: dict[int, float] = {}
        cores = available_cores()
        for processes in sorted({1, min(4, cores), cores}):
            try:
                rates[processes] = scenes_per_second(
                    gl,
                    self._scale.room.size,
                    processes,
                    self._scale.rate_s,
                    min(until, time.monotonic() + LIMIT_S),
                )
            except WorkerError as error:
                self._report.say(f"{gl}, {processes} processes: {error}")
                continue
            self._report.say(f"{gl}, {processes} processes: {rates[processes]:,.0f} scenes/s")
        self._report.keep(f"scenes_a_second_{gl}", rates)
        return rates

    def _bulk(self, n: int, out: Path) -> Bulk:
        way = need(self._way)
        return Bulk(way.gl, way.by_rays, self._scale.room.size, n, available_cores(), str(out))

    # Parts 2 and 3

    def compile(self) -> str:
        """Starts the processes in which all forms of a step compile."""
        self._stepping = Stepping(self._scale, self._learned_from(), self._report)
        return str(self._stepping)

    def steps(self) -> str:
        """Times the forms of a step."""
        if self._stepping is None:
            raise WorkerError("no form of steps began to compile")
        try:
            return self._stepping.measure(self._until("steps"), self._quiet)
        finally:
            self._stepping.end()

    def losses(self) -> str:
        """Compares losses of bfloat16 and float32."""
        data = self._learned_from()
        return measure_losses(self._scale, data, self._report, self._until("losses"))

    def _quiet(self) -> AbstractContextManager[None]:
        return nullcontext() if self._rendering is None else self._rendering.paused()

    def _learned_from(self) -> Path:
        """Returns the file that parts 2 and 3 learn from: pictures that ship, if none are drawn."""
        if self._first.exists():
            return self._first
        path = self._work / "shipped.h5"
        if not path.exists():
            write_shipped(path, self._scale.first)
            self._report.say("no scenes were drawn: the pictures that ship stand for them")
        return path

    # Part 4

    def training(self) -> str:
        """Trains for the rest of the time."""
        way = need(self._way)
        if self._rendering is None:
            raise CommandError("part 1 came to no scenes")
        config = self._begin.config
        try:
            n = self._rendering.finish(time.monotonic() + WAIT_S)
        except RenderingError as error:
            n = self._scale.first
            self._report.say(f"{error}: the scenes of parts 2 and 3 must do")
            shutil.copyfile(self._first, self._work / config.data)
        self._report.say(f"{n:,} scenes to learn from and be scored on")
        if way.by_rays:
            self._report.say("scores compare with what rays see: no OpenGL here draws right codes")
        if self._begin.state is not None:
            self._report.say(f"goes on with {self._begin.state} ({config.name})")
        report, run = self._report, self._report.out / RUN
        said = train(self._begin, self._scale.scores, self._work, report.out, report, self._end)
        flags = f"--preset {config.name}{self._scale.flags}"
        if self._begin.state is not None:
            flags = "with that run's own flags"
        elif config.init_from is not None:
            flags += f" --init-from {config.init_from}"
        report.say(
            f"to go on: tools/gpu --from {run}, or scenes render --n {n} --size "
            f"{self._scale.room.size} and monet-train {flags} --run {run}"
        )
        return said


def write_shipped(path: Path, rows: int) -> None:
    """Writes a file of images alone, which repeats the rooms that ship."""
    images = np.stack([room.image for room in stored_rooms()])
    config = ObjectsRoomConfig(size=images.shape[1])
    fields = {"image": Field(images.shape[1:], "uint8", "RGB")}
    attributes = {
        "schema": 1,
        "dataset": config.dataset,
        "config": to_json(config),
        "seed": 0,
        "entities": ["room"],
        "provenance": "{}",
    }
    with hdf5_output(path, libver=LIBVER) as output:
        lay_out(output.file, attributes, fields)
        append_rows(output.file, {"image": images[np.arange(rows) % len(images)]})
        seal(output.file, fields)
