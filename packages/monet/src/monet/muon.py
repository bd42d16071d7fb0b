"""Muon (Jordan et al., 2024): momentum made orthogonal, for few steps; an ablation of the paper's.

A weight of several inputs and outputs moves by the orthogonal matrix nearest to its momentum, so
that all its directions learn at one rate; biases and the last layers move as Adam moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM = 0.95
BETAS = (0.9, 0.999)
EPSILON = 1e-8
FEWEST_OUTPUTS = 5
"""Layers with fewer outputs are the last ones: colours with a mask, and the attention's logit."""
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of Jordan's quintic, whose five rounds bring singular values to 0.7 to 1.2."""
ROUNDS = 5


def orthogonalise(matrices: Float[Tensor, "N R C"]) -> Float[Tensor, "N R C"]:
    """Returns about the nearest matrices whose singular values are one (Newton-Schulz)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions, Adam for the rest, at one learning rate.

    The orthogonal matrix is scaled to a root mean square of one, about what Adam's steps have, so
    that a rate means the same to both.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(params, {"lr": lr, "step": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Makes one step along the gradients."""
        for group in self.param_groups:
            group["step"] += 1
            alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.ndim >= 2 and p.shape[0] >= FEWEST_OUTPUTS:
                    alike.setdefault((p.shape[0], p[0].numel()), []).append((p, p.grad))
                else:
                    self._adam(p, p.grad, group["lr"], group["step"])
            for (rows, columns), pairs in alike.items():
                moves = orthogonalise(torch.stack([self._momentum(*pair) for pair in pairs]))
                scale = max(rows, columns) ** 0.5
                for (p, _), move in zip(pairs, moves, strict=True):
                    p.add_(move.reshape(p.shape), alpha=-group["lr"] * scale)

    def _momentum(self, p: Tensor, gradient: Tensor) -> Float[Tensor, "R C"]:
        """Takes in the gradient; returns where the momentum will point (Nesterov)."""
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(state["momentum"], MOMENTUM).flatten(1)

    def _adam(self, p: Tensor, gradient: Tensor, rate: float, step: int) -> None:
        state = self.state[p]
        if "mean" not in state:
            state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
        state["mean"].lerp_(gradient, 1 - BETAS[0])
        state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        root = (state["square"] / (1 - BETAS[1] ** step)).sqrt_().add_(EPSILON)
        p.addcdiv_(state["mean"], root, value=-rate / (1 - BETAS[0] ** step))
