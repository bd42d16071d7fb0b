"""What is due after a step: a look at its terms, a line of the log, scores, a state, the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from monet.config import TrainConfig
from monet.training.costs import Costs

Clock = Callable[[], float]
"""Returns seconds since some moment."""
PACES = 50
"""How many times the pace is measured within the time limit of a call."""
NEWEST = 0.5
"""Weight of the newest pace in the running average: loads change, and single measurements vary."""


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


@dataclass(frozen=True)
class _Mark:
    """The moment at which the pace was last measured."""

    step: int
    elapsed_s: float
    apart_s: float
    """Seconds until then that went into scores and states, not into steps."""


class Agenda:
    """Decides what is due when in one call of `Trainer.run`, whose time runs from here.

    Args:
        step: steps made before.
        stop_after_s: wall-clock seconds that the call may take; no limit by default.
        costs: what steps, scores and states took when they were measured; unknown by default.
        clock: tells the time.
    """

    def __init__(
        self,
        step: int,
        stop_after_s: float | None = None,
        costs: Costs | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.first, self._stop_after_s, self._clock = step, stop_after_s, clock
        self.costs = Costs(0.0) if costs is None else costs
        self._start = self._last_save = clock()
        self._mark, self._apart_s = _Mark(step, 0.0, 0.0), 0.0
        self.leaves_out_scores = (
            stop_after_s is not None
            and self.costs.score_s > 0
            and self.costs.leave_no_step_in(stop_after_s)
        )
        """Whether scores would take all of the time, so that none are made."""

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

    def measure_pace(self, step: int) -> bool:
        """Measures the pace of the latest steps, if that is due; returns whether it was.

        A measurement spans a fiftieth of the time limit, so that one slow step counts for little.
        """
        limit_s, elapsed_s = self._stop_after_s, self._elapsed_s
        if limit_s is None or elapsed_s - self._mark.elapsed_s < limit_s / PACES:
            return False
        before, self._mark = self._mark, _Mark(step, elapsed_s, self._apart_s)
        apart_s = self._apart_s - before.apart_s
        newest = (elapsed_s - before.elapsed_s - apart_s) / max(1, step - before.step)
        if self.costs.step_s:
            newest = (1 - NEWEST) * self.costs.step_s + NEWEST * newest
        if newest > 0:
            self.costs = self.costs.at_pace(newest)
        return True

    @contextmanager
    def timing(self, cost: Literal["score_s", "save_s"]) -> Iterator[None]:
        """Times a block that scores or saves, so that its seconds do not count as steps."""
        start = self._clock()
        yield
        block_s = self._clock() - start
        self._apart_s += block_s
        self.costs = replace(self.costs, **{cost: block_s})

    @property
    def left_s(self) -> float:
        """Seconds left; infinitely many where there is no limit."""
        return float("inf") if self._stop_after_s is None else self._stop_after_s - self._elapsed_s

    @property
    def is_over(self) -> bool:
        """Whether there is no time for another step with the scores and the state after it."""
        costs = self._costs_to_come
        return self.left_s <= 0 or self.left_s < costs.step_s + costs.end_s

    @property
    def has_time_to_score(self) -> bool:
        """Whether there is time for scores; never where scores would take all of the time."""
        return not self.leaves_out_scores and self.left_s > 0

    def steps_that_fit(self, config: TrainConfig, step: int) -> int:
        """Returns how many steps there is time for; one at least before any is made."""
        costs = self._costs_to_come
        fit = costs.steps_that_fit(config, step, self.left_s) if costs.step_s else 1
        return max(fit, 1) if step == self.first else fit

    def save_is_due(self, every_s: float) -> bool:
        """Whether it is time to save again; the next time then counts from now."""
        now = self._clock()
        if now - self._last_save < every_s:
            return False
        self._last_save = now
        return True

    @property
    def _costs_to_come(self) -> Costs:
        """The costs, without scores where none are made."""
        return replace(self.costs, score_s=0.0) if self.leaves_out_scores else self.costs

    @property
    def _elapsed_s(self) -> float:
        return self._clock() - self._start
