"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

import copy
import math
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scenes.command_line import CommandError
from scenes.file import SceneFile
from scenes.progress import progress_bar
from torch import Tensor

from monet.checkpoint import find_weights, read_weights
from monet.config import TrainConfig
from monet.data import TrainingImages, held_out
from monet.learner import TERMS, Learner
from monet.log import RunLog
from monet.masks import check_entities, needs_segmentation
from monet.model import Monet
from monet.ranks import Ranks
from monet.run_folder import RunFolder
from monet.signals import stop_signals
from monet.validation import Validation

TIMED_STEPS, TIMED_S = 3, 2.0
"""The rate is measured over so many steps, and over so many seconds."""
GPU_CHECK_EVERY = 32
"""Steps between looks at a GPU's results, each of which waits for it."""


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
        check_every: steps between looks at the losses; by default every step, and on a GPU, which
            a look holds up, every `GPU_CHECK_EVERY`.

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config or of other
            data.
        CommandError: a saved state cannot be read.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        ranks: Ranks | None = None,
        *,
        check_every: int | None = None,
    ) -> None:
        self.config = config
        self._ranks = Ranks() if ranks is None else ranks
        gpu = self._ranks.device.type == "cuda"
        self._check_every = check_every or (GPU_CHECK_EVERY if gpu else 1)
        self._folder = RunFolder(folder)
        saved = self._folder.saved_state(config)
        self._learner = Learner(config, self._ranks)
        self._unlogged = [] if saved is None else list(saved.unlogged)
        if saved is not None:
            self._folder.restore(saved, self._learner)
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

    def _open_data(self) -> None:
        config = self.config
        if needs_segmentation(config.masks):
            check_entities(self._file, config.model.num_slots)
        self._images = TrainingImages(
            self._file,
            config.model.image_size,
            config.batch_size,
            config.seed,
            device=self.device,
            on_device=config.cache == "device",
            with_segmentation=needs_segmentation(config.masks),
        )
        kept = held_out(self._file, config.model.image_size)
        self._validation = Validation(config, kept, self.device)

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
        self._images.close()
        self._file.close()
        self._learner.cores.close()

    def seconds_per_step(self) -> float:
        """Measures steps, and goes back to where it was; the mean of all processes."""
        before = copy.deepcopy(self._learner.state())
        times: list[float] = []
        warm = 3 if self.config.compile else 1  # CUDA graphs are recorded by the third
        while len(times) < warm + TIMED_STEPS or sum(times[warm:]) < TIMED_S:
            start = time.perf_counter()
            with self._learner.cores.stepping():
                self._gradients()
                self._learner.update()
            self._synchronise()
            taken = torch.tensor(time.perf_counter() - start, device=self.device)
            self._ranks.average_([taken])  # all must agree on when to end
            times.append(taken.item())
        self._learner.forget_gradients()
        self._learner.restore(before)
        return statistics.median(times[warm:])

    def plan(self, left_s: float, seconds_per_step: float) -> None:
        """Asks for as many steps, from here on, as there is time for.

        Args:
            left_s: wall-clock seconds from now.
            seconds_per_step: measured.
        """
        fit = torch.tensor(left_s / seconds_per_step, device=self.device)
        self._ranks.average_([fit])  # clocks differ
        self._ask_for(self.step + max(1, int(fit)))

    def _ask_for(self, steps: int) -> None:
        self.config = self._learner.config = replace(self.config, steps=steps)

    def run(self, stop_after_s: float | None = None, *, fill: bool = False) -> Outcome:
        """Trains until all steps are made, the time is over, or a signal asks to stop.

        Args:
            stop_after_s: wall-clock seconds from now.
            fill: make as many steps as the time allows, whatever the config says: these are
                planned anew with every line of the log, by the rate so far, since the learning
                rate may fall until the last step.

        Raises:
            CommandError: the loss is not finite; the state before that step is saved.
            UsageError: another process trains in the folder, or has since this one read it.
        """
        if self._ranks.rank > 0:
            return self._run(None, stop_after_s, fill)
        with self._folder.held():
            self._folder.save_config(self.config)
            with RunLog(self._folder.path, self.step) as log:
                outcome = self._run(log, stop_after_s, fill)
            self._folder.save_config(self.config)
        return outcome

    def _run(self, log: RunLog | None, stop_after_s: float | None, fill: bool) -> Outcome:
        start = last_save = time.monotonic()
        first = self.step
        reason = "steps"
        unseen: list[Tensor] = []  # terms on the device, not yet looked at
        reported = -1
        self._remember()
        with progress_bar() as progress, stop_signals() as asked:
            task = progress.add_task(
                self.config.run_name, total=self.config.steps, completed=self.step, note=""
            )
            while self.step < self.config.steps:
                with self._learner.cores.stepping():
                    unseen.append(self._make_step())
                logs = self.step % self.config.log_every == 0
                scores = self.step % self.config.score_every == 0
                planned = self.step >= self.config.steps
                if not (logs or scores or planned or self.step % self._check_every == 0):
                    continue
                self._look(unseen)
                unseen = []
                note = _note(self._unlogged[-1])
                progress.update(task, total=self.config.steps, completed=self.step, note=note)
                if logs and log is not None:
                    log.scalars(self.step, _means(self._unlogged))
                if logs:
                    self._unlogged = []
                if scores and log is not None:
                    self._report(log)
                    reported = self.step
                now = time.monotonic()
                over = stop_after_s is not None and now - start >= stop_after_s
                if self._ranks.any(over or bool(asked)):
                    reason = "signal" if self._ranks.any(bool(asked)) else "time"
                    break
                if fill and (logs or planned) and stop_after_s is not None:
                    left_s = start + stop_after_s - now
                    self.plan(left_s, (now - start) / (self.step - first))
                if now - last_save >= self.config.save_every_s:
                    self.save()
                    last_save = now
            if fill and reason == "time":
                self._ask_for(self.step)
                reason = "steps"
            if unseen:
                self._look(unseen)
            self.save()
            if log is not None and self.step not in (reported, first):
                self._report(log)
        return Outcome(self.step, reason)

    def save(self) -> None:
        """Saves state and weights; a kill at any moment leaves the old ones or the new.

        Raises:
            CommandError: there is no space left, or the like.
        """
        if self._ranks.rank == 0:
            self._folder.save(self.config, self._learner, self._file, tuple(self._unlogged))

    def _make_step(self) -> Float[Tensor, " T"]:
        """Makes a step; returns its terms, on the device.

        Raises:
            CommandError: every step is looked at, and a term is not finite.
        """
        terms = self._gradients()
        if self._check_every == 1:
            self._refuse_infinite(terms)
        self._learner.update()
        return terms

    def _gradients(self) -> Float[Tensor, " T"]:
        """Computes the gradients of the step to come; returns its terms, on the device."""
        return self._learner.gradients(self._images.batch(self.step))

    def _refuse_infinite(self, terms: Float[Tensor, " T"]) -> None:
        for name, value in zip(TERMS, terms.tolist(), strict=True):
            if not math.isfinite(value):
                self.save()
                raise CommandError(
                    f"{self._folder.path}: {name} is {value} at step {self.step + 1}; the state "
                    f"before it is saved; try a lower --learning-rate than {self._learner.rate:g}"
                )

    def _look(self, unseen: list[Tensor]) -> None:
        """Takes the terms of the steps since the last look off the device, for the log.

        Raises:
            CommandError: one is not finite.
        """
        seen = torch.stack(unseen).tolist()
        if np.isfinite(seen).all():
            self._unlogged += map(tuple, seen)
        else:
            # Back to the last look, and step by step to where it happened.
            reached, check_every = self.step, self._check_every
            self._learner.restore(self._remembered)
            self._check_every = 1
            for _ in range(self.step, reached):
                self._unlogged.append(tuple(self._make_step().tolist()))
            self._check_every = check_every
        self._remember()

    def _remember(self) -> None:
        """Keeps a copy of the state, on the device, for when a later look finds it spoilt."""
        if self._check_every > 1:
            self._remembered = copy.deepcopy(self._learner.state())

    def _report(self, log: RunLog) -> None:
        weights = self._learner.weights
        log.scalars(self.step, self._validation.scores(weights))
        log.picture(self.step, self._validation.sheet(weights), self.config.model.image_size)

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def _means(rows: list[tuple[float, ...]]) -> dict[str, float]:
    return dict(zip(TERMS, np.mean(rows, axis=0).tolist(), strict=True))


def _note(terms: tuple[float, ...]) -> str:
    loss, nll, kl_latent, kl_mask, _ = terms
    return f"loss {loss:,.0f} (nll {nll:,.0f}, latents {kl_latent:,.0f}, masks {kl_mask:,.0f})"
