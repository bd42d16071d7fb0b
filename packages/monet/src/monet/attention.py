"""The recurrent attention process (section 2.1, equations 1 and 2), in log units throughout."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from monet.arithmetic import at_least_float32
from monet.config import ModelConfig
from monet.unet import UNet

LOG_MASK_FLOOR = math.log(1e-5)
"""Where a mask enters a network it is clamped here, so that hard masks and late scopes stay
finite; the losses use the unclamped logs."""

SplitStep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Signature of `Attention.split`: image part and log scope to log mask and new log scope."""


def split_scope(
    log_scope: Float[Tensor, "B 1 H W"], logits: Float[Tensor, "B 1 H W"]
) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B 1 H W"]]:
    """Divides the scope between this slot and the slots after it (equations 1 and 2).

    Args:
        log_scope: log of the unexplained share, in (-inf, 0].
        logits: log-odds that this slot takes the pixel.

    Returns:
        Log mask and new log scope; exponentiated, they sum to the old scope.
    """
    return log_scope + F.logsigmoid(logits), log_scope + F.logsigmoid(-logits)


class Attention(nn.Module):
    """Divides an image among slots, one after the other."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.unet = UNet(config)

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        num_slots: int,
        split: SplitStep | None = None,
    ) -> Float[Tensor, "B K H W"]:
        """Returns log masks; exponentiated, they sum to one over the slots at every pixel.

        Args:
            image: in [0, 1].
            num_slots: slots K.
            split: used in place of `self.split`; training passes its compiled form.
        """
        split = split or self.split
        log_scope = torch.zeros_like(image[:, :1])  # (B, 1, H, W)
        image_part = self.unet.image_part(image)
        log_masks = []
        for _ in range(num_slots - 1):
            log_mask, log_scope = split(image_part, log_scope)
            log_masks.append(log_mask)
        log_masks.append(log_scope)  # the last slot takes what is left
        return torch.cat(log_masks, dim=1)  # (B, K, H, W)

    def split(
        self, image_part: Float[Tensor, "B C H W"], log_scope: Float[Tensor, "B 1 H W"]
    ) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B 1 H W"]]:
        """Makes one attention step; returns the slot's log mask and the new log scope.

        Args:
            image_part: what the image gives to the first convolution (`UNet.image_part`).
            log_scope: log of the share of each pixel that no slot before has taken.
        """
        logits = self.unet(image_part, log_scope.clamp(min=LOG_MASK_FLOOR))
        return split_scope(log_scope, at_least_float32(logits))
