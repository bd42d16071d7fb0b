"""Convolutions in fewer or cheaper operations than PyTorch's own, to the same result.

How much they save: tools/bench/train.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def upsampled_conv(
    x: Float[Tensor, "B C h w"], weight: Float[Tensor, "D C 3 3"]
) -> Float[Tensor, "B D H W"]:
    """Convolves a map after nearest-neighbour doubling, without making the larger map.

    Doubling repeats each value in a square of 2 x 2, so that both together are one transposed
    convolution, whose kernel is the (turned) 3 x 3 kernel spread over that square: 16 products for
    four pixels where there were 36.
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
