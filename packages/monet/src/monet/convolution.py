"""Convolutions in fewer operations than the layers that the paper names, to the same result.

How much they save: tools/bench/train.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


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
