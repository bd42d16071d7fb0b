"""Gradients on a CPU: each core computes them for its share of the batch.

One convolution is too little work to divide among threads. Two threads that each take half of the
batch from image to gradient make a step 1.2 times as fast as two threads on every convolution
(paper settings, batch 8, by tools/bench/train.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ThreadShares:
    """Splits each batch over `count` threads; a single one is the caller itself.

    Args:
        count: threads. Sums are taken in another order for each count, so that last digits differ.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        # set_num_threads also sets the default for threads that have not yet read theirs. The
        # caller reads its number here, so that the pool's threads, at one each, do not change it.
        torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, "share", torch.set_num_threads, (1,))

    def backward(
        self,
        loss: Callable[[slice], Float[Tensor, " T"]],
        batch_size: int,
        parameters: Sequence[nn.Parameter],
    ) -> Float[Tensor, " T"]:
        """Computes the gradients of a batch, in the parameters' `grad`; returns the batch's terms.

        Args:
            loss: means of each term over some rows of the batch; the first term is the loss.
            batch_size: rows in all.
            parameters: what gets gradients; none where the loss does not depend on one.
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
            parts = [gradient for gradient in gradients if gradient is not None]
            parameter.grad = sum(parts[1:], start=parts[0]) if parts else None
        return torch.stack([means for means, _ in shares]).sum(dim=0)

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Keeps the caller to one thread while the block runs.

        OpenMP's idle threads wait by spinning, which would take a core from the pool.
        """
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
