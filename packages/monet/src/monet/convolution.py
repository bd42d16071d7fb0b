"""The paper's convolutions, computed in fewer operations with the same result.

Each is a `Conv2d` with the weights of the plain layer that it replaces. tools/bench/train.py
measures how much time they save.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ConcatConv2d(nn.Conv2d):
    """A convolution of concatenated maps, computed as a sum over the maps.

    A map that is concatenated with many others in turn is so convolved only once.
    """

    def part(self, x: Float[Tensor, "B C H W"], start: int) -> Float[Tensor, "B D h w"]:
        """Returns one map's term of the sum.

        Args:
            x: the map.
            start: its first channel among the concatenated ones; the first map brings the bias.
        """
        bias = self.bias if start == 0 else None
        weight = self.weight[:, start : start + x.shape[1]]
        return F.conv2d(x, weight, bias, self.stride, self.padding)


class DoublingConv2d(nn.Conv2d):
    """A 3x3 convolution of two concatenated maps: one doubled by nearest neighbours, and a skip.

    Neither the doubled map nor the concatenated one is made. Doubling and convolving together are
    one transposed convolution, whose kernel is the (turned) 3 x 3 kernel spread over a square of
    2 x 2: it takes 16 products for four pixels, not 36.
    """

    def forward(  # type: ignore[override]
        self, coarse: Float[Tensor, "B C h w"], skip: Float[Tensor, "B S H W"]
    ) -> Float[Tensor, "B D H W"]:
        """Convolves.

        Args:
            coarse: has half the skip's sides.
            skip: the other map.
        """
        coarse_weight, skip_weight = self.weight.split([coarse.shape[1], skip.shape[1]], dim=1)
        kernel = coarse_weight.transpose(0, 1).flip(2, 3)
        kernel = F.pad(kernel, (1, 0)) + F.pad(kernel, (0, 1))
        kernel = F.pad(kernel, (0, 0, 1, 0)) + F.pad(kernel, (0, 0, 0, 1))
        doubled = F.conv_transpose2d(coarse, kernel, stride=2, padding=1)
        return doubled + F.conv2d(skip, skip_weight, self.bias, padding=1)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution as a matrix product: three times as fast where it has few outputs.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
    """

    bias: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        """Convolves."""
        weight = self.weight.flatten(1).expand(len(x), -1, -1)
        return torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])


class BroadcastConv2d(nn.Conv2d):
    """An unpadded 3x3 convolution of latents, tiled over the image, and the image's coordinates.

    Nothing is tiled. Without padding every pixel sees the same latents, so that their part is a
    matrix product with the kernel's sum; the coordinates' part is one map for all latents.

    Args:
        latent_dim: channels of the latents.
        channels_out: channels of the output.
    """

    def __init__(self, latent_dim: int, channels_out: int) -> None:
        super().__init__(latent_dim + 2, channels_out, 3)

    def forward(  # type: ignore[override]
        self, z: Float[Tensor, "N D"], coordinates: Float[Tensor, "1 2 H W"]
    ) -> Float[Tensor, "N C h w"]:
        """Convolves."""
        latent_part = z @ self.weight[:, : z.shape[1]].sum(dim=(2, 3)).T  # (N, C)
        coordinate_part = F.conv2d(coordinates, self.weight[:, z.shape[1] :], self.bias)
        return coordinate_part + latent_part[:, :, None, None]
