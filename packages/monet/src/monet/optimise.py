"""Optimiser, learning rate and moving average of weights, from their config."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monet.config import OptimiserConfig
from monet.model import Monet
from monet.muon import Muon
from monet.rmsprop import RMSPropTF

AVERAGE_WARMUP = 10
"""The moving average forgets its beginning: after t steps it keeps at most (1 + t) / (10 + t)."""
COSINE_FLOOR = 0.05


def make_optimiser(config: OptimiserConfig, model: Monet) -> torch.optim.Optimizer:
    """Returns the optimiser of a model's parameters: the attention's, then the component VAE's."""
    groups = [
        {"params": list(model.attention.parameters()), "share": 1.0},
        {"params": list(model.vae.parameters()), "share": config.vae_rate},
    ]
    if config.kind == "rmsprop":
        return RMSPropTF(groups, lr=config.learning_rate)
    if config.kind == "muon":
        return Muon(groups, lr=config.learning_rate)
    # Not fused: that reads parameters, gradients and moments as if all had the same strides.
    return torch.optim.Adam(groups, lr=config.learning_rate)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Gives each group of parameters its share of a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


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

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after `step` steps."""
        if self._decay == 0:
            return
        keep = min(self._decay, (1 + step) / (AVERAGE_WARMUP + step))
        torch._foreach_lerp_(list(self.weights.values()), self._current, 1 - keep)

    @torch.no_grad()
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Takes an average that was saved."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
