"""Signals that ask a run to stop: the first at the end of its step, a second one at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_REQUEST_S = 0.2
"""Signals within this time are one request: `timeout` and torchrun send each of theirs twice."""
SHOW_CURSOR = b"\x1b[?25h"


class _InterruptedError(Exception):
    """Raised by a signal to leave the computation within `StopSignals.unless_asked`."""


class StopSignals:
    """Takes SIGINT, SIGTERM and SIGHUP as requests to stop; a context manager.

    A signal that is ignored as the run begins stays ignored, so that `nohup` does what it is for.
    Outside the main thread, where Python handles no signals, there are no requests.

    Args:
        second_ends: whether a second request ends the process at once, as the signal itself would.
    """

    def __init__(self, *, second_ends: bool) -> None:
        self._second_ends = second_ends
        self._asked_at: float | None = None
        self._interruptible = False

    @property
    def asked(self) -> bool:
        """Whether the run is asked to stop."""
        return self._asked_at is not None

    def __enter__(self) -> StopSignals:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in REQUESTS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def unless_asked(self, compute: Callable[[], T]) -> T | None:
        """Returns a function's result; `None` where a request to stop comes before it returns.

        Args:
            compute: may be interrupted anywhere, so it should write nothing.
        """
        try:
            self._interruptible = True
            if self.asked:
                return None
            return compute()
        except _InterruptedError:
            return None
        finally:
            self._interruptible = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            if self._interruptible:
                raise _InterruptedError
        elif self._second_ends and now - self._asked_at > ONE_REQUEST_S:
            if sys.stderr.isatty():  # a progress bar hides it
                os.write(sys.stderr.fileno(), SHOW_CURSOR)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
