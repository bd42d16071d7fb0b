"""The loop of a run: a step, then what is due after it, until the run or its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from scenes.progress import Bars

from monet.training.agenda import Agenda, Due
from monet.training.learner import Learner
from monet.training.reporter import Reporter
from monet.training.signals import StopSignals
from monet.training.steps import Steps

Reason = Literal["steps", "time", "signal"]
"""All steps are made, the time is over, or a signal asked to stop."""


@dataclass(frozen=True)
class Outcome:
    """How a call of `Trainer.run` ended."""

    step: int
    """Steps made in all."""
    reason: Reason


def plan_steps(learner: Learner, steps: Steps, more: int) -> None:
    """Plans a run to end so many steps from here.

    Args:
        learner: of the run.
        steps: makes its steps.
        more: steps from here on, of which the mean over all processes counts.
    """
    mean = torch.tensor(float(more), device=learner.device)
    learner.ranks.average_([mean])  # clocks differ
    learner.config = replace(learner.config, steps=learner.step + int(mean))
    steps.replan()


class Loop:
    """One call of `Trainer.run`.

    Args:
        learner: of the run.
        steps: makes its steps.
        reporter: takes their terms, and makes scores.
        agenda: decides what is due when.
        save: saves a state.
        fill: make as many steps as the agenda has time for, whatever the config says.
        signals: requests to stop.
        progress: shows the bar.
    """

    def __init__(
        self,
        learner: Learner,
        steps: Steps,
        reporter: Reporter,
        agenda: Agenda,
        save: Callable[[], None],
        *,
        fill: bool,
        signals: StopSignals,
        progress: Bars,
    ) -> None:
        self._learner, self._steps, self._reporter = learner, steps, reporter
        self._agenda, self._save, self._fill = agenda, save, fill
        self._signals, self._progress = signals, progress
        self._ranks = learner.ranks
        self._task = progress.add_task(learner.config.run_name, total=None, note="")
        self._scored = agenda.first

    def run(self, *, is_unscored: bool) -> Outcome:
        """Makes steps until there are enough, or an end is asked for.

        Args:
            is_unscored: whether the step that it begins with still lacks its scores.
        """
        learner, agenda, signals = self._learner, self._agenda, self._signals
        if is_unscored:
            self._score()
        reason: Reason = "signal" if self._ranks.any(signals.asked) else "steps"
        while reason == "steps" and learner.step < learner.config.steps:
            self._steps.make()
            due = agenda.due(learner.config, learner.step, self._steps.look_every)
            if due.look or (self._ranks.is_alone and signals.asked):
                reason = self._look(due)
        if self._fill and reason == "time":
            plan_steps(learner, self._steps, 0)
            reason = "steps"
        if learner.step != agenda.first:
            self._timed_save()
        needs_scores = learner.step not in (self._scored, agenda.first)
        if reason != "signal" and needs_scores and self._ranks.any(agenda.has_time_to_score):
            self._score()
        return Outcome(learner.step, "signal" if signals.asked else reason)

    def _look(self, due: Due) -> Reason:
        """Does what is due after a step; returns why the run ends here, `steps` if it goes on."""
        learner, agenda, ranks = self._learner, self._agenda, self._ranks
        self._reporter.unlogged += self._steps.terms()
        total, note = learner.config.steps, self._reporter.note()
        self._progress.update(self._task, total=total, completed=learner.step, note=note)
        if due.log:
            self._reporter.log_terms(learner.step)
        if due.score and not ranks.any(self._signals.asked):
            if ranks.any(agenda.has_time_to_score):
                self._score()
            elif not self._fill:
                return "time"  # the same command goes on with these scores
        if ranks.any(self._signals.asked):
            return "signal"
        pace_is_new = ranks.any(agenda.measure_pace(learner.step))
        if ranks.any(agenda.is_over):
            return "time"
        if self._fill and (pace_is_new or due.last):
            plan_steps(learner, self._steps, agenda.steps_that_fit(learner.config, learner.step))
        if agenda.save_is_due(learner.config.save_every_s):
            self._timed_save()
        return "steps"

    def _score(self) -> None:
        learner = self._learner
        with self._agenda.timing("score_s"):
            self._reporter.score(learner.step, learner.weights, self._signals, self._progress)
        self._scored = learner.step

    def _timed_save(self) -> None:
        with self._agenda.timing("save_s"):
            self._save()
