"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar

from monet.config import Device, TrainConfig, first_difference
from monet.config_file import save_config
from monet.devices import choose_device
from monet.model import Monet
from monet.training import pace
from monet.training.agenda import Agenda, Clock
from monet.training.costs import Costs
from monet.training.data import read_held_out
from monet.training.loop import Loop, Outcome, plan_steps
from monet.training.processes import Ranks
from monet.training.reporter import Reporter
from monet.training.run_folder import RunFolder
from monet.training.signals import StopSignals
from monet.training.start import start_images, start_learner, start_steps
from monet.training.steps import NotFiniteError
from monet.training.validation import Validation


class Trainer:
    """A run: its folder, model, optimiser and data.

    Args:
        config: the whole run.
        folder: the run folder; a run that it holds already is continued.
        ranks: this process among all that train; only the first one writes.
        clock: times the calls of `run`.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config, of other
            data, or without its state.
        CommandError: a saved state cannot be read.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        ranks: Ranks | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._ranks, self._clock = Ranks() if ranks is None else ranks, clock
        self._costs: Costs | None = None
        self._folder = RunFolder(folder)
        saved = self._folder.saved_state(config)
        self._learner = start_learner(config, self._ranks, saved, folder)
        self._ranks.check_same(self.step, folder)
        self._file = SceneFile(config.data)
        try:
            if saved is not None:
                advice = f", and --init-from {folder} to start from its weights"
                self._folder.check_data(saved, self._file, advice)
            self._images = start_images(config, self._file, self.device)
            self._steps = start_steps(
                self._learner, self._images, is_compiled=config.compile == "always"
            )
            images = read_held_out(self._file, config.model.image_size, config.held_out)
            self._validation = Validation(config, images, self.device)
            self._reporter = Reporter(self._validation, () if saved is None else saved.unlogged)
        except BaseException:
            self._file.close()
            raise

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
        """Whether the log lacks this step's scores, which are due, because a signal came first."""
        config, step = self.config, self.step
        is_due = step > 0 and (step % config.score_every == 0 or step >= config.steps)
        return is_due and not self._folder.is_scored(step)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._steps.close()
        self._images.close()
        self._file.close()

    def measure(self, stop_after_s: float | None = None) -> Costs:
        """Measures how long a step, scores and a state take; the run ends where it began.

        On a GPU, later steps are compiled where that saves more time than it takes. A call of `run`
        with a time limit then leaves room within it for the last scores and the state.

        Args:
            stop_after_s: wall-clock seconds that this call and `run` may take.
        """
        learner = self._learner
        with progress_bar() as progress:
            task = progress.add_task("measuring the pace", total=None, note="")
            step_s = pace.seconds_per_step(learner, self._steps)
            if pace.compiling_pays(learner, step_s, stop_after_s):
                progress.update(task, description="compiling, about a minute")
                self._steps.close()
                self._steps = start_steps(learner, self._images, is_compiled=True)
                step_s = pace.seconds_per_step(learner, self._steps)
            progress.update(task, description="measuring scores")
            score_s = pace.seconds_of_scores(self._validation, learner.weights)
            self._costs = Costs(step_s, score_s, pace.seconds_of_save(learner.state()))
        return self._costs

    def plan(self, left_s: float) -> None:
        """Plans as many steps from here as fit in a time, by the measured costs.

        Args:
            left_s: wall-clock seconds from now.
        """
        agenda = Agenda(self.step, left_s, self._costs)
        plan_steps(self._learner, self._steps, agenda.steps_that_fit(self.config, self.step))

    def adopt(self, config: TrainConfig) -> None:
        """Goes on by another config, which differs in what may change as a run goes.

        Raises:
            UsageError: it is another run's.
        """
        if config.identity != self.config.identity:
            difference = first_difference(self.config.identity, config.identity)
            raise self._folder.other_config(difference)
        self._learner.config = config
        self._steps.replan()

    def run(self, stop_after_s: float | None = None, *, fill: bool = False) -> Outcome:
        """Trains until all steps are made, the time is over, or a signal asks to stop.

        Args:
            stop_after_s: wall-clock seconds from now.
            fill: make as many steps as the time allows, whatever the config says: these are
                planned anew as the pace changes, since the learning rate may fall until the last.

        Raises:
            CommandError: the loss is not finite. On a CPU the state before that step is saved; on a
                GPU, which notices some steps later, the last saved state stays.
            UsageError: another process trains in the folder, or has since this one read it.
        """
        agenda = Agenda(self.step, stop_after_s, self._costs, self._clock)
        fill = fill and stop_after_s is not None
        if self._ranks.rank > 0:
            return self._loop(agenda, fill)
        with self._folder.locked():
            save_config(self._folder.path, self.config)
            if not self._folder.has_state:
                self.save()
            with self._reporter.logging(self._folder.path, self.step):
                outcome = self._loop(agenda, fill)
            save_config(self._folder.path, self.config)
        return outcome

    def _loop(self, agenda: Agenda, fill: bool) -> Outcome:
        with (
            progress_bar() as progress,
            StopSignals(second_ends=self._ranks.is_alone) as signals,
        ):
            loop = Loop(
                self._learner,
                self._steps,
                self._reporter,
                agenda,
                self.save,
                fill=fill,
                signals=signals,
                progress=progress,
            )
            try:
                return loop.run(is_unscored=self.is_unscored)
            except NotFiniteError as error:
                raise self._not_finite(error) from None

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

    def _not_finite(self, error: NotFiniteError) -> CommandError:
        """Makes sure that a sound state is on disk; returns the error that tells the user."""
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
    config: TrainConfig,
    run: Path | str | None = None,
    *,
    stop_after_s: float | None = None,
    device: Device = "auto",
) -> Outcome:
    """Trains until all steps are made or the time is over; continues a run that exists.

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
        device: where to compute: a CUDA GPU where there is one, else the CPU, by default.

    Returns:
        How many steps are made in all, and why it ended: `steps`, `time` or `signal`.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config.
        CommandError: the loss is not finite, or there is no space left.
    """
    folder = Path("runs") / config.run_name if run is None else Path(run)
    start = time.monotonic()
    with Trainer(config, folder, Ranks(kind=choose_device(device))) as trainer:
        if stop_after_s is None:
            return trainer.run()
        trainer.measure(stop_after_s)
        return trainer.run(max(0.0, stop_after_s - (time.monotonic() - start)))
