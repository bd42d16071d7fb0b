"""Runs of any module with a loss: the batches, states, log and stops of MONet's own runs.

`Trainer` knows MONet's config, terms and scores; this knows none, and trains on one device in one
process. examples/slot_attention.py trains with it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from scenes.atomic import write_whole
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar
from scenes.serialise import from_json, to_json
from torch import Tensor, nn

from monet.config import first_difference
from monet.config_file import CONFIG
from monet.images import to_unit
from monet.seal import read_regular
from monet.training.data import TrainingImages, noise
from monet.training.loop import Outcome, Reason
from monet.training.optimiser import optimiser_state, restore_optimiser
from monet.training.run_folder import RunFolder
from monet.training.run_log import RunLog
from monet.training.signals import StopSignals
from monet.training.state import STATE, State, read_state, save_state
from monet.training.thread_shares import ThreadShares

LOG_EVERY, SAVE_EVERY_S = 50, 120.0
"""Steps between lines of metrics.jsonl, and seconds between saved states."""


@runtime_checkable
class Recipe(Protocol):
    """What decides a run beside its data: a frozen dataclass, kept as JSON in the run folder."""

    @property
    def image_size(self) -> int:
        """Side of the model's images, to which larger ones are averaged down."""
        ...

    @property
    def batch_size(self) -> int:
        """Images a step."""
        ...

    @property
    def seed(self) -> int:
        """Decides the order of the data and the noise."""
        ...

    @property
    def held_out(self) -> int:
        """Scenes at the end of the file that are never trained on."""
        ...

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        ...

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Returns what changes the weights."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """A torch module with a loss."""

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the Gaussian noise that the loss of one image takes."""
        ...

    def loss(
        self, image: Float[Tensor, "B 3 H W"], unit: Float[Tensor, "B ..."]
    ) -> Float[Tensor, ""]:
        """Returns the mean loss of some images of a batch.

        Args:
            image: in [0, 1].
            unit: Gaussian noise, which depends on seed, step and row alone.
        """
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As every module has it, like the two below."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the weights."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Takes weights."""
        ...


R = TypeVar("R")


class AnyRun:
    """A module, its optimiser and the number of their steps, in a folder from which they go on.

    Args:
        folder: the run folder.
        model: a module on its device, as it begins.
        recipe: how it is trained.
        file: scenes to learn from.
    """

    def __init__(
        self, folder: RunFolder, model: Trainable, recipe: Recipe, file: SceneFile
    ) -> None:
        self.step = 0
        self._folder, self._model, self._recipe, self._file = folder, model, recipe, file
        self._parameters = list(model.parameters())
        self._device = self._parameters[0].device
        self._optimiser = recipe.optimiser(self._parameters)

    def resume(self) -> None:
        """Goes to the state in the folder; where there is none, begins with config and first state.

        Raises:
            UsageError: the run there is of another config or of other scenes, or its state is gone.
            CommandError: its state is damaged, or another model's.
        """
        folder, path = self._folder, self._folder.path
        if not folder.has_state:
            folder.check_no_log()
            write_whole(path / CONFIG, to_json(self._recipe).encode())
            self.save()
            return
        before, state = read_recipe(path, type(self._recipe)), read_state(path)
        if before != self._recipe:
            raise folder.other_config(first_difference(before, self._recipe))
        folder.check_data(state, self._file)
        try:
            self._model.load_state_dict(state.model)
            restore_optimiser(self._optimiser, state.optimiser)
        except Exception as error:  # torch raises many kinds
            raise CommandError(f"{path / STATE}: of another model than {CONFIG} says") from error
        self.step = state.step

    def save(self) -> None:
        """Saves the state; a kill at any moment leaves the old one or the new.

        Raises:
            CommandError: there is no space left, or the like.
        """
        state = State(
            step=self.step,
            model=self._model.state_dict(),
            average={},
            optimiser=optimiser_state(self._optimiser),
            data=self._file.identity,
            rows=self._file.n,
        )
        with self._folder.saving():
            save_state(self._folder.path, state)

    def learn(self, images: TrainingImages, cores: ThreadShares) -> float:
        """Makes a step, a share of its batch on each core, and returns its loss.

        Raises:
            CommandError: it or its gradient is not finite; the state before the step is saved.
        """
        model, rate = self._model, self._recipe.rate(self.step)
        image = to_unit(images.batch(self.step).images)
        unit = noise(self._recipe.seed, self.step, len(image), *model.noise_shape)
        unit = unit.to(self._device)
        self._optimiser.zero_grad()
        with cores.stepping():
            terms = cores.backward(
                lambda rows: model.loss(image[rows], unit[rows])[None],
                len(image),
                self._parameters,
            )
            loss = terms.item()
            gradients = [p.grad for p in self._parameters if p.grad is not None]
            norm = torch.nn.utils.get_total_norm(gradients).item()
            for name, value in (("loss", loss), ("gradient_norm", norm)):
                if not math.isfinite(value):
                    self.save()
                    raise CommandError(
                        f"{self._folder.path}: {name} is {value} at step {self.step + 1}; the "
                        f"state before it is saved; try a lower learning rate than {rate:g}"
                    )
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            self._optimiser.step()
        self.step += 1
        return loss


def train_any(
    model: Trainable,
    recipe: Recipe,
    data: Path,
    folder: Path,
    steps: int,
    *,
    stop_after_s: float | None = None,
) -> Outcome:
    """Trains until all steps are made, the time is over, or a signal asks to stop.

    It goes on with the run in the folder, to the same weights as if it had never stopped.

    Args:
        model: a module on its device, with its first weights.
        recipe: how it is trained.
        data: file of scenes, of which the recipe leaves some out.
        folder: the run folder.
        steps: steps in all.
        stop_after_s: wall-clock seconds from now; no limit by default.

    Raises:
        UsageError: the data do not suit, or the folder holds another run.
        CommandError: the loss is not finite, a file is damaged, or there is no space left.
    """
    end = math.inf if stop_after_s is None else time.monotonic() + stop_after_s
    device = next(model.parameters()).device
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    run_folder = RunFolder(folder)
    size, batch, held = recipe.image_size, recipe.batch_size, recipe.held_out
    with (
        SceneFile(data) as file,
        closing(
            TrainingImages(file, size, batch, recipe.seed, held_out=held, device=device)
        ) as images,
        closing(ThreadShares(threads)) as cores,
        run_folder.locked(),
        StopSignals(second_ends=True) as signals,
        progress_bar() as progress,
    ):
        run = AnyRun(run_folder, model, recipe, file)
        run.resume()
        task = progress.add_task(folder.name, total=steps, completed=run.step, note="")
        losses: list[float] = []
        saved, reason = time.monotonic(), _reason(signals, end)
        with RunLog(folder, run.step) as log:
            while reason == "steps" and run.step < steps:
                losses.append(run.learn(images, cores))
                progress.update(task, completed=run.step, note=f"loss {losses[-1]:.4g}")
                if run.step % LOG_EVERY == 0:
                    log.scalars(run.step, {"loss": float(np.mean(losses))})
                    losses = []
                if time.monotonic() - saved > SAVE_EVERY_S:
                    run.save()
                    saved = time.monotonic()
                reason = _reason(signals, end)
        run.save()
    return Outcome(run.step, reason)


def read_recipe(folder: Path, kind: type[R]) -> R:
    """Reads the config of a run.

    Raises:
        CommandError: there is none, or it is damaged or of another kind.
    """
    path = folder / CONFIG
    try:
        return from_json(read_regular(path).decode(), kind)
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error


def _reason(signals: StopSignals, end: float) -> Reason:
    """Returns why a run ends here; `steps` where only they decide."""
    if signals.asked:
        return "signal"
    return "time" if time.monotonic() >= end else "steps"
