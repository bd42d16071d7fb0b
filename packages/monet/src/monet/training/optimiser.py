"""Optimiser, learning rate and moving average of weights, from their config."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from monet.config import OptimiserConfig
from monet.model import Monet
from monet.training.muon import Muon
from monet.training.rmsprop import RMSPropTF

AVERAGE_WARMUP = 10
"""In step t the moving average keeps at most the share (1 + t) / (10 + t) of itself, so that it
soon forgets the random weights of the start."""
COSINE_FLOOR = 0.05
"""Share of the learning rate to which the cosine falls."""


def make_optimiser(
    config: OptimiserConfig, model: Monet, *, capturable: bool = False
) -> torch.optim.Optimizer:
    """Returns the optimiser of a model's parameters: the attention's, then the component VAE's.

    Args:
        config: which optimiser, and its rates.
        model: on its device.
        capturable: whether rates and step counts are tensors on the device, so that a CUDA graph
            can hold a step.
    """
    device = next(model.parameters()).device

    def rate(share: float) -> float | Tensor:
        value = config.learning_rate * share
        return torch.tensor(value, device=device) if capturable else value

    groups = [
        {"params": list(part.parameters()), "share": share, "lr": rate(share)}
        for part, share in ((model.attention, 1.0), (model.vae, config.vae_rate))
    ]
    if config.kind == "rmsprop":
        return RMSPropTF(groups)
    if config.kind == "muon":
        return Muon(groups, config.learning_rate, batched=capturable)
    # Not fused: that assumes the same strides of parameters, gradients and moments.
    return torch.optim.Adam(groups, capturable=capturable and device.type == "cuda")


def set_rate(optimiser: torch.optim.Optimizer, rate: float | Float[Tensor, ""]) -> None:
    """Sets the learning rate of each group of parameters, which is a share of the attention's.

    Args:
        optimiser: from `make_optimiser`.
        rate: the attention network's; may be a tensor if the optimiser is capturable.
    """
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].copy_(rate * group["share"])
        else:
            group["lr"] = rate * group["share"]


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Returns an optimiser's state in plain numbers, so that a capturable one looks the same."""
    state = optimiser.state_dict()
    groups = [
        {name: _plain(name, value) for name, value in group.items()}
        for group in state["param_groups"]
    ]
    return {**state, "param_groups": groups}


def _plain(name: str, value: Any) -> Any:
    if name == "capturable":
        return False
    if isinstance(value, Tensor):
        return int(value.item()) if name == "step" else value.item()
    return value


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restores what `optimiser_state` returned, except for rates and whether it is capturable.

    Raises:
        AttributeError, IndexError, KeyError, TypeError, ValueError: the state is another
            optimiser's.
    """
    rates = [group["lr"] for group in optimiser.param_groups]
    capturable = optimiser.defaults.get("capturable")
    own = {} if capturable is None else {"capturable": capturable}
    groups = [{**group, **own} for group in state["param_groups"]]
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for number, moments in state["state"].items():
        for moment in moments.values():
            if isinstance(moment, Tensor) and moment.shape not in ((), parameters[number].shape):
                raise ValueError(f"moments of parameter {number} have another shape")
    optimiser.load_state_dict({**state, "param_groups": groups})
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        if isinstance(rate, Tensor):
            group["lr"] = rate


def learning_rate(config: OptimiserConfig, step: int, steps: int) -> float:
    """Returns the rate of a step, counted from 0, of a run of `steps`."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        rate *= (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
        rate *= COSINE_FLOOR + (1 - COSINE_FLOOR) * fall
    return rate


class WeightAverage:
    """A moving average of a model's weights; with decay 0 the weights themselves."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        current = model.state_dict()  # views, which follow the model
        self._current = list(current.values())
        self.weights = {
            name: value if decay == 0 else value.clone() for name, value in current.items()
        }

    def share(self, step: int) -> float:
        """Returns how far step `step` moves the average towards the weights, from 0 to 1."""
        return 1 - min(self._decay, (1 + step) / (AVERAGE_WARMUP + step))

    @torch.no_grad()
    def update(self, share: float | Float[Tensor, ""]) -> None:
        """Moves the average towards the weights.

        Args:
            share: how far, from the method `share`; a tensor where a CUDA graph holds the step.
        """
        if self._decay == 0:
            return
        averages = list(self.weights.values())
        if isinstance(share, Tensor):
            gaps = torch._foreach_sub(self._current, averages)
            torch._foreach_mul_(gaps, share)
            torch._foreach_add_(averages, gaps)
        else:
            torch._foreach_lerp_(averages, self._current, share)

    @torch.no_grad()
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Goes to an average that was saved.

        Raises:
            ValueError: the average is of other weights.
        """
        shapes = {name: value.shape for name, value in weights.items()}
        if shapes != {name: value.shape for name, value in self.weights.items()}:
            raise ValueError("the average is of other weights")
        for name, value in weights.items():
            self.weights[name].copy_(value)
