"""The component VAE (appendix B.1): every slot of every image in one batch."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from monet.arithmetic import at_least_float32
from monet.config import ModelConfig
from monet.convolution import BroadcastConv2d, ConcatConv2d, PointwiseConv2d


class Encoder(nn.Module):
    """Encodes image and log mask into the posterior's mean and log deviation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        self.first = ConcatConv2d(4, channels[0], 3, stride=2, padding=1)
        self.convs = nn.ModuleList(
            nn.Conv2d(*pair, 3, stride=2, padding=1) for pair in pairwise(channels)
        )
        side = config.image_size // 2 ** len(channels)
        self.hidden = nn.Linear(channels[-1] * side**2, config.encoder_hidden)
        self.posterior = nn.Linear(config.encoder_hidden, 2 * config.latent_dim)

    def forward(
        self, image: Float[Tensor, "B 3 H W"], log_masks: Float[Tensor, "B K H W"]
    ) -> tuple[Float[Tensor, "B K D"], Float[Tensor, "B K D"]]:
        """Returns mean and log deviation of each slot's latents.

        Args:
            image: in [0, 1].
            log_masks: clamped from below, so that they are finite.
        """
        B, K = log_masks.shape[:2]
        image_part = self.first.part(image, 0)  # serves all slots
        masks = log_masks.reshape(B * K, 1, *log_masks.shape[2:])
        mask_parts = self.first.part(masks, 3)
        x = F.relu_(image_part[:, None] + mask_parts.unflatten(0, (B, K))).flatten(0, 1)
        for conv in self.convs:
            x = F.relu_(conv(x))  # (B K, C, h, w)
        x = F.relu_(self.hidden(x.flatten(1)))
        posterior = at_least_float32(self.posterior(x)).unflatten(0, (B, K))
        mu, log_sigma = posterior.chunk(2, dim=-1)
        return mu, log_sigma


class BroadcastDecoder(nn.Module):
    """Decodes latents into a component's pixels and its mask's logits (Watters et al., 2019)."""

    coordinates: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.decoder_channels
        self.first = BroadcastConv2d(config.latent_dim, channels[0])
        self.convs = nn.ModuleList(nn.Conv2d(*pair, 3) for pair in pairwise(channels))
        self.output = PointwiseConv2d(channels[-1], 4)
        # Every unpadded convolution takes two pixels off each side.
        axis = torch.linspace(-1, 1, config.image_size + 2 * len(channels))
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        self.register_buffer("coordinates", grid[None], persistent=False)

    def forward(self, z: Float[Tensor, "N D"]) -> Float[Tensor, "N 4 H W"]:
        """Returns the means of three colour channels, not squashed into [0, 1], and mask logits."""
        x = F.relu_(self.first(z, self.coordinates))
        for conv in self.convs:
            x = F.relu_(conv(x))
        return at_least_float32(self.output(x))


class ComponentVAE(nn.Module):
    """Encodes and decodes what each slot sees."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = BroadcastDecoder(config)

    def decode(
        self, z: Float[Tensor, "B K D"]
    ) -> tuple[Float[Tensor, "B K 3 H W"], Float[Tensor, "B K H W"]]:
        """Returns components and mask logits of each slot's latents."""
        decoded = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])  # (B, K, 4, H, W)
        return decoded[:, :, :3], decoded[:, :, 3]
