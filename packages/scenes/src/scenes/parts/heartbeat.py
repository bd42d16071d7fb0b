"""Tells workers that hang from workers that work: working ones send beats to the driver.

Several EGL contexts at once can hang in the driver (google-deepmind/mujoco issue 3444), and a
process that hangs neither ends nor says anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import cast

HANG_S = 60.0
"""Seconds for which a worker may be silent; only time in which the driver itself ran counts."""
TICKS = 60
"""Ticks in the time that a worker may be silent: at each the driver looks, and a worker beats."""
STOPPED_TICKS = 10
"""Where a look takes longer than so many ticks, the driver was stopped, or the machine slept."""
OPENING = 5
"""How many times as long a worker's first silence may last, in which it starts OpenGL: workers that
start at once on few cores slow each other down."""
BEAT = "beat"
"""The message by which a worker says that it works."""

Beat = Callable[[], None]
"""What a source calls for each block of rows that it draws, and for each attempt at a scene."""


def no_beat() -> None:
    """Does nothing: the beat where no driver listens."""


class Pulse:
    """Sends beats to the driver: at most one in each tick, however often it is called.

    Args:
        connection: to the driver.
        hang_s: how long this process may be silent.
    """

    def __init__(self, connection: Connection, hang_s: float = HANG_S) -> None:
        self._connection, self._tick_s = connection, hang_s / TICKS
        self._last = -self._tick_s

    def __call__(self) -> None:
        """Beats."""
        now = time.monotonic()
        if now - self._last >= self._tick_s:
            self._last = now
            with suppress(OSError):  # the driver is gone, and this process goes with it
                self._connection.send(BEAT)


class Watch:
    """Waits for workers, and counts how long each has been silent.

    Only time in which this process itself ran counts. After it was stopped, or the machine slept,
    every worker's count starts again.

    Args:
        hang_s: how long a worker may be silent; `None` for ever.
    """

    def __init__(self, hang_s: float | None = HANG_S) -> None:
        self._hang_s = hang_s
        self._silent_s: dict[Connection, float] = {}

    def wait(self, connections: Iterable[Connection]) -> tuple[list[Connection], list[Connection]]:
        """Waits at most one tick.

        Args:
            connections: to workers that have something to do.

        Returns:
            The workers that have sent something, and those that hang. A worker is watched from its
            first message on; the silence after that one may be `OPENING` times as long.
        """
        connections = list(connections)
        if self._hang_s is None:
            return cast(list[Connection], wait(connections)), []
        tick_s = self._hang_s / TICKS
        start = _clock_s()
        ready = cast(list[Connection], wait(connections, tick_s))
        waited_s = _clock_s() - start
        stopped = waited_s > STOPPED_TICKS * tick_s
        for connection in connections:
            if connection in ready:  # the first silence may be longer: its count begins below zero
                first_s = (1 - OPENING) * self._hang_s
                silent_s = 0.0 if connection in self._silent_s else first_s
            elif connection in self._silent_s:
                silent_s = self._silent_s[connection]
                silent_s = min(silent_s, 0.0) if stopped else silent_s + min(waited_s, tick_s)
            else:
                continue
            self._silent_s[connection] = silent_s
        hanging = [c for c in connections if self._silent_s.get(c, 0.0) > self._hang_s]
        return ready, hanging

    def forget(self, connection: Connection) -> None:
        """Stops counting for a worker that is gone."""
        self._silent_s.pop(connection, None)


def _clock_s() -> float:
    """Returns seconds that go on while the machine sleeps, where the system counts such."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
