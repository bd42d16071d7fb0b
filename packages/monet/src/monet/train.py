"""The training loop: resumable to the bit, stopped by steps, by time or by a signal."""

from __future__ import annotations

import json
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
from PIL import Image
from scenes.ari import ari, ari_fg
from scenes.command_line import CommandError, UsageError
from scenes.file import SceneFile
from scenes.progress import progress_bar
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from monet.checkpoint import (
    STATE,
    WEIGHTS,
    State,
    read_config,
    read_state,
    save_config,
    save_state,
    save_weights,
)
from monet.config import TrainConfig
from monet.data import TrainingImages, held_out, noise
from monet.model import Monet, to_unit
from monet.optimise import WeightAverage, learning_rate, make_optimiser
from monet.picture import decomposition_sheet

METRICS = "metrics.jsonl"
TIMED_STEPS = 3
TERMS = ("total", "nll", "kl_latent", "kl_mask")
PICTURED = 8


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

    Raises:
        UsageError: the data do not suit, or the folder holds a run of another config.
        CommandError: a saved state cannot be read.
    """

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self._file = SceneFile(config.data)
        try:
            self._images = TrainingImages(
                self._file, config.model.image_size, config.batch_size, config.seed
            )
            saved = self._saved_state()
        except (UsageError, CommandError):
            self._file.close()
            raise
        self._held_out = held_out(self._file, config.model.image_size)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        self.model = Monet(config.model).to(self.device)
        if self.device.type == "cuda":  # on a CPU it costs a fifth (measured)
            self.model.to(memory_format=torch.channels_last)
        self._optimiser = make_optimiser(config.optimiser, self.model)
        self._average = WeightAverage(self.model, config.optimiser.average_decay)
        self._forward = torch.compile(self.model) if config.compile else self.model
        self._half = half_precision(config.precision, self.device)
        self.step = 0
        if saved is not None:
            self._restore(saved)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._images.close()
        self._file.close()

    def seconds_per_step(self) -> float:
        """Measures a step's forward and backward pass; changes nothing."""
        times = []
        for _ in range(1 + TIMED_STEPS):
            start = time.perf_counter()
            self._loss(self.step)
            self._synchronise()
            times.append(time.perf_counter() - start)
        self._optimiser.zero_grad()
        return statistics.median(times[1:])

    def run(self, stop_after_s: float | None = None) -> Outcome:
        """Trains until all steps are made, the time is over, or a signal asks to stop.

        Args:
            stop_after_s: wall-clock seconds from now.

        Raises:
            CommandError: the loss is not finite; the state before that step is saved.
        """
        config = self.config
        start = last_save = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        save_config(self.folder, config)
        self._forget_after(self.step)
        writer = SummaryWriter(str(self.folder))
        reason = "steps"
        sums: dict[str, list[float]] = {name: [] for name in TERMS}
        with progress_bar() as progress, _stop_signals() as asked:
            task = progress.add_task(
                config.name, total=config.steps, completed=self.step, note=""
            )  # fmt: skip
            while self.step < config.steps:
                terms = self._make_step()
                for name, value in terms.items():
                    sums[name].append(value)
                progress.update(task, completed=self.step, note=f"loss {terms['total']:,.0f}")
                if self.step % config.log_every == 0:
                    self._log(writer, {name: float(np.mean(sums[name])) for name in TERMS})
                    sums = {name: [] for name in TERMS}
                if self.step % config.score_every == 0:
                    self._log(writer, self.scores())
                now = time.monotonic()
                if asked or (stop_after_s is not None and now - start >= stop_after_s):
                    reason = "signal" if asked else "time"
                    break
                if now - last_save >= config.save_every_s:
                    self.save()
                    last_save = now
            self.save()
        self._log(writer, self.scores())
        self._picture(writer)
        writer.close()
        return Outcome(self.step, reason)

    def scores(self) -> dict[str, float]:
        """Returns scores of the held-out images: `ari` and `ari_fg` where the truth is known.

        `slots_used` is the number of slots that are the largest somewhere, on average.
        """
        segmentation = self._decompose(self._held_out.images)
        used = np.mean([len(np.unique(image)) for image in segmentation])
        scores = {"slots_used": float(used)}
        true = self._held_out.segmentation
        if true is not None:
            scores["ari"] = float(np.mean(ari(true, segmentation)))
            of_objects = ari_fg(true, segmentation, self._held_out.num_background)
            if not np.isnan(of_objects).all():
                scores["ari_fg"] = float(np.nanmean(of_objects))
        return scores

    def save(self) -> None:
        """Saves state and weights; a kill at any moment leaves the old ones or the new."""
        state = State(
            step=self.step,
            model=self.model.state_dict(),
            average=self._average.weights,
            optimiser=self._optimiser.state_dict(),
        )
        try:
            save_state(self.folder, state)
            save_weights(
                self.folder / WEIGHTS, self._average.weights, self.config, self.step,
                self._file.dataset,
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{self.folder}: {error}; the last saved state is kept") from error

    def _make_step(self) -> dict[str, float]:
        rate = learning_rate(self.config.optimiser, self.step, self.config.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        terms = self._loss(self.step)
        for name, value in terms.items():
            if not math.isfinite(value):
                self.save()
                raise CommandError(
                    f"{self.folder}: {name} is {value} at step {self.step + 1}; the state before "
                    f"it is saved; try a lower --learning-rate than {rate:g}"
                )
        self._optimiser.step()
        self.step += 1
        self._average.update(self.step)
        return terms

    def _loss(self, step: int) -> dict[str, float]:
        """Computes the gradients of a step; returns the means of the loss terms."""
        config = self.config
        image = to_unit(self._images.batch(step).to(self.device))
        drawn = noise(
            config.seed, step, len(image), config.model.num_slots, config.model.latent_dim
        )
        self._optimiser.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            loss = self._forward(image, noise=drawn.to(self.device)).loss
        means: dict[str, Tensor] = {name: getattr(loss, name).mean() for name in TERMS}
        means["total"].backward()
        values = torch.stack([value.detach() for value in means.values()]).tolist()
        return dict(zip(means, values, strict=True))

    def _decompose(self, images: np.ndarray) -> np.ndarray:
        """Returns the slot of each pixel, by the averaged weights."""
        return self._averaged().decompose(images).masks.argmax(axis=1)

    def _averaged(self) -> Monet:
        model = Monet(self.config.model).to(self.device)
        model.load_state_dict(self._average.weights)
        return model.eval()

    def _log(self, writer: SummaryWriter, values: dict[str, float]) -> None:
        row = {"step": self.step, **{_LOG_NAMES.get(k, k): v for k, v in values.items()}}
        with (self.folder / METRICS).open("a") as file:
            file.write(json.dumps(row) + "\n")
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(name, value, self.step)

    def _picture(self, writer: SummaryWriter) -> None:
        images = self._held_out.images[:PICTURED]
        sheet = decomposition_sheet(images, self._averaged().decompose(images))
        writer.add_image("decomposition", sheet, self.step, dataformats="HWC")
        scale = max(1, 96 // self.config.model.image_size)
        picture = Image.fromarray(sheet)
        size = (picture.width * scale, picture.height * scale)
        picture.resize(size, Image.Resampling.NEAREST).save(self.folder / "decomposition.png")

    def _saved_state(self) -> State | None:
        if not (self.folder / STATE).exists():
            return None
        same = replace(self.config, steps=1, log_every=1, score_every=1, save_every_s=1.0)
        before = read_config(self.folder)
        if replace(before, steps=1, log_every=1, score_every=1, save_every_s=1.0) != same:
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
        except (RuntimeError, ValueError, KeyError) as error:
            raise CommandError(
                f"{self.folder / STATE}: of another model than {self.folder / 'config.json'} says"
            ) from error
        self.step = state.step

    def _forget_after(self, step: int) -> None:
        """Drops what was logged after the saved state: it will be logged again."""
        path = self.folder / METRICS
        if path.exists():
            rows = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            path.write_text("".join(f"{row}\n" for row in rows))

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


_LOG_NAMES = {"total": "loss"}


def half_precision(precision: str, device: torch.device) -> bool:
    """Tells whether to compute in bfloat16: `auto` does where the processor has it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _difference(before: Any, now: Any) -> str:
    """Names the first field in which two configs differ."""
    for name, old in vars(before).items():
        new = getattr(now, name)
        if old != new:
            return _difference(old, new) if hasattr(old, "__dict__") else f"{name} {old}, not {new}"
    return "nothing"


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut short by a kill
        return 1 << 62


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
