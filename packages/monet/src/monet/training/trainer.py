"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar

from monet.config import TrainConfig, first_difference
from monet.model import Monet
from monet.training.agenda import Agenda
from monet.training.data import held_out
from monet.training.mean_loss import Backend
from monet.training.pace import compiling_pays, seconds_per_step
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.reporter import Reporter
from monet.training.run_folder import RunFolder
from monet.training.signals import StopSignals
from monet.training.start import start_images, start_learner
from monet.training.steps import NotFiniteError, Steps
from monet.training.validation import Validation
from monet.training.whole_step import Form, WholeStep, cuda_graph

Reason = Literal["steps", "time", "signal"]
"""All steps are made, the time is over, or a signal asked to stop."""


@dataclass(frozen=True)
class Outcome:
    """How a call of `Trainer.run` ended."""

    step: int
    """Steps made in all."""
    reason: Reason


class Trainer:
    """A run: its folder, model, optimiser and data.

    Args:
        config: the whole run.
        folder: the run folder; one that exists is gone on with.
        ranks: this process among all that train; the first alone writes.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config, of other
            data, or without its state.
        CommandError: a saved state cannot be read.
    """

    def __init__(self, config: TrainConfig, folder: Path, ranks: Ranks | None = None) -> None:
        self._ranks = Ranks() if ranks is None else ranks
        self._folder = RunFolder(folder)
        saved = self._folder.saved_state(config)
        self._learner = start_learner(config, self._ranks, saved, folder)
        self._ranks.check_same(self.step, folder)
        self._file = SceneFile(config.data)
        try:
            if saved is not None:
                self._folder.check_data(saved, self._file)
            self._images = start_images(config, self._file, self.device)
            self._steps = self._make_steps("inductor" if config.compile == "always" else None)
            images = held_out(self._file, config.model.image_size)
            validation = Validation(config, images, self.device)
            self._reporter = Reporter(validation, () if saved is None else saved.unlogged)
        except BaseException:
            self._file.close()
            raise

    def _make_steps(self, backend: Backend | None) -> Steps:
        if self.device.type != "cuda":
            return PlainStep(self._learner, self._images, backend)
        torch.backends.cudnn.benchmark = True
        capture = cuda_graph if self.config.graph == "auto" else None
        return WholeStep(self._learner, self._images, Form(backend, capture))

    @property
    def config(self) -> TrainConfig:
        """The whole run, with as many steps as are planned now."""
        return self._learner.config

    @property
    def step(self) -> int:
        """Steps made in all."""
        return self._learner.step

    @property
    def model(self) -> Monet:
        """The model with its latest weights."""
        return self._learner.model

    @property
    def device(self) -> torch.device:
        """Where it trains."""
        return self._learner.device

    @property
    def is_unscored(self) -> bool:
        """Whether this step should have scores in the log and has none: a signal was first."""
        config, step = self.config, self.step
        is_due = step > 0 and (step % config.score_every == 0 or step >= config.steps)
        return is_due and not self._folder.is_scored(step)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._steps.close()
        self._images.close()
        self._file.close()

    def seconds_per_step(self) -> float:
        """Measures steps, and goes back to where it was; the mean of all processes."""
        return seconds_per_step(self._learner, self._steps)

    def compile_if_it_pays(self, seconds_per_step: float, stop_after_s: float | None) -> bool:
        """Has later steps compiled where a GPU gains more time by it than it takes.

        Args:
            seconds_per_step: measured without.
            stop_after_s: wall-clock seconds for this call; as long as all steps take by default.

        Returns:
            Whether it will; the rate is then to be measured anew.
        """
        pays = compiling_pays(self._learner, seconds_per_step, stop_after_s)
        if pays:
            self._steps.close()
            self._steps = self._make_steps("inductor")
        return pays

    def plan(self, left_s: float, seconds_per_step: float) -> None:
        """Asks for as many steps, from here on, as there is time for.

        Args:
            left_s: wall-clock seconds from now.
            seconds_per_step: measured.
        """
        fit = torch.tensor(left_s / seconds_per_step, device=self.device)
        self._ranks.average_([fit])  # clocks differ
        self.adopt(replace(self.config, steps=self.step + max(1, int(fit))))

    def adopt(self, config: TrainConfig) -> None:
        """Goes on by another config, which differs in what may change as a run goes.

        Raises:
            UsageError: it is another run's.
        """
        if config.identity != self.config.identity:
            difference = first_difference(self.config.identity, config.identity)
            raise UsageError(f"{self._folder.path}: a run of another config ({difference})")
        self._learner.config = config
        self._steps.replan()

    def run(self, stop_after_s: float | None = None, *, fill: bool = False) -> Outcome:
        """Trains until all steps are made, the time is over, or a signal asks to stop.

        Args:
            stop_after_s: wall-clock seconds from now.
            fill: make as many steps as the time allows, whatever the config says: these are
                planned anew with every line of the log, by the rate so far, since the learning
                rate may fall until the last step.

        Raises:
            CommandError: the loss is not finite; on a CPU the state before that step is saved, on a
                GPU, which finds it some steps later, the last saved state stands.
            UsageError: another process trains in the folder, or has since this one read it.
        """
        fill = fill and stop_after_s is not None
        if self._ranks.rank > 0:
            return self._run(stop_after_s, fill)
        with self._folder.held():
            self._folder.save_config(self.config)
            if not self._folder.has_state:
                self.save()
            with self._reporter.logging(self._folder.path, self.step):
                outcome = self._run(stop_after_s, fill)
            self._folder.save_config(self.config)
        return outcome

    def _run(self, stop_after_s: float | None, fill: bool) -> Outcome:
        try:
            return self._loop(stop_after_s, fill)
        except NotFiniteError as error:
            raise self._spoilt(error) from None

    def _loop(self, stop_after_s: float | None, fill: bool) -> Outcome:
        agenda, ranks, reporter = Agenda(self.step, stop_after_s), self._ranks, self._reporter
        alone = ranks.world == 1  # torchrun ends processes that take long by itself
        with progress_bar() as progress, StopSignals(second_ends=alone) as signals:
            task = progress.add_task(self.config.run_name, total=None, note="")
            scored = self.step
            if self.is_unscored:
                reporter.score(scored, self._learner.weights, signals)
            reason: Reason = "signal" if ranks.any(signals.asked) else "steps"
            while reason == "steps" and self.step < self.config.steps:
                self._steps.make()
                due = agenda.due(self.config, self.step, self._steps.look_every)
                if not due.look and not (alone and signals.asked):
                    continue
                reporter.unlogged += self._steps.terms()
                total, made = self.config.steps, self.step
                progress.update(task, total=total, completed=made, note=reporter.note())
                if due.log:
                    reporter.log_terms(self.step)
                if due.score and not ranks.any(signals.asked):
                    reporter.score(self.step, self._learner.weights, signals)
                    scored = self.step
                if ranks.any(agenda.is_over or signals.asked):
                    reason = "signal" if ranks.any(signals.asked) else "time"
                    break
                if fill and (due.log or due.last):
                    self.plan(agenda.left_s, agenda.seconds_per_step(self.step))
                if agenda.save_is_due(self.config.save_every_s):
                    self.save()
            if fill and reason == "time":
                self.adopt(replace(self.config, steps=self.step))
                reason = "steps"
            if self.step != agenda.first:
                self.save()
            if reason != "signal" and self.step not in (scored, agenda.first):
                reporter.score(self.step, self._learner.weights, signals)
            return Outcome(self.step, "signal" if signals.asked else reason)

    def save(self) -> None:
        """Saves state and weights; a kill at any moment leaves the old ones or the new.

        Raises:
            CommandError: there is no space left, or the like.
        """
        if self._ranks.rank == 0:
            file = self._file
            state = replace(
                self._learner.state(),
                data=file.identity,
                rows=file.n,
                unlogged=tuple(self._reporter.unlogged),
            )
            self._folder.save(self.config, state, file.dataset)

    def _spoilt(self, error: NotFiniteError) -> CommandError:
        """Returns what to say of a term that is not finite, once a sound state is on the disk."""
        if error.is_undone:
            self.save()
            state = "the state before it is saved"
        else:
            state = f"the state of step {self._folder.saved_step():,} is kept"
        return CommandError(
            f"{self._folder.path}: {error}; {state}; try a lower --learning-rate than "
            f"{self._learner.rate:g}"
        )


def train(
    config: TrainConfig, run: Path | str | None = None, *, stop_after_s: float | None = None
) -> Outcome:
    """Trains until all steps are made or the time is over; goes on with a run that is there.

    Example:
        >>> from dataclasses import replace
        >>> from pathlib import Path
        >>> import monet
        >>> config = replace(monet.PRESETS["quick"], data=Path("rooms.h5"), steps=2)
        >>> monet.train(config, "runs/quick").step
        2

    Args:
        config: the whole run.
        run: its folder; runs/NAME by default.
        stop_after_s: wall-clock seconds from now; no limit by default.

    Returns:
        How many steps are made in all, and why it ended: `steps`, `time` or `signal`.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config.
        CommandError: the loss is not finite, or there is no space left.
    """
    folder = Path("runs") / config.run_name if run is None else Path(run)
    with Trainer(config, folder) as trainer:
        return trainer.run(stop_after_s)
