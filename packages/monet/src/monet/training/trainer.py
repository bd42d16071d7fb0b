"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar

from monet.config import TrainConfig, first_difference
from monet.config_file import CONFIG
from monet.given_masks import check_entities, needs_segmentation
from monet.model import Monet
from monet.training.agenda import Agenda
from monet.training.data import TrainingImages, fit, held_out
from monet.training.learner import Learner
from monet.training.mean_loss import Backend
from monet.training.pace import compiling_pays, seconds_per_step
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.run_folder import RunFolder
from monet.training.run_log import RunLog
from monet.training.signals import stop_signals
from monet.training.state import STATE, State
from monet.training.steps import TERMS, NotFiniteError, Steps, Terms
from monet.training.validation import Validation
from monet.training.whole_step import Form, WholeStep, cuda_graph
from monet.weights import find_weights, read_weights


@dataclass(frozen=True)
class Outcome:
    """How a call of `Trainer.run` ended."""

    step: int
    """Steps made in all."""
    reason: str
    """`steps`, `time` or `signal`."""


class Trainer:
    """A run: its folder, model, optimiser and data.

    Args:
        config: the whole run.
        folder: the run folder; one that exists is gone on with.
        ranks: this process among all that train; the first alone writes.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config or of other
            data.
        CommandError: a saved state cannot be read.
    """

    def __init__(self, config: TrainConfig, folder: Path, ranks: Ranks | None = None) -> None:
        self._ranks = Ranks() if ranks is None else ranks
        self._folder = RunFolder(folder)
        saved = self._folder.saved_state(config)
        precision = None if saved is None or config.precision != "auto" else saved.precision
        self._learner = Learner(config, self._ranks, precision=precision or None)
        self._unlogged = [] if saved is None else list(saved.unlogged)
        if saved is not None:
            self._restore(saved)
        elif config.init_from is not None:
            self._learner.start_from(read_weights(find_weights(config.init_from)))
        self._ranks.check_same(self.step, folder)
        self._file = SceneFile(config.data)
        try:
            if saved is not None:
                self._folder.check_data(saved, self._file)
            self._open_data()
        except BaseException:
            self._file.close()
            raise

    def _restore(self, saved: State) -> None:
        try:
            self._learner.restore(saved)
        except ValueError as error:
            folder = self._folder.path
            raise CommandError(
                f"{folder / STATE}: of another model than {folder / CONFIG} says"
            ) from error

    def _open_data(self) -> None:
        config = self.config
        size, labelled = config.model.image_size, needs_segmentation(config.masks)
        if labelled:
            check_entities(self._file, config.model.num_slots)
        on_device = config.cache == "device" or (
            config.cache == "auto"
            and fit(self._file, size, self.device, with_segmentation=labelled)
        )
        self._images = TrainingImages(
            self._file,
            size,
            config.batch_size,
            config.seed,
            device=self.device,
            on_device=on_device,
            with_segmentation=labelled,
        )
        self._steps = self._make_steps("inductor" if config.compile == "always" else None)
        self._validation = Validation(config, held_out(self._file, size), self.device)

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
            return self._run(None, stop_after_s, fill)
        with self._folder.held():
            self._folder.save_config(self.config)
            with RunLog(self._folder.path, self.step) as log:
                outcome = self._run(log, stop_after_s, fill)
            self._folder.save_config(self.config)
        return outcome

    def _run(self, log: RunLog | None, stop_after_s: float | None, fill: bool) -> Outcome:
        agenda = Agenda(self.step, stop_after_s)
        reason, scored = "steps", -1
        with progress_bar() as progress, stop_signals() as signals:
            task = progress.add_task(
                self.config.run_name, total=self.config.steps, completed=self.step, note=""
            )
            while self.step < self.config.steps:
                self._make_step()
                due = agenda.due(self.config, self.step, self._steps.look_every)
                if not due.look:
                    continue
                self._look()
                note = _note(self._unlogged[-1])
                progress.update(task, total=self.config.steps, completed=self.step, note=note)
                if due.log:
                    self._log_terms(log)
                if due.score:
                    self._report(log)
                    scored = self.step
                if self._ranks.any(agenda.is_over or bool(signals)):
                    reason = "signal" if self._ranks.any(bool(signals)) else "time"
                    break
                if fill and (due.log or due.last):
                    self.plan(agenda.left_s, agenda.seconds_per_step(self.step))
                if agenda.save_is_due(self.config.save_every_s):
                    self.save()
            if fill and reason == "time":
                self.adopt(replace(self.config, steps=self.step))
                reason = "steps"
            self.save()
            if self.step not in (scored, agenda.first):
                self._report(log)
        return Outcome(self.step, reason)

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
                unlogged=tuple(self._unlogged),
            )
            self._folder.save(self.config, state, file.dataset)

    def _make_step(self) -> None:
        """Makes a step, or issues it.

        Raises:
            CommandError: a term is not finite; the state before the step is saved.
        """
        try:
            self._steps.make()
        except NotFiniteError as error:
            self.save()
            raise CommandError(
                f"{self._folder.path}: {error}; the state before it is saved; {self._advice()}"
            ) from None

    def _look(self) -> None:
        """Takes the terms of the steps since the last look, for the log.

        Raises:
            CommandError: one is not finite; the last saved state stands.
        """
        try:
            self._unlogged += self._steps.terms()
        except NotFiniteError as error:
            kept = self._folder.saved_step()
            saved = "nothing was saved" if kept is None else f"the state of step {kept:,} is kept"
            raise CommandError(f"{self._folder.path}: {error}; {saved}; {self._advice()}") from None

    def _advice(self) -> str:
        return f"try a lower --learning-rate than {self._learner.rate:g}"

    def _log_terms(self, log: RunLog | None) -> None:
        """Writes a line of the steps since the last one; the first process alone has a log."""
        if log is not None:
            log.scalars(self.step, _means(self._unlogged))
        self._unlogged = []

    def _report(self, log: RunLog | None) -> None:
        """Writes scores and a picture of the held-out images."""
        if log is not None:
            weights = self._learner.weights
            log.scalars(self.step, self._validation.scores(weights))
            log.picture(self.step, self._validation.sheet(weights), self.config.model.image_size)


def _means(rows: list[Terms]) -> dict[str, float]:
    return dict(zip(TERMS, np.mean(rows, axis=0).tolist(), strict=True))


def _note(terms: Terms) -> str:
    loss, nll, kl_latent, kl_mask, _ = terms
    return f"loss {loss:,.0f} (nll {nll:,.0f}, latents {kl_latent:,.0f}, masks {kl_mask:,.0f})"


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
