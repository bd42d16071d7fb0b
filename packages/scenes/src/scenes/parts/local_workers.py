"""Makes parts on this machine; a part whose worker died or hangs is made again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from scenes.atomic import clear_unfinished
from scenes.command_line import CommandError
from scenes.parts.heartbeat import BEAT, HANG_S, Pulse, Watch, no_beat
from scenes.parts.plan import Opener, Part, PartWriter

MOST_DEATHS = 5
"""Workers that may die without a part being finished; one more ends the build."""


def available_cores() -> int:
    """Returns how many cores this process may use: a job's share of a machine, or all of it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_here(
    opener: Opener, parts: list[Part], folder: Path, advance: Callable[[Part], None]
) -> None:
    """Makes the parts in this process, one after the other."""
    writer = PartWriter(opener, folder)
    for part in parts:
        writer.write(part)
        advance(part)


def make_in_processes(
    opener: Opener,
    parts: list[Part],
    folder: Path,
    advance: Callable[[Part], None],
    *,
    workers: int,
    hang_s: float | None = HANG_S,
) -> None:
    """Makes the parts in several processes, which end with this call or with this process.

    A worker that hangs is ended, and its part made again by another, once.

    Args:
        opener: opens the source, once in each process.
        parts: what to make.
        folder: where the parts go.
        advance: is told of each part that is there.
        workers: number of processes.
        hang_s: how long a worker may neither draw a block of rows nor attempt a scene while this
            process runs; `None` for ever.

    Raises:
        CommandError: workers keep dying, or one part hangs twice.
        Exception: what a worker raised.
    """
    waiting = deque(parts)
    team: dict[Connection, SpawnProcess] = {}
    busy: dict[Connection, Part] = {}
    watch = Watch(hang_s)
    hung: set[Part] = set()
    deaths = 0
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                idle = team.keys() - busy.keys()
                connection = idle.pop() if idle else _hire(team, opener, folder, hang_s)
                busy[connection] = waiting.popleft()
                with suppress(OSError):  # the worker died: `recv` finds that out below
                    connection.send(busy[connection])
            ready, hanging = watch.wait(busy)
            for connection in ready:
                try:
                    answer = connection.recv()
                except (EOFError, OSError):
                    deaths += 1
                    part = busy.pop(connection)
                    waiting.appendleft(part)
                    watch.forget(connection)
                    _bury(team.pop(connection), connection, part, deaths)
                    continue
                if answer == BEAT:
                    continue
                if answer is not None:
                    raise answer
                deaths = 0
                advance(busy.pop(connection))
            for connection in hanging:
                part = busy.pop(connection)
                waiting.appendleft(part)
                watch.forget(connection)
                _end(team.pop(connection), connection)
                _report_hanging(part, hung)
    finally:
        for process in team.values():
            process.kill()
        for connection, process in team.items():
            process.join()
            connection.close()
        clear_unfinished(folder)


def _hire(
    team: dict[Connection, SpawnProcess], opener: Opener, folder: Path, hang_s: float | None
) -> Connection:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_work, args=(opener, folder, theirs, hang_s), daemon=True
    )
    with interrupts_held():
        process.start()
        team[ours] = process
    theirs.close()
    return ours


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Keeps Ctrl-C from the processes that are started within; this process handles it."""
    resource_tracker.ensure_running()  # started later, it would let interrupts through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _bury(process: SpawnProcess, connection: Connection, part: Part, deaths: int) -> None:
    connection.close()
    process.join()
    code = process.exitcode or 0
    cause = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    if deaths > MOST_DEATHS:
        advice = "out of memory? try fewer --workers"
        if code > 0:  # it failed to start: it imports the script that it was started from
            advice = "a script that calls `build` does so under `if __name__ == '__main__':`"
        raise CommandError(f"{deaths} workers died one after the other, the last {cause}; {advice}")
    print(  # noqa: T201
        f"scenes: a worker ended {cause}; rows {part.start} to {part.stop - 1} are made again",
        file=sys.stderr,
    )


def _end(process: SpawnProcess, connection: Connection) -> None:
    """Ends a worker that hangs; SIGKILL also ends one that is stopped."""
    process.kill()
    process.join()
    connection.close()


def _report_hanging(part: Part, hung: set[Part]) -> None:
    """Says on stderr that a part is made again.

    Raises:
        CommandError: the part hung before, so that making it again will not help.
    """
    rows = f"rows {part.start} to {part.stop - 1}"
    if part in hung:
        raise CommandError(
            f"two workers hung, one after the other, making {rows}; try fewer --workers, or "
            "MUJOCO_GL=osmesa, which draws on the CPU: EGL can hang in several processes at once "
            "(google-deepmind/mujoco issue 3444)"
        )
    hung.add(part)
    print(f"scenes: a worker hung and was ended; {rows} are made again", file=sys.stderr)  # noqa: T201


def _work(opener: Opener, folder: Path, connection: Connection, hang_s: float | None) -> None:
    threading.Thread(target=end_with_driver, daemon=True).start()
    beat = no_beat if hang_s is None else Pulse(connection, hang_s)
    beat()
    writer: PartWriter | None = None
    while True:
        try:
            part = connection.recv()
        except EOFError:
            return
        try:
            writer = writer or PartWriter(opener, folder, beat)
            writer.write(part)
        except Exception as error:
            error.add_note(traceback.format_exc())
            connection.send(error)
        else:
            connection.send(None)


def end_with_driver() -> None:
    """Ends this process once the driver is gone, even if that was killed."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
    os._exit(1)
