"""Convolutions in fewer or cheaper operations than PyTorch's own, to the same result.

How much they save: tools/bench/train.py.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FEWEST_TILES = 9
"""Tiles of a map's output below which a direct convolution is as fast."""


def conv3x3(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "D C 3 3"],
    bias: Float[Tensor, " D"] | None = None,
    *,
    padding: int = 0,
    relu: bool = False,
) -> Float[Tensor, "B D h w"]:
    """Convolves in strides of one, and applies a ReLU if asked to.

    In float32 on a CPU by Winograd's algorithm (`monet.winograd`); everywhere else, and for small
    maps, by PyTorch.
    """
    if _by_winograd(x, padding):
        from monet.winograd import winograd_conv3x3  # numba takes a second to import

        return winograd_conv3x3(x, weight, bias, padding=padding, relu=relu)
    y = F.conv2d(x, weight, bias, padding=padding)
    return F.relu_(y) if relu else y


def _by_winograd(x: Tensor, padding: int) -> bool:
    tiles = math.prod((side + 2 * padding + 1) // 4 for side in x.shape[2:])
    return (
        tiles >= FEWEST_TILES
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def upsampled_conv3x3(
    coarse: Float[Tensor, "B C h w"],
    skip: Float[Tensor, "B S H W"],
    weight: Float[Tensor, "D E 3 3"],
) -> Float[Tensor, "B D H W"]:
    """Convolves a map, doubled by nearest neighbours, with a skip behind its channels.

    Neither the doubled map nor the concatenated one is made.

    Args:
        coarse: has half the skip's sides.
        skip: the other input.
        weight: for the channels of both.
    """
    if _by_winograd(skip, padding=1):
        from monet.winograd import winograd_conv3x3

        return winograd_conv3x3(skip, weight, coarse=coarse, padding=1)
    # A convolution of concatenated inputs is a sum.
    of_coarse, of_skip = weight.split([coarse.shape[1], skip.shape[1]], dim=1)
    return _doubled_conv(coarse, of_coarse) + F.conv2d(skip, of_skip, padding=1)


def _doubled_conv(
    x: Float[Tensor, "B C h w"], weight: Float[Tensor, "D C 3 3"]
) -> Float[Tensor, "B D H W"]:
    """Doubling repeats each value in a square of 2 x 2.

    Both together are one transposed convolution, whose kernel is the (turned) 3 x 3 kernel spread
    over that square: 16 products for four pixels where there were 36.
    """
    kernel = weight.transpose(0, 1).flip(2, 3)
    kernel = F.pad(kernel, (1, 0)) + F.pad(kernel, (0, 1))
    kernel = F.pad(kernel, (0, 0, 1, 0)) + F.pad(kernel, (0, 0, 0, 1))
    return F.conv_transpose2d(x, kernel, stride=2, padding=1)


def pointwise_conv(x: Float[Tensor, "B C H W"], conv: nn.Conv2d) -> Float[Tensor, "B D H W"]:
    """Applies a 1x1 convolution as a matrix product: to few channels, three times as fast."""
    assert conv.bias is not None
    weight = conv.weight.flatten(1).expand(len(x), -1, -1)
    return torch.baddbmm(conv.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])
