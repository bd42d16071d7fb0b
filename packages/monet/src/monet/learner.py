"""What learns in a run: the model, its averaged weights and its optimiser, step by step."""

from __future__ import annotations

import torch
from jaxtyping import Float
from scenes.command_line import UsageError
from torch import Tensor

from monet.arithmetic import allow_tf32, half_precision
from monet.checkpoint import Stage, State, Weights
from monet.config import TrainConfig, first_difference
from monet.cores import Cores
from monet.data import Batch, noise
from monet.grow import grow
from monet.masks import log_masks_of
from monet.model import Monet, to_unit
from monet.optimise import WeightAverage, learning_rate, make_optimiser, set_rate
from monet.ranks import Ranks

TERMS = ("loss", "nll", "kl_latent", "kl_mask", "gradient_norm")


class Learner:
    """A model, the moving average of its weights, and its optimiser, after so many steps.

    Args:
        config: the whole run.
        ranks: this process among all that train.
    """

    def __init__(self, config: TrainConfig, ranks: Ranks) -> None:
        self.config, self.device = config, ranks.device
        self._ranks, self._share = ranks, ranks.share(config.batch_size)
        gpu = self.device.type == "cuda"
        self._half = half_precision(config.precision, self.device)
        allow_tf32(config.precision, self.device)
        torch.manual_seed(config.seed)
        self.model = Monet(config.model).to(self.device)
        if gpu:  # on a CPU it costs a fifth (measured)
            self.model.to(memory_format=torch.channels_last)
        self._optimiser = make_optimiser(config.optimiser, self.model)
        self._average = WeightAverage(self.model, config.optimiser.average_decay)
        mode = "reduce-overhead" if gpu else "default"  # CUDA graphs
        self._loss = torch.compile(loss_means, mode=mode) if config.compile else loss_means
        alone = gpu or config.compile
        self.cores = Cores(1 if alone else torch.get_num_threads())
        self.step = 0
        self.stages: tuple[Stage, ...] = ()
        """The runs that this one goes on from."""

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self._average.weights

    @property
    def rate(self) -> float:
        """Learning rate of the step to come, the attention network's."""
        return learning_rate(self.config.optimiser, self.step, self.config.steps)

    def gradients(self, batch: Batch) -> Float[Tensor, " T"]:
        """Computes the gradients of the step to come, and changes nothing else.

        Args:
            batch: the whole batch of the step, of which this process takes its share.

        Returns:
            Its terms (`TERMS`), on the device.
        """
        config, share = self.config, self._share
        slots = config.model.num_slots
        # Of the whole batch: an image's noise does not depend on how many processes share it.
        drawn = noise(config.seed, self.step, len(batch), slots, config.model.latent_dim)[share]
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
        means = self.cores.backward(loss, len(image), parameters).clone()
        gradients = [p.grad for p in parameters if p.grad is not None]
        self._ranks.average_([means, *gradients])
        norm = torch.nn.utils.get_total_norm(gradients)
        return torch.cat([means, norm[None].to(means)])

    def forget_gradients(self) -> None:
        """Frees the gradients."""
        self._optimiser.zero_grad()

    def update(self) -> None:
        """Makes the step that the gradients were computed for."""
        set_rate(self._optimiser, self.rate)
        self._optimiser.step()
        self.step += 1
        self._average.update(self.step)

    def state(self) -> State:
        """Returns what is needed to go on from here: views, which follow the steps to come."""
        return State(
            step=self.step,
            model=self.model.state_dict(),
            average=self._average.weights,
            optimiser=self._optimiser.state_dict(),
            stages=self.stages,
        )

    def restore(self, state: State) -> None:
        """Goes to a state.

        Raises:
            ValueError: it is another model's.
        """
        try:
            self.model.load_state_dict(state.model)
            self._optimiser.load_state_dict(state.optimiser)
            self._average.restore(state.average)
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"the state is another model's: {error}") from error
        self.step, self.stages = state.step, state.stages

    def start_from(self, weights: Weights) -> None:
        """Takes the weights of another run, whose model may be smaller (`grow`).

        Raises:
            UsageError: they are another architecture's.
        """
        try:
            self.model.load_state_dict(grow(weights.tensors, weights.config.model, self.model))
        except RuntimeError as error:
            difference = first_difference(
                weights.config.model.architecture, self.config.model.architecture
            )
            raise UsageError(
                f"{weights.path}: --init-from needs weights of the same architecture ({difference})"
            ) from error
        self._average.restore(self.model.state_dict())
        self.stages = (*weights.stages, Stage(weights.step, weights.config))


def loss_means(
    model: Monet,
    image: Float[Tensor, "B 3 H W"],
    noise: Float[Tensor, "B K D"],
    log_masks: Float[Tensor, "B K H W"] | None,
) -> Float[Tensor, "4"]:
    """Returns the means over a batch of loss, nll, kl_latent and kl_mask."""
    loss = model(image, noise=noise, log_masks=log_masks).loss
    return torch.stack([loss.total, loss.nll, loss.kl_latent, loss.kl_mask]).mean(dim=1)
