"""Initial weights (appendix B.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def truncated_normal_(weight: Tensor, fan_in: int) -> None:
    """Fills a weight from a normal of deviation 1/sqrt(fan_in), cut at two deviations."""
    deviation = fan_in**-0.5
    nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


def initialise_(module: nn.Module) -> None:
    """Gives every convolution and linear layer truncated normal weights and zero biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            truncated_normal_(layer.weight, layer.weight[0].numel())
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)
