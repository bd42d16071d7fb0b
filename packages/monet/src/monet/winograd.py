"""3x3 convolutions in a quarter of the multiplications: Winograd's F(4x4, 3x3), on a CPU.

An output tile of 4 x 4 comes from 6 x 6 of the input by 36 products a pair of channels, where the
definition has 144 (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016,
section 4): Y = A' [(G g G') * (B' d B)] A, summed over the channels of the input. A convolution
is then three steps: all input tiles are transformed (B), 36 matrix products sum over channels, and
the results are transformed back (A). The gradients are the same three steps transposed.

The interpolation points are 0, infinity and plus or minus the roots of 1/2 and of 2. Errors in
float32 are about 1e-6 of the largest output, those of a direct convolution 4e-7; with the integers
of Lavin and Gray they are twice to four times as large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.autograd.function import once_differentiable

from monet.winograd_tiles import (
    grid,
    transform_input,
    transform_input_transposed,
    transform_output,
    transform_output_transposed,
)

CHUNK_VALUES = 8192
"""Channels times tiles that are transformed before they are multiplied: 1.2 MB of them."""

_KERNEL_TRANSFORM = torch.tensor(
    [
        [1, 0, 0],
        [-2 / 3, -(2**0.5) / 3, -1 / 3],
        [-2 / 3, 2**0.5 / 3, -1 / 3],
        [1 / 6, 2**0.5 / 6, 1 / 3],
        [1 / 6, -(2**0.5) / 6, 1 / 3],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
"""G: the kernel's polynomial at each point, over what the points' differences multiply to."""
_KERNEL_TRANSFORM_2D = torch.kron(_KERNEL_TRANSFORM, _KERNEL_TRANSFORM).float()  # (36, 9)


def _parts(
    y: Tensor, channels: int
) -> Iterator[tuple[slice, tuple[Tensor, np.ndarray], tuple[Tensor, np.ndarray]]]:
    """Yields some images of a batch at a time, with room for their tiles.

    Args:
        y: the output, (B, D, H, W).
        channels: those of the input.

    Yields:
        The images; the tiles of the input (36, C, N T), for PyTorch and, as (36, C N T), for the
        loops; those of the output likewise.
    """
    B, D, H, W = y.shape
    down, along = grid(H, W)
    at_once = max(1, CHUNK_VALUES // (max(channels, D) * down * along))
    room: dict[int, Any] = {}
    for start in range(0, B, at_once):
        part = slice(start, min(start + at_once, B))
        size = part.stop - part.start
        if size not in room:
            both = (torch.empty(36, count, size * down * along) for count in (channels, D))
            room[size] = [(tiles, tiles.view(36, -1).numpy()) for tiles in both]
        yield part, *room[size]


def _transform_kernel(weight: Float32[Tensor, "D C 3 3"]) -> Float32[Tensor, "36 D C"]:
    D, C = weight.shape[:2]
    return (_KERNEL_TRANSFORM_2D @ weight.reshape(D * C, 9).T).view(36, D, C)


def _transform_kernel_transposed(kernel: Float32[Tensor, "36 D C"]) -> Float32[Tensor, "D C 3 3"]:
    D, C = kernel.shape[1:]
    return (_KERNEL_TRANSFORM_2D.T @ kernel.view(36, D * C)).T.reshape(D, C, 3, 3).contiguous()


def _planes(inputs: Sequence[Tensor]) -> list[tuple[np.ndarray, int, int]]:
    """Returns each input, how often it is repeated each way, and its first channel."""
    side = inputs[-1].shape[2]
    first = accumulate((x.shape[1] for x in inputs), initial=0)
    return [(x.numpy(), side // x.shape[2], c) for x, c in zip(inputs, first, strict=False)]


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor, padding: int, relu: bool, *inputs: Tensor
    ) -> Tensor:
        inputs = tuple(x.detach().contiguous() for x in inputs)
        H, W = inputs[-1].shape[2:]
        D, C = weight.shape[:2]
        y = weight.new_empty(len(inputs[0]), D, H + 2 * padding - 2, W + 2 * padding - 2)
        kernel = _transform_kernel(weight.detach())
        planes, added, outputs = _planes(inputs), bias.detach().numpy(), y.numpy()
        for part, (tiles, numbers), (tiles_out, numbers_out) in _parts(y, C):
            for x, scale, channel in planes:
                transform_input(x[part], scale, padding, numbers, channel)
            torch.bmm(kernel, tiles, out=tiles_out)
            transform_output(numbers_out, added, relu, outputs[part])
        # To keep the tiles of the input costs more than to make them again.
        ctx.save_for_backward(kernel, y if relu else None, *inputs)
        ctx.padding = padding
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kernel, y, *inputs = ctx.saved_tensors
        gradient, relu = gradient.contiguous(), y is not None
        by_kernel, by_bias = torch.zeros_like(kernel), kernel.new_zeros(kernel.shape[1])
        by_inputs = [torch.empty_like(x) for x in inputs]
        planes, by_planes, by_added = _planes(inputs), _planes(by_inputs), by_bias.numpy()
        by_outputs, outputs = gradient.numpy(), (y if relu else gradient).numpy()
        inputs_learn = any(ctx.needs_input_grad[4:])
        for part, (tiles, numbers), (tiles_out, numbers_out) in _parts(gradient, kernel.shape[2]):
            transform_output_transposed(
                by_outputs[part], outputs[part], relu, numbers_out, by_added
            )
            if inputs_learn:
                torch.bmm(kernel.mT, tiles_out, out=tiles)
                for x, scale, channel in by_planes:
                    transform_input_transposed(numbers, channel, scale, ctx.padding, x[part])
            for x, scale, channel in planes:
                transform_input(x[part], scale, ctx.padding, numbers, channel)
            by_kernel.baddbmm_(tiles_out, tiles.mT)
        by_weight = _transform_kernel_transposed(by_kernel)
        # Inputs that do not learn, such as images, have theirs unwritten, and autograd drops it.
        return by_weight, by_bias, None, None, *by_inputs


def winograd_conv3x3(
    x: Float32[Tensor, "B C H W"],
    weight: Float32[Tensor, "D E 3 3"],
    bias: Float32[Tensor, " D"] | None = None,
    *,
    coarse: Float32[Tensor, "B F h w"] | None = None,
    padding: int = 0,
    relu: bool = False,
) -> Float32[Tensor, "B D I J"]:
    """Convolves on a CPU, in strides of one.

    Args:
        x: the input.
        weight: the kernel, for the channels of `coarse` and then those of the input.
        bias: added to the output; none by default.
        coarse: a map of half the input's sides, doubled by nearest neighbours and concatenated
            before it.
        padding: zeros around both, at most 3.
        relu: whether what is negative becomes zero; in the same pass, for no more time.
    """
    bias = x.new_zeros(len(weight)) if bias is None else bias
    inputs = (x,) if coarse is None else (coarse, x)
    return _Winograd.apply(weight, bias, padding, relu, *inputs)
