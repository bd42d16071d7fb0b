"""The loss (equation 3): sums over pixels and latents, one number for each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from monet.config import LossConfig

if TYPE_CHECKING:
    from monet.model import Decomposition


@dataclass(frozen=True)
class LossTerms:
    """The three terms, unweighted, and their weighted sum, in nats for each image."""

    total: Float[Tensor, " B"]
    nll: Float[Tensor, " B"]
    kl_latent: Float[Tensor, " B"]
    kl_mask: Float[Tensor, " B"]


def loss_terms(
    config: LossConfig, image: Float[Tensor, "B 3 H W"], decomposition: Decomposition
) -> LossTerms:
    """Returns equation 3, term by term.

    Args:
        config: the terms' weights.
        image: in [0, 1].
        decomposition: what the model makes of the image.
    """
    nll = mixture_nll(config, image, decomposition.components, decomposition.log_masks)
    kl_latent = latent_kl(decomposition.mu, decomposition.log_sigma)
    kl_mask = mask_kl(decomposition.log_masks, decomposition.log_masks_recon)
    total = nll + config.beta * kl_latent + config.gamma * kl_mask
    return LossTerms(total=total, nll=nll, kl_latent=kl_latent, kl_mask=kl_mask)


def mixture_nll(
    config: LossConfig,
    image: Float[Tensor, "B 3 H W"],
    components: Float[Tensor, "B K 3 H W"],
    log_masks: Float[Tensor, "B K H W"],
) -> Float[Tensor, " B"]:
    """Returns -log sum_k m_k p(x | z_k), summed over pixels (equation 3, first term).

    p(x | z_k) is the density of a whole pixel: its channels' logs are summed before the slots are
    mixed. Most public re-implementations mix first, so that each channel may pick another slot.
    """
    mixed = torch.logsumexp(log_masks + log_densities(config, image, components), dim=1)
    return -mixed.sum(dim=(1, 2))  # (B, H, W) to (B,)


def log_densities(
    config: LossConfig, image: Float[Tensor, "B 3 H W"], components: Float[Tensor, "B K 3 H W"]
) -> Float[Tensor, "B K H W"]:
    """Returns log p(x | z_k) of each pixel: a Gaussian around the component's mean."""
    K = components.shape[1]
    scales = [config.sigma_bg] + [config.sigma_fg] * (K - 1)
    # Filled on the device: a copy from the host would make a GPU wait at every step.
    sigma = torch.stack([image.new_full((1, 1, 1), scale) for scale in scales])
    error = (image[:, None] - components) / sigma  # (B, K, 3, H, W)
    densities = -0.5 * error**2 - sigma.log() - 0.5 * math.log(2 * math.pi)
    return densities.sum(dim=2)


def latent_kl(mu: Float[Tensor, "B K D"], log_sigma: Float[Tensor, "B K D"]) -> Float[Tensor, " B"]:
    """Returns the posterior's KL divergence from a unit Gaussian (equation 3, second term)."""
    # Near a unit Gaussian exp - 1 would lose the digits that expm1 keeps.
    return 0.5 * (mu**2 + (2 * log_sigma).expm1() - 2 * log_sigma).sum(dim=(1, 2))


def mask_kl(
    log_masks: Float[Tensor, "B K H W"], log_masks_recon: Float[Tensor, "B K H W"]
) -> Float[Tensor, " B"]:
    """Returns KL(attention masks || decoded masks) (equation 3, third term); 0 log 0 is 0.

    It may compare any two divisions of the pixels, if the second has no mask of exactly 0.
    """
    # A mask of exactly 0 has log -inf; 0 * -inf would be NaN, in the gradient too.
    finite = log_masks.clamp(min=torch.finfo(log_masks.dtype).min)
    return (finite.exp() * (finite - log_masks_recon)).sum(dim=(1, 2, 3))
