"""RMSProp as TensorFlow 1 had it, with which the paper trained (appendix B.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RMSPropTF(torch.optim.Optimizer):
    """RMSProp with decay 0.9, epsilon inside the root, and an accumulator that starts at one.

    torch's own has decay 0.99, epsilon outside the root and an accumulator from zero, so that its
    first steps are many times larger. A rate that is a tensor may change between the replays of a
    CUDA graph.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        decay: float = 0.9,
        epsilon: float = 1e-10,
    ) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Makes one step along the gradients."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads = [p.grad for p in params]
            squares = []
            for p in params:
                if "square" not in self.state[p]:
                    self.state[p]["square"] = torch.ones_like(p)
                squares.append(self.state[p]["square"])
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, value=1 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            if isinstance(group["lr"], Tensor):
                moves = torch._foreach_mul(grads, group["lr"])
                torch._foreach_div_(moves, roots)
                torch._foreach_sub_(params, moves)
            else:
                torch._foreach_addcdiv_(params, grads, roots, value=-group["lr"])
