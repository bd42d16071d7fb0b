"""What is due after a step: a look at its terms, a line of the log, scores, a state, the end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from monet.config import TrainConfig


@dataclass(frozen=True)
class Due:
    """What is due after one step."""

    log: bool
    """A line of the log."""
    score: bool
    """Scores of the held-out images."""
    last: bool
    """The run has all its steps."""
    look: bool
    """A look at the terms of the steps so far, which all of the others begin with."""


class Agenda:
    """The times of one call of `Trainer.run`, which begins as this is made.

    Args:
        step: steps made before.
        stop_after_s: wall-clock seconds that the call may take; no limit by default.
    """

    def __init__(self, step: int, stop_after_s: float | None) -> None:
        self.first, self._stop_after_s = step, stop_after_s
        self._start = self._last_save = time.monotonic()

    def due(self, config: TrainConfig, step: int, look_every: int) -> Due:
        """Returns what is due after `step` steps.

        Args:
            config: the run's, as it is planned now.
            step: steps made.
            look_every: steps between looks where nothing else is due.
        """
        log, score = step % config.log_every == 0, step % config.score_every == 0
        last = step >= config.steps
        return Due(log, score, last, look=log or score or last or step % look_every == 0)

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self._stop_after_s is not None and self._elapsed_s >= self._stop_after_s

    @property
    def left_s(self) -> float:
        """Seconds left; infinitely many where there is no limit."""
        return float("inf") if self._stop_after_s is None else self._stop_after_s - self._elapsed_s

    def seconds_per_step(self, step: int) -> float:
        """Returns what a step has taken so far, all else that was due included."""
        return self._elapsed_s / (step - self.first)

    def save_is_due(self, every_s: float) -> bool:
        """Whether it is time to save again; the next time then counts from now."""
        now = time.monotonic()
        if now - self._last_save < every_s:
            return False
        self._last_save = now
        return True

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._start
