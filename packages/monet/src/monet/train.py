"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

import copy
import math
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scenes.ari import ari, ari_fg
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
from monet.config import TrainConfig
from monet.cores import Cores
from monet.data import Batch, TrainingImages, held_out, noise
from monet.log import RunLog
from monet.masks import check_entities, given_log_masks, needs_segmentation
from monet.model import Decompositions, Monet, to_unit
from monet.optimise import WeightAverage, learning_rate, make_optimiser
from monet.picture import decomposition_sheet
from monet.ranks import Ranks

TIMED_STEPS = 3
TERMS = ("loss", "nll", "kl_latent", "kl_mask", "gradient_norm")
PICTURED = 8
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
        self._held_out = held_out(self._file, config.model.image_size)

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
        with progress_bar() as progress, _stop_signals() as asked:
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
        log_masks = self._given_log_masks(batch)
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

    def _given_log_masks(self, batch: Batch) -> Float[Tensor, "B K H W"] | None:
        masks = self.config.masks
        if masks == "attention":
            return None
        segmentation = batch.images[..., 0] if batch.segmentation is None else batch.segmentation
        return given_log_masks(masks, segmentation, self.config.model.num_slots)

    def _report(self, log: RunLog) -> None:
        log.scalars(self.step, self.scores())
        images = self._held_out.images[:PICTURED]
        sheet = decomposition_sheet(images, self._decompose(PICTURED))
        log.picture(self.step, sheet, self.config.model.image_size)

    def scores(self) -> dict[str, float]:
        """Returns scores of the held-out images, by the averaged weights.

        `held_out_*` are the loss's terms; `slots_used` is the number of slots that are the largest
        somewhere, on average, and `slot_share/k` the share of pixels that slot k has; `ari` and
        `ari_fg` where the truth is known and the masks are learned.
        """
        parts = self._decompose()
        segmentation = parts.masks.argmax(axis=1)
        shares = parts.masks.mean(axis=(0, 2, 3))
        scores = {
            "held_out_nll": float(parts.nll.mean()),
            "held_out_kl_latent": float(parts.kl_latent.mean()),
            "held_out_kl_mask": float(parts.kl_mask.mean()),
            "slots_used": float(np.mean([len(np.unique(image)) for image in segmentation])),
            **{f"slot_share/{k}": float(share) for k, share in enumerate(shares)},
        }
        true = self._held_out.segmentation
        if true is not None and self.config.masks == "attention":
            scores["ari"] = float(np.mean(ari(true, segmentation)))
            of_objects = ari_fg(true, segmentation, self._held_out.num_background)
            if not np.isnan(of_objects).all():
                scores["ari_fg"] = float(np.nanmean(of_objects))
        return scores

    def _decompose(self, count: int | None = None) -> Decompositions:
        """Decomposes the first held-out images by the averaged weights."""
        model = Monet(self.config.model).to(self.device)
        model.load_state_dict(self._average.weights)
        kept = self._held_out
        images = torch.from_numpy(kept.images)
        segmentation = None if kept.segmentation is None else torch.from_numpy(kept.segmentation)
        # Of all held-out scenes, so that a wrong mask is the same whatever `count` is.
        log_masks = self._given_log_masks(Batch(images, segmentation))
        masks = None if log_masks is None else log_masks[:count].exp()
        return model.eval().decompose(images[:count], masks=masks)

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
        if _identity(before) != _identity(self.config):
            raise UsageError(
                f"{self.folder}: a run of another config ({_difference(before, self.config)}); "
                f"choose another --run"
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
            f"({_difference(weights.config.model, model.config)})"
        ) from error


def _identity(config: TrainConfig) -> TrainConfig:
    """Returns a config without what may change when a run goes on."""
    return replace(config, steps=1, log_every=1, score_every=1, save_every_s=1.0)


def _difference(before: Any, now: Any) -> str:
    """Names the first field in which two configs differ."""
    for name, old in vars(before).items():
        new = getattr(now, name)
        if old != new:
            return _difference(old, new) if hasattr(old, "__dict__") else f"{name} {old}, not {new}"
    return "nothing"


def _means(rows: list[list[float]]) -> dict[str, float]:
    return dict(zip(TERMS, np.mean(rows, axis=0).tolist(), strict=True))


def _note(terms: list[float]) -> str:
    loss, nll, kl_latent, kl_mask, _ = terms
    return f"loss {loss:,.0f} (nll {nll:,.0f}, latents {kl_latent:,.0f}, masks {kl_mask:,.0f})"


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Gathers SIGINT and SIGTERM in a list instead of ending the process."""
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {s: signal.signal(s, remember) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
