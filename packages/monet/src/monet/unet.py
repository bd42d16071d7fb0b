"""The attention network's U-Net (appendix B.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from monet.config import ModelConfig
from monet.convolution import ConcatConv2d, DoublingConv2d, PointwiseConv2d


def channels_up(down: Sequence[int]) -> list[int]:
    """Returns the channels of the blocks on the way up, the lowest first.

    Down 32, 32, 64, 64, 64 gives up 64, 64, 32, 32, 32, as three codebases have it.
    """
    n = len(down)
    return [down[max(0, n - 2 - i)] for i in range(n)]


class Block(nn.Module):
    """3x3 convolution without bias, instance norm with a learned bias and no scale, ReLU.

    Args:
        conv: the convolution.
    """

    scale: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.bias = nn.Parameter(torch.zeros(conv.out_channels))
        self.register_buffer("scale", torch.ones(conv.out_channels), persistent=False)

    def forward(self, *maps: Float[Tensor, "B _ _ _"]) -> Float[Tensor, "B D H W"]:
        """Convolves the maps, normalises the result, and cuts it off at zero."""
        return self.normalise(self.conv(*maps))

    def normalise(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        """Applies instance norm, bias and ReLU to the convolution's output."""
        # A group norm of one channel a group is an instance norm, in a third of the operations.
        return F.relu_(F.group_norm(x, len(self.bias), self.scale, self.bias))


class UNet(nn.Module):
    """Turns image and log scope into logits: `len(unet_channels)` blocks down, as many up."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        down = config.unet_channels
        n = len(down)
        up = channels_up(down)
        self.first = Block(ConcatConv2d(4, down[0], 3, padding=1, bias=False))
        self.down = nn.ModuleList(
            Block(nn.Conv2d(*channels, 3, padding=1, bias=False)) for channels in pairwise(down)
        )
        self.bottom_size = config.image_size // 2 ** (n - 1)
        flat = down[-1] * self.bottom_size**2
        widths = (flat, *config.unet_hidden, flat)
        self.mlp = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        below = (down[-1], *up[:-1])
        self.up = nn.ModuleList(
            # The lowest block takes the MLP's map, which is as large as the skip.
            Block(
                (DoublingConv2d if i else nn.Conv2d)(
                    below[i] + skip, up[i], 3, padding=1, bias=False
                )
            )
            for i, skip in enumerate(reversed(down))
        )
        self.logits = PointwiseConv2d(up[-1], 1)

    @property
    def _first_conv(self) -> ConcatConv2d:
        """The first block's convolution, of image and log scope."""
        return cast(ConcatConv2d, self.first.conv)

    def image_part(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H W"]:
        """Returns the image's part of the first convolution, which is the same at every step."""
        return self._first_conv.part(image, 0)

    def forward(
        self, image_part: Float[Tensor, "B C H W"], log_scope: Float[Tensor, "B 1 H W"]
    ) -> Float[Tensor, "B 1 H W"]:
        """Returns the logits of one attention step.

        Args:
            image_part: from `image_part`; the scope's part of the convolution is added to it.
            log_scope: clamped from below, so that it is finite.
        """
        x = self.first.normalise(image_part + self._first_conv.part(log_scope, 3))
        skips = [x]
        for block in self.down:
            x = block(x[:, :, ::2, ::2])  # nearest-neighbour halving
            skips.append(x)
        x = x.flatten(1)
        for layer in self.mlp:
            x = F.relu_(layer(x))
        x = x.unflatten(1, skips[-1].shape[1:])
        x = self.up[0](torch.cat([x, skips.pop()], dim=1))
        for block in self.up[1:]:
            x = block(x, skips.pop())
        return self.logits(x)
