"""Part 2: steps a second in every form, the largest kernels of the best one, and the floor."""

import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from floor import Floor
from monet.training.whole_step import WARM_STEPS
from scenes.parts.local_workers import available_cores

from gpu_parts.forms import VARIANTS, Kernel, Ready, Variant, make_steps_when_asked
from gpu_parts.report import Report
from gpu_parts.scale import Scale
from gpu_parts.worker import Worker, WorkerError, end

THREADS = "TORCHINDUCTOR_COMPILE_THREADS"
TIMED_SHARE = 0.6
"""Share of the time after part 3 that is kept for timed windows, which need the GPU alone."""
AFTER_S = 15.0
"""Time kept free for the kernels and the floor."""
SHOWN_KERNELS = 20


class Stepping:
    """All forms of a step, each in a process of its own; they compile side by side from the start.

    Args:
        scale: sizes.
        data: file of training scenes.
        report: where the tables go.
    """

    def __init__(self, scale: Scale, data: Path, report: Report) -> None:
        self._scale, self._report, self._config = scale, report, scale.measured()
        variants = [variant for variant in VARIANTS if not (scale.dry and variant.autotune)]
        # Each process starts threads that compile; by default, one for each core.
        compiling = max(1, sum(variant.compiled for variant in variants))
        os.environ[THREADS] = str(max(1, available_cores() // compiling))
        try:
            self._workers = {
                variant: Worker(
                    variant.name, make_steps_when_asked, variant, scale, self._config, data
                )
                for variant in variants
            }
        finally:
            del os.environ[THREADS]

    def __str__(self) -> str:
        return f"{len(self._workers)} forms, each in a process of its own"

    def measure(self, until: float, quiet: Callable[[], AbstractContextManager[None]]) -> str:
        """Times every form that compiles in time; returns the best one in a few words.

        Args:
            until: time, by `time.monotonic`, at which this must be done.
            quiet: pauses other work of this command.

        Raises:
            WorkerError: no form could be timed.
        """
        scale, report = self._scale, self._report
        now = time.monotonic()
        ready = _ready(self._workers, report, until - TIMED_SHARE * (until - now))
        if not ready:
            raise WorkerError("no form of steps was ready in time")
        with quiet():
            ready = _chosen(ready, report, until)
            medians = _time(ready, scale, self._config.batch_size, report, until)
            best = max(medians, key=lambda variant: medians[variant])
            _show_kernels(ready[best], scale, report, until)
            floor_s = _show_floor(ready[best], report, until)
        line = f"{best.name}: {medians[best]:,.1f} steps a second"
        return line if floor_s is None else f"{line}; floor {1 / floor_s:,.0f}"

    def end(self) -> None:
        """Ends the processes."""
        end(self._workers.values())
        self._workers = {}


def _ready(workers: dict[Variant, Worker], report: Report, until: float) -> dict[Variant, Worker]:
    """Waits until the forms are compiled; returns those that are in time."""
    ready: dict[Variant, Worker] = {}
    waiting = dict(workers)
    while waiting:
        for variant, worker in list(waiting.items()):
            if time.monotonic() < until and not worker.has_answer(0.1):
                continue
            del waiting[variant]
            try:
                outcome: Ready = worker.answer(until)
            except WorkerError as error:
                report.say("\n".join([str(error), *getattr(error, "__notes__", [])]))
                worker.kill(0)  # it would go on compiling while others are timed
                continue
            line = (
                f"{variant.name}: first step in {outcome.seconds:.1f} s, loss {outcome.loss:,.1f}"
            )
            report.say(line if not outcome.failure else f"{line}; FELL BACK: {outcome.failure}")
            if outcome.failure:
                worker.kill(0)
            else:
                ready[variant] = worker
    return {variant: ready[variant] for variant in workers if variant in ready}


def _chosen(ready: dict[Variant, Worker], report: Report, until: float) -> dict[Variant, Worker]:
    """Makes each form in turn, alone on the GPU, choose its kernels and capture its graph."""
    settled: dict[Variant, Worker] = {}
    for variant, worker in ready.items():
        try:
            worker.ask(("choose", WARM_STEPS + 2))
            outcome: Ready = worker.answer(until)
        except WorkerError as error:
            report.say("\n".join([str(error), *getattr(error, "__notes__", [])]))
            continue
        if outcome.failure:
            report.say(f"{variant.name}: FELL BACK: {outcome.failure}")
        else:
            settled[variant] = worker
    return settled


def _time(
    ready: dict[Variant, Worker], scale: Scale, batch: int, report: Report, until: float
) -> dict[Variant, float]:
    """Times the forms in turn, in as many rounds as time allows; returns the median rates."""
    rates: dict[Variant, list[float]] = {variant: [] for variant in ready}
    longest = 0.0
    for round_number in range(scale.rounds.stop - 1):
        start = time.monotonic()
        # The last seconds are for the kernels and the floor.
        if round_number >= scale.rounds.start and start + 1.2 * longest > until - AFTER_S:
            break
        for variant, worker in list(ready.items()):
            try:
                worker.ask(("window", scale.window_steps))
                rates[variant].append(scale.window_steps / worker.answer(until))
            except WorkerError as error:
                report.say(str(error))
                del ready[variant]
        longest = max(longest, time.monotonic() - start)
    medians = {
        variant: statistics.median(rates[variant])
        for variant in ready
        if len(rates[variant]) >= scale.rounds.start
    }
    report.keep("steps_a_second", {v.name: rates[v] for v in rates})
    if not medians:
        raise WorkerError(f"no form made {scale.rounds.start} windows in the time there was")
    lines = [f"steps a second, batch {batch}, windows of {scale.window_steps} steps in turn:"]
    lines += [
        f"{variant.name:28} {median:8.2f}   {min(rates[variant]):.2f} to {max(rates[variant]):.2f}"
        f" in {len(rates[variant])} windows"
        for variant, median in medians.items()
    ]
    report.say("\n".join(lines))
    return medians


def _show_kernels(worker: Worker, scale: Scale, report: Report, until: float) -> None:
    try:
        worker.ask(("kernels", scale.profiled_steps))
        kernels: list[Kernel] = worker.answer(until)
    except WorkerError as error:  # the rates are there all the same
        report.say(f"no table of kernels: {error}")
        return
    if not kernels:
        report.say("no table of kernels: the profiler saw none")
        return
    report.keep("kernels", [vars(kernel) for kernel in kernels[:SHOWN_KERNELS]])
    total = sum(kernel.ms for kernel in kernels)
    what = "operators (of a CPU)" if scale.dry else "kernels"
    lines = [
        f"the largest of {len(kernels)} {what} of {worker.name}, {total:.2f} ms a step in all:"
    ]
    lines += [
        f"{kernel.ms:8.3f} ms {kernel.share:6.1%} {kernel.calls:7.1f} calls  {kernel.name}"
        for kernel in kernels[:SHOWN_KERNELS]
    ]
    report.say("\n".join(lines))


def _show_floor(worker: Worker, report: Report, until: float) -> float | None:
    """Reports the floor; returns its seconds a step, or `None` where it could not be measured."""
    try:
        worker.ask(("floor", 0))
        floor: Floor = worker.answer(until)
    except WorkerError as error:  # the rates are there all the same
        report.say(f"no floor: {error}")
        return None
    report.say(f"floor: {floor}")
    report.keep("floor_s", floor.seconds)
    return floor.seconds
