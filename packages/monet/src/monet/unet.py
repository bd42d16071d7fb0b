"""The attention network's U-Net (appendix B.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from monet.config import ModelConfig
from monet.convolution import pointwise_conv, upsampled_conv3x3


def channels_up(down: Sequence[int]) -> list[int]:
    """Returns the channels of the blocks on the way up, the lowest first.

    Down 32, 32, 64, 64, 64 gives up 64, 64, 32, 32, 32, as three codebases have it.
    """
    n = len(down)
    return [down[max(0, n - 2 - i)] for i in range(n)]


class Block(nn.Module):
    """3x3 convolution without bias, instance norm with a learned bias and no scale, ReLU."""

    scale: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("scale", torch.ones(channels_out), persistent=False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        """Applies the block."""
        return self.normalise(F.conv2d(x, self.conv.weight, padding=1))

    def upsample(
        self, coarse: Float[Tensor, "B E h w"], skip: Float[Tensor, "B S H W"]
    ) -> Float[Tensor, "B D H W"]:
        """Applies the block to a map, doubled by nearest neighbours, concatenated with a skip."""
        return self.normalise(upsampled_conv3x3(coarse, skip, self.conv.weight))

    def normalise(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        """Applies what follows the convolution."""
        # A group norm of one channel a group is an instance norm, in a third of the operations.
        return F.relu_(F.group_norm(x, len(self.bias), self.scale, self.bias))


class UNet(nn.Module):
    """Image and log scope to logits; each path has as many blocks as `unet_channels`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        down = config.unet_channels
        n = len(down)
        up = channels_up(down)
        self.first = Block(4, down[0])
        self.down = nn.ModuleList(Block(*channels) for channels in pairwise(down))
        self.bottom_size = config.image_size // 2 ** (n - 1)
        flat = down[-1] * self.bottom_size**2
        widths = (flat, *config.unet_hidden, flat)
        self.mlp = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.up = nn.ModuleList(
            Block(channels_in + skip, channels)
            for channels_in, skip, channels in zip(
                (down[-1], *up[:-1]), reversed(down), up, strict=True
            )
        )
        self.logits = nn.Conv2d(up[-1], 1, 1)

    def image_part(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H W"]:
        """Returns what the image gives to the first convolution: the same at every step."""
        return F.conv2d(image, self.first.conv.weight[:, :3], padding=1)

    def forward(
        self, image_part: Float[Tensor, "B C H W"], log_scope: Float[Tensor, "B 1 H W"]
    ) -> Float[Tensor, "B 1 H W"]:
        """Returns the logits of one attention step.

        Args:
            image_part: from `image_part`; a convolution of concatenated inputs is a sum.
            log_scope: clamped from below, so that it is finite.
        """
        of_scope = F.conv2d(log_scope, self.first.conv.weight[:, 3:], padding=1)
        x = self.first.normalise(image_part + of_scope)
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
            assert isinstance(block, Block)
            x = block.upsample(x, skips.pop())
        return pointwise_conv(x, self.logits)
