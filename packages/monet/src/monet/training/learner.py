"""The part of a run that learns: a model, its averaged weights and its optimiser."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from scenes.command_line import UsageError
from torch import Tensor

from monet.arithmetic import allow_tf32, chosen_precision
from monet.config import Precision, TrainConfig, first_difference
from monet.config_file import Stage
from monet.model import Monet
from monet.training.data import noise
from monet.training.growth import grow
from monet.training.mean_loss import Backend, MeanLoss
from monet.training.optimiser import (
    WeightAverage,
    learning_rate,
    make_optimiser,
    optimiser_state,
    restore_optimiser,
)
from monet.training.processes import Ranks
from monet.training.state import State
from monet.weights import Weights


class Learner:
    """A model, the moving average of its weights, and its optimiser.

    `PlainStep` and `WholeStep` make its steps.

    Args:
        config: the whole run.
        ranks: this process among all that train.
        precision: what the run began with; by default as the config says.
        capturable: whether a CUDA graph can hold its steps; by default on a GPU.
    """

    def __init__(
        self,
        config: TrainConfig,
        ranks: Ranks,
        *,
        precision: Precision | None = None,
        capturable: bool | None = None,
    ) -> None:
        self.config, self.ranks, self.device = config, ranks, ranks.device
        gpu = self.device.type == "cuda"
        self.precision = precision or chosen_precision(config.precision, self.device)
        allow_tf32(self.precision, self.device)
        torch.manual_seed(config.seed)
        self.model = Monet(config.model, config.loss).to(self.device)
        if gpu:  # on a CPU it costs a fifth (measured)
            self.model.to(memory_format=torch.channels_last)
        capturable = gpu if capturable is None else capturable
        self.optimiser = make_optimiser(config.optimiser, self.model, capturable=capturable)
        self.average = WeightAverage(self.model, config.optimiser.average_decay)
        self.step = 0
        self.stages: tuple[Stage, ...] = ()
        """The runs that this one goes on from."""

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.average.weights

    @property
    def rate(self) -> float:
        """Learning rate of the step to come, the attention network's."""
        return learning_rate(self.config.optimiser, self.step, self.config.steps)

    def noise(self, step: int) -> Float[Tensor, "b K D"]:
        """Returns the noise of a step's latents, for this process's share of the batch."""
        config = self.config
        shape = (config.batch_size, config.model.num_slots, config.model.latent_dim)
        # Drawn for the whole batch, so that an image's does not depend on the processes.
        return noise(config.seed, step, *shape)[self.ranks.share(config.batch_size)]

    def mean_loss(self, backend: Backend | None = None) -> MeanLoss:
        """Returns the loss of a batch, compiled by `backend` if there is one."""
        return MeanLoss(self.model, self.config.loss, self.config.ablations, backend=backend)

    def state(self) -> State:
        """Returns what a run needs to go on from here, as views: later steps change them."""
        return State(
            step=self.step,
            model=self.model.state_dict(),
            average=self.average.weights,
            optimiser=optimiser_state(self.optimiser),
            stages=self.stages,
            precision=self.precision,
        )

    def restore(self, state: State) -> None:
        """Goes to a saved state.

        Raises:
            ValueError: the state is another model's.
        """
        try:
            self.model.load_state_dict(state.model)
            restore_optimiser(self.optimiser, state.optimiser)
            self.average.restore(state.average)
        except Exception as error:  # torch raises many kinds
            raise ValueError("the state is another model's") from error
        self.step, self.stages = state.step, state.stages

    def start_from(self, weights: Weights) -> None:
        """Takes the weights of another run, with `--grow` those of a smaller model too.

        Raises:
            UsageError: the weights are another architecture's.
        """
        before = weights.config.model
        tensors: Mapping[str, Tensor] = weights.tensors
        if self.config.grow:
            tensors = grow(tensors, before, self.model)
        try:
            self.model.load_state_dict(tensors)
        except RuntimeError as error:
            difference = first_difference(before.architecture, self.config.model.architecture)
            advice = "" if self.config.grow else "; --grow goes on from a smaller one"
            raise UsageError(
                f"{weights.path}: --init-from needs weights of the same architecture "
                f"({difference}){advice}"
            ) from error
        self.average.restore(self.model.state_dict())
        self.stages = weights.stages_with_own
