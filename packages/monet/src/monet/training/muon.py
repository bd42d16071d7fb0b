"""Muon (Jordan et al., 2024), which needs fewer steps than the paper's RMSProp.

Each weight matrix or convolution moves by the orthogonal matrix nearest to its momentum, so that
all its directions learn at the same rate. Biases and the last layers move as Adam moves them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM = 0.95
BETAS = (0.9, 0.999)
EPSILON = 1e-8
FEWEST_OUTPUTS = 5
"""Only the last layers have fewer outputs: the decoder four channels, the attention one."""
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of Jordan's quintic; five rounds of it bring all singular values to 0.7 to 1.2."""
ROUNDS = 5
LEAST_ROWS = 64
"""Rows to which the smallest matrices are padded."""


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

    The orthogonal matrix is scaled to a root mean square of one. Adam's steps have about that, so
    that one learning rate suits both.

    Args:
        params: parameters, or groups of them.
        lr: learning rate; a tensor with `batched`.
        batched: make all matrices orthogonal in a few batches, padded with zeros, and keep rates
            and step counts in tensors, so that a CUDA graph can hold a step. The result is the
            same but for rounding.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor,
        *,
        batched: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "step": 0})
        self._batches: list[PaddedMatrices] | None = None
        self.batched = batched

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Makes one step along the gradients."""
        if self.batched:
            self._batched_step()
            return
        for group in self.param_groups:
            group["step"] += 1
            alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if _is_matrix(p):
                    alike.setdefault((p.shape[0], p[0].numel()), []).append((p, p.grad))
                else:
                    self._adam(p, p.grad, group["lr"], group["step"])
            for (rows, columns), pairs in alike.items():
                moves = orthogonalise(torch.stack([self._momentum(*pair) for pair in pairs]))
                scale = max(rows, columns) ** 0.5
                for (p, _), move in zip(pairs, moves, strict=True):
                    p.add_(move.reshape(p.shape), alpha=-group["lr"] * scale)

    def _momentum(self, p: Tensor, gradient: Tensor) -> Float[Tensor, "R C"]:
        """Adds the gradient to the momentum; returns where that points next (Nesterov)."""
        momentum = self._moment(p, "momentum")
        momentum.lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM).flatten(1)

    def _adam(self, p: Tensor, gradient: Tensor, rate: float, step: int) -> None:
        mean, square = self._moment(p, "mean"), self._moment(p, "square")
        mean.lerp_(gradient, 1 - BETAS[0])
        square.lerp_(gradient.square(), 1 - BETAS[1])
        root = (square / (1 - BETAS[1] ** step)).sqrt_().add_(EPSILON)
        p.addcdiv_(mean, root, value=-rate / (1 - BETAS[0] ** step))

    def _moment(self, p: Tensor, name: str) -> Tensor:
        """Returns a running mean of a parameter's gradients by its name; at first zeros."""
        state = self.state[p]
        if name not in state:
            state[name] = torch.zeros_like(p)
        moment: Tensor = state[name]
        return moment

    def _batched_step(self) -> None:
        for group in self.param_groups:
            if not isinstance(group["step"], Tensor):
                group["step"] = torch.full_like(group["lr"], group["step"])
            group["step"] += 1
            self._batched_adam(group)
        learning = [
            (p, group["lr"])
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None and _is_matrix(p)
        ]
        if not learning:
            return
        if self._batches is None:
            self._batches = padded_matrices([p for p, _ in learning])
        gradients = [p.grad for p, _ in learning if p.grad is not None]
        momenta = [self._moment(p, "momentum") for p, _ in learning]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        aims = torch._foreach_lerp(gradients, momenta, MOMENTUM)
        for batch in self._batches:
            rates = torch.stack([learning[i][1] for i in batch.members])
            moves = batch.orthogonal([aims[i] for i in batch.members], rates)
            torch._foreach_sub_([learning[i][0] for i in batch.members], moves)

    def _batched_adam(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None and not _is_matrix(p)]
        if not params:
            return
        gradients = [p.grad for p in params]
        means = [self._moment(p, "mean") for p in params]
        squares = [self._moment(p, "square") for p in params]
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - BETAS[1])
        roots = torch._foreach_div(squares, _one_less_power(BETAS[1], group["step"]))
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, EPSILON)
        moves = torch._foreach_div(means, roots)
        torch._foreach_mul_(moves, group["lr"] / _one_less_power(BETAS[0], group["step"]))
        torch._foreach_sub_(params, moves)


class PaddedMatrices:
    """Matrices of several shapes as one batch, each turned to lie on its longer side and padded.

    The zeros change neither the norms nor the products of `orthogonalise`.

    Args:
        params: all matrices of a model.
        members: indices of those in this batch.
        rows: of each padded matrix, at least the smaller side of every member.
    """

    def __init__(self, params: Sequence[Tensor], members: Sequence[int], rows: int) -> None:
        self.members = members
        self._shapes = [params[i].shape for i in members]
        sides = [(shape[0], shape[1:].numel()) for shape in self._shapes]
        self._sides = [(min(pair), max(pair)) for pair in sides]
        self._tall = [a > b for a, b in sides]
        columns = max(large for _, large in self._sides)
        example = params[0]
        self._padded = example.new_zeros(len(members), rows, columns)
        self._scales = example.new_tensor([large**0.5 for _, large in self._sides])

    def orthogonal(self, aims: Sequence[Tensor], rates: Float[Tensor, " N"]) -> list[Tensor]:
        """Returns each member's move: the orthogonal matrix nearest to its aim, times its rate."""
        a, b, c = NEWTON_SCHULZ
        for place, aim, (small, large), tall in zip(
            self._padded, aims, self._sides, self._tall, strict=True
        ):
            flat = aim.flatten(1)
            place[:small, :large].copy_(flat.mT if tall else flat)
        x = self._padded / (torch.linalg.matrix_norm(self._padded, keepdim=True) + 1e-7)
        for _ in range(ROUNDS):  # as in `orthogonalise`, in three products a round
            square = x @ x.mT
            square = torch.baddbmm(square, square, square, beta=b, alpha=c)
            x = torch.baddbmm(x, square, x, beta=a)
        x = x * (rates * self._scales)[:, None, None]
        moves = []
        for y, shape, (small, large), tall in zip(
            x, self._shapes, self._sides, self._tall, strict=True
        ):
            move = y[:small, :large]
            moves.append((move.mT if tall else move).reshape(shape))
        return moves


def padded_matrices(params: Sequence[Tensor]) -> list[PaddedMatrices]:
    """Groups matrices into batches by their smaller side: up to 64, up to 128 and so on."""
    batches: dict[int, list[int]] = {}
    for i, p in enumerate(params):
        small = min(p.shape[0], p[0].numel())
        rows = LEAST_ROWS
        while rows < small:
            rows *= 2
        batches.setdefault(rows, []).append(i)
    return [PaddedMatrices(params, members, rows) for rows, members in batches.items()]


def _is_matrix(p: Tensor) -> bool:
    return p.ndim >= 2 and p.shape[0] >= FEWEST_OUTPUTS


def _one_less_power(beta: float, step: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Returns 1 - beta^step, exact where beta^step is nearly 1."""
    return -torch.expm1(step * math.log(beta))
