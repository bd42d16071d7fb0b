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
from types import ModuleType

from scenes.atomic import clear_unfinished
from scenes.command_line import CommandError
from scenes.notices import tell
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
        advance: is called with each part once it is finished.
        workers: number of processes.
        hang_s: how long a worker may neither draw a block of rows nor attempt a scene while this
            process runs; `None` for ever.

    Raises:
        CommandError: workers keep dying, or one part hangs twice.
        Exception: any that a worker raised.
    """
    waiting = deque(parts)
    team = _Team(opener, folder, hang_s)
    try:
        while waiting or team.busy:
            while waiting and len(team.busy) < workers:
                team.assign(waiting.popleft())
            for part, is_finished in team.outcomes():
                if is_finished:
                    advance(part)
                else:
                    waiting.appendleft(part)
    finally:
        team.end()
        clear_unfinished(folder)


class _Team:
    """The workers of one build; new ones start in place of those that die or hang.

    Args:
        opener: opens the source, once in each worker.
        folder: where the parts go.
        hang_s: how long a worker may be silent; `None` for ever.
    """

    def __init__(self, opener: Opener, folder: Path, hang_s: float | None) -> None:
        self._opener, self._folder, self._hang_s = opener, folder, hang_s
        self._processes: dict[Connection, SpawnProcess] = {}
        self.busy: dict[Connection, Part] = {}
        """The part that each worker is making."""
        self._watch = Watch(hang_s)
        self._hung: set[Part] = set()
        self._deaths = 0

    def assign(self, part: Part) -> None:
        """Gives a part to an idle worker, or to a new one."""
        idle = self._processes.keys() - self.busy.keys()
        connection = idle.pop() if idle else self._hire()
        self.busy[connection] = part
        with suppress(OSError):  # the worker died: `recv` finds that out below
            connection.send(part)

    def outcomes(self) -> Iterator[tuple[Part, bool]]:
        """Waits a moment; yields parts that no worker is making any more, and whether finished.

        Raises:
            CommandError: workers keep dying, or one part hangs twice.
            Exception: any that a worker raised.
        """
        ready, hanging = self._watch.wait(self.busy)
        for connection in ready:
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                process, part = self._dismiss(connection)
                self._report_death(process.exitcode or 0, part)
                yield part, False
                continue
            if answer == BEAT:
                continue
            if answer is not None:
                raise answer
            self._deaths = 0
            yield self.busy.pop(connection), True
        for connection in hanging:
            self._processes[connection].kill()  # SIGKILL also ends a process that is stopped
            _, part = self._dismiss(connection)
            self._report_hanging(part)
            yield part, False

    def end(self) -> None:
        """Ends all workers, whatever they are doing."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.join()
            connection.close()

    def _hire(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(self._opener, self._folder, theirs, self._hang_s), daemon=True
        )
        with starting_apart():
            process.start()
            self._processes[ours] = process
        theirs.close()
        return ours

    def _dismiss(self, connection: Connection) -> tuple[SpawnProcess, Part]:
        """Waits for the end of a worker; returns it, and the part that it did not finish."""
        process, part = self._processes.pop(connection), self.busy.pop(connection)
        self._watch.forget(connection)
        connection.close()
        process.join()
        return process, part

    def _report_death(self, code: int, part: Part) -> None:
        """Says on stderr that a part is made again.

        Raises:
            CommandError: too many workers died one after the other.
        """
        self._deaths += 1
        cause = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        if self._deaths > MOST_DEATHS:
            raise CommandError(
                f"{self._deaths} workers died one after the other, the last {cause}; out of "
                "memory? try fewer --workers"
            )
        tell(f"a worker ended {cause}; {_rows(part)} are made again")

    def _report_hanging(self, part: Part) -> None:
        """Says on stderr that a part is made again.

        Raises:
            CommandError: the part hung before, so that making it again will not help.
        """
        if part in self._hung:
            raise CommandError(
                f"two workers hung, one after the other, making {_rows(part)}; try fewer "
                "--workers, or MUJOCO_GL=osmesa, which draws on the CPU: EGL can hang in several "
                "processes at once (google-deepmind/mujoco issue 3444)"
            )
        self._hung.add(part)
        tell(f"a worker hung and was ended; {_rows(part)} are made again")


def _rows(part: Part) -> str:
    return f"rows {part.start} to {part.stop - 1}"


@contextmanager
def starting_apart() -> Iterator[None]:
    """Keeps Ctrl-C, and the user's script, away from processes that the block spawns.

    Ctrl-C is for this process alone. A spawned process would run the user's script once more, to
    learn its names, with everything that is not under `if __name__ == "__main__":`; ours need none.
    """
    resource_tracker.ensure_running()  # started later, it would let interrupts through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    """Ends this process once the driver is gone, even where the driver was killed."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
    os._exit(1)
