"""A step's gradients on a CPU: each core takes a share of the batch.

The convolutions of one step are too small to divide each among threads; two threads with half of
the batch each, from image to gradient, make a step 1.2 times as fast as two threads on each
convolution (paper settings, batch 8, by tools/bench/train.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ThreadShares:
    """Splits each batch over `count` threads; one thread is the caller itself.

    Args:
        count: threads; the result depends on it as on any order of summation.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        # torch.set_num_threads sets the default of threads that have not asked for theirs: so the
        # caller asks before a thread of the pool sets its own.
        torch.get_num_threads()
        # Each thread of the pool runs its operations without further threads.
        self._pool = ThreadPoolExecutor(count, "share", torch.set_num_threads, (1,))

    def backward(
        self,
        loss: Callable[[slice], Float[Tensor, " T"]],
        batch_size: int,
        parameters: Sequence[nn.Parameter],
    ) -> Float[Tensor, " T"]:
        """Leaves the gradients of a batch in its parameters; returns its terms.

        Args:
            loss: gives, for rows of the batch, means over these rows, of which the first is the
                loss.
            batch_size: rows in all.
            parameters: those without influence on the loss stay without a gradient.
        """
        count = min(self._count, batch_size)
        if count == 1:
            means = loss(slice(0, batch_size))
            means[0].backward()
            return means.detach()

        def share(rows: slice) -> tuple[Tensor, tuple[Tensor | None, ...]]:
            weight = (rows.stop - rows.start) / batch_size
            means = loss(rows) * weight
            return means.detach(), torch.autograd.grad(means[0], parameters, allow_unused=True)

        ends = [batch_size * i // count for i in range(count + 1)]
        shares = list(self._pool.map(share, map(slice, ends, ends[1:])))
        for parameter, *gradients in zip(parameters, *(g for _, g in shares), strict=True):
            known = [gradient for gradient in gradients if gradient is not None]
            parameter.grad = sum(known[1:], start=known[0]) if known else None
        return torch.stack([means for means, _ in shares]).sum(dim=0)

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Keeps the caller to one thread for a while: idle OpenMP threads spin and take a core."""
        before = torch.get_num_threads()
        if self._count > 1:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if self._count > 1:
                torch.set_num_threads(before)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()
