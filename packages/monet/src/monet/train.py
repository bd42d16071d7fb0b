"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

import copy
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scenes.command_line import CommandError, UsageError
from scenes.file import SceneFile
from scenes.progress import progress_bar
from torch import Tensor

from monet.arithmetic import allow_tf32, half_precision
from monet.checkpoint import (
    STATE,
    WEIGHTS,
    State,
    find_weights,
    read_config,
    read_state,
    read_weights,
    save_config,
    save_state,
    save_weights,
)
from monet.config import TrainConfig, first_difference
from monet.cores import Cores
from monet.data import TrainingImages, held_out, noise
from monet.log import RunLog
from monet.masks import check_entities, log_masks_of, needs_segmentation
from monet.model import Monet, to_unit
from monet.optimise import WeightAverage, learning_rate, make_optimiser
from monet.ranks import Ranks
from monet.signals import stop_signals
from monet.validation import Validation

TIMED_STEPS = 3
TERMS = ("loss", "nll", "kl_latent", "kl_mask", "gradient_norm")
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
        UsageError: the data do not suit, or the folder holds a run of another config.
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
        self.config, self.folder = config, folder
        self._ranks = Ranks() if ranks is None else ranks
        self._share = self._ranks.share(config.batch_size)
        self.device = self._ranks.device
        gpu = self.device.type == "cuda"
        self._check_every = check_every or (GPU_CHECK_EVERY if gpu else 1)
        self._half = half_precision(config.precision, self.device)
        allow_tf32(config.precision, self.device)
        torch.manual_seed(config.seed)
        self.model = Monet(config.model).to(self.device)
        if gpu:  # on a CPU it costs a fifth (measured)
            self.model.to(memory_format=torch.channels_last)
        saved = self._saved_state()
        if saved is None and config.init_from is not None:
            _start_from(self.model, config.init_from)
        self._optimiser = make_optimiser(config.optimiser, self.model)
        self._average = WeightAverage(self.model, config.optimiser.average_decay)
        mode = "reduce-overhead" if gpu else "default"  # CUDA graphs
        self._loss = torch.compile(loss_means, mode=mode) if config.compile else loss_means
        alone = gpu or config.compile
        self._cores = Cores(1 if alone else torch.get_num_threads())
        self.step = 0
        if saved is not None:
            self._restore(saved)
        self._ranks.check_same(self.step, folder)
        self._file = SceneFile(config.data)
        try:
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

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._images.close()
        self._file.close()
        self._cores.close()

    def seconds_per_step(self) -> float:
        """Measures a step's forward and backward pass; changes nothing."""
        times = []
        warm = 3 if self.config.compile else 1  # CUDA graphs are recorded by the third
        for _ in range(warm + TIMED_STEPS):
            start = time.perf_counter()
            with self._cores.stepping():
                self._gradients(self.step)
            self._synchronise()
            times.append(time.perf_counter() - start)
        self._optimiser.zero_grad()
        return statistics.median(times[warm:])

    def run(self, stop_after_s: float | None = None) -> Outcome:
        """Trains until all steps are made, the time is over, or a signal asks to stop.

        Args:
            stop_after_s: wall-clock seconds from now.

        Raises:
            CommandError: the loss is not finite; the state before that step is saved.
        """
        if self._ranks.rank > 0:
            return self._run(None, stop_after_s)
        self.folder.mkdir(parents=True, exist_ok=True)
        save_config(self.folder, self.config)
        with RunLog(self.folder, self.step) as log:
            return self._run(log, stop_after_s)

    def _run(self, log: RunLog | None, stop_after_s: float | None) -> Outcome:
        config = self.config
        start = last_save = time.monotonic()
        reason = "steps"
        unseen: list[Tensor] = []  # terms on the device, not yet looked at
        unlogged: list[list[float]] = []
        reported = -1
        self._remember()
        with progress_bar() as progress, stop_signals() as asked:
            task = progress.add_task(
                config.run_name, total=config.steps, completed=self.step, note=""
            )
            while self.step < config.steps:
                with self._cores.stepping():
                    unseen.append(self._make_step())
                logs = self.step % config.log_every == 0
                scores = self.step % config.score_every == 0
                if not (logs or scores or self.step % self._check_every == 0):
                    continue
                unlogged += self._look(unseen)
                unseen = []
                progress.update(task, completed=self.step, note=_note(unlogged[-1]))
                if logs and log is not None:
                    log.scalars(self.step, _means(unlogged))
                if logs:
                    unlogged = []
                if scores and log is not None:
                    self._report(log)
                    reported = self.step
                now = time.monotonic()
                over = stop_after_s is not None and now - start >= stop_after_s
                if self._ranks.any(over or bool(asked)):
                    reason = "signal" if self._ranks.any(bool(asked)) else "time"
                    break
                if now - last_save >= config.save_every_s:
                    self.save()
                    last_save = now
            if unseen:
                self._look(unseen)
            self.save()
            if log is not None and reported != self.step:
                self._report(log)
        return Outcome(self.step, reason)

    def save(self) -> None:
        """Saves state and weights; a kill at any moment leaves the old ones or the new.

        Raises:
            CommandError: there is no space left, or the like.
        """
        if self._ranks.rank > 0:
            return
        try:
            save_state(self.folder, self._state())
            save_weights(
                self.folder / WEIGHTS, self._average.weights, self.config, self.step,
                self._file.dataset, {"seed": str(self.config.seed)},
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{self.folder}: {error}; the last saved state is kept") from error

    def _make_step(self) -> Float[Tensor, " T"]:
        """Makes a step; returns its terms, on the device.

        Raises:
            CommandError: every step is looked at, and a term is not finite.
        """
        terms = self._gradients(self.step)
        rate = learning_rate(self.config.optimiser, self.step, self.config.steps)
        if self._check_every == 1:
            self._refuse_infinite(terms, rate)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self.step += 1
        self._average.update(self.step)
        return terms

    def _refuse_infinite(self, terms: Float[Tensor, " T"], rate: float) -> None:
        for name, value in zip(TERMS, terms.tolist(), strict=True):
            if not math.isfinite(value):
                self.save()
                raise CommandError(
                    f"{self.folder}: {name} is {value} at step {self.step + 1}; the state before "
                    f"it is saved; try a lower --learning-rate than {rate:g}"
                )

    def _look(self, unseen: list[Tensor]) -> list[list[float]]:
        """Returns the terms of the steps since the last look.

        Raises:
            CommandError: one is not finite.
        """
        seen = torch.stack(unseen).tolist()
        if not np.isfinite(seen).all():
            # Back to the last look, and step by step to where it happened.
            reached, check_every = self.step, self._check_every
            self._restore(self._remembered)
            self._check_every = 1
            seen = [self._make_step().tolist() for _ in range(self.step, reached)]
            self._check_every = check_every
        self._remember()
        return seen

    def _remember(self) -> None:
        """Keeps a copy of the state, on the device, for when a later look finds it spoilt."""
        if self._check_every > 1:
            self._remembered = copy.deepcopy(self._state())

    def _gradients(self, step: int) -> Float[Tensor, " T"]:
        """Computes the gradients of a step; returns its terms."""
        config, share = self.config, self._share
        batch = self._images.batch(step)
        slots = config.model.num_slots
        # Of the whole batch: an image's noise does not depend on how many processes share it.
        drawn = noise(config.seed, step, len(batch), slots, config.model.latent_dim)[share]
        log_masks = log_masks_of(config, batch)
        image = to_unit(batch.images[share])
        self._optimiser.zero_grad()
        if self.device.type == "cuda" and config.compile:
            torch.compiler.cudagraph_mark_step_begin()
        drawn = drawn.to(self.device, non_blocking=True)
        log_masks = None if log_masks is None else log_masks[share]

        def loss(rows: slice) -> Float[Tensor, " T"]:
            given = None if log_masks is None else log_masks[rows]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
                return self._loss(self.model, image[rows], drawn[rows], given)

        parameters = list(self.model.parameters())
        # Cloned, as the next replay of a CUDA graph overwrites it.
        means = self._cores.backward(loss, len(image), parameters).clone()
        gradients = [p.grad for p in parameters if p.grad is not None]
        self._ranks.average_([means, *gradients])
        norm = torch.nn.utils.get_total_norm(gradients)
        return torch.cat([means, norm[None].to(means)])

    def _report(self, log: RunLog) -> None:
        weights = self._average.weights
        log.scalars(self.step, self._validation.scores(weights))
        log.picture(self.step, self._validation.sheet(weights), self.config.model.image_size)

    def _state(self) -> State:
        return State(
            step=self.step,
            model=self.model.state_dict(),
            average=self._average.weights,
            optimiser=self._optimiser.state_dict(),
        )

    def _saved_state(self) -> State | None:
        if not (self.folder / STATE).exists():
            return None
        before = read_config(self.folder)
        if before.identity != self.config.identity:
            difference = first_difference(before, self.config)
            raise UsageError(
                f"{self.folder}: a run of another config ({difference}); choose another --run"
            )
        return read_state(self.folder)

    def _restore(self, state: State) -> None:
        try:
            self.model.load_state_dict(state.model)
            self._optimiser.load_state_dict(state.optimiser)
            self._average.restore(state.average)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"{self.folder / STATE}: of another model than {self.folder / 'config.json'} says"
            ) from error
        self.step = state.step

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def loss_means(
    model: Monet,
    image: Float[Tensor, "B 3 H W"],
    noise: Float[Tensor, "B K D"],
    log_masks: Float[Tensor, "B K H W"] | None,
) -> Float[Tensor, "4"]:
    """Returns the means over a batch of loss, nll, kl_latent and kl_mask."""
    loss = model(image, noise=noise, log_masks=log_masks).loss
    return torch.stack([loss.total, loss.nll, loss.kl_latent, loss.kl_mask]).mean(dim=1)


def _start_from(model: Monet, name: str) -> None:
    """Gives a model the weights of another run.

    Raises:
        UsageError: there are none of that name, or they are another architecture's.
    """
    weights = read_weights(find_weights(name))
    try:
        model.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{weights.path}: --init-from needs weights of the same architecture "
            f"({first_difference(weights.config.model, model.config)})"
        ) from error


def _means(rows: list[list[float]]) -> dict[str, float]:
    return dict(zip(TERMS, np.mean(rows, axis=0).tolist(), strict=True))


def _note(terms: list[float]) -> str:
    loss, nll, kl_latent, kl_mask, _ = terms
    return f"loss {loss:,.0f} (nll {nll:,.0f}, latents {kl_latent:,.0f}, masks {kl_mask:,.0f})"
