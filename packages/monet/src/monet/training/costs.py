"""How long a run takes, scores and states included, and how many steps fit in a time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from monet.config import TrainConfig
from monet.ranges import MOST_STEPS


@dataclass(frozen=True)
class Costs:
    """Seconds for a step, for scores and for a saved state on this machine, as measured last."""

    step_s: float
    score_s: float = 0.0
    """Scores of all held-out images, and their picture."""
    save_s: float = 0.0
    """A saved state."""

    @property
    def end_s(self) -> float:
        """Seconds after the last step, for its scores and its state."""
        return self.score_s + self.save_s

    def leave_no_step_in(self, time_s: float) -> bool:
        """Whether scores and a state alone take all of a time, in seconds."""
        return self.end_s >= time_s

    def at_pace(self, step_s: float) -> Costs:
        """Returns the costs at a new pace of steps; scores are slower or faster by as much.

        The cost of a state stays: saving is mostly the disk's work.
        """
        ratio = step_s / self.step_s if self.step_s else 1.0
        return Costs(step_s, self.score_s * ratio, self.save_s)

    def scores_due(self, config: TrainConfig, step: int, last: int) -> int:
        """Returns how many times a run is scored after `step` until `last`, its last step."""
        regular = last // config.score_every - step // config.score_every
        return regular + (last > step and last % config.score_every != 0)

    def seconds(self, config: TrainConfig, step: int, last: int) -> float:
        """Returns how many seconds a run takes from `step` until `last`, its last step."""
        steps_s = (last - step) * self.step_s
        busy_s = steps_s + self.scores_due(config, step, last) * self.score_s
        saves = 1 + busy_s // max(config.save_every_s, self.step_s)
        return busy_s + saves * self.save_s

    def steps_that_fit(self, config: TrainConfig, step: int, left_s: float) -> int:
        """Returns how many steps after `step` fit in a time, with their scores and states."""
        most = min(MOST_STEPS - step, int(max(0.0, left_s) / self.step_s) + 1)
        lasts = range(step + 1, step + 1 + most)
        return bisect_right(lasts, left_s, key=lambda last: self.seconds(config, step, last))
