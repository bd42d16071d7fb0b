"""The loss (equation 3): sums over pixels and latents, one number for each image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monet.config import ModelConfig


@dataclass(frozen=True)
class LossTerms:
    """The three terms, unweighted, and their weighted sum, in nats for each image."""

    total: Float[Tensor, " B"]
    nll: Float[Tensor, " B"]
    kl_latent: Float[Tensor, " B"]
    kl_mask: Float[Tensor, " B"]


def component_scales(config: ModelConfig, num_slots: int) -> list[float]:
    """Returns sigma of each slot: the first is the background's."""
    return [config.sigma_bg] + [config.sigma_fg] * (num_slots - 1)


def mixture_nll(
    image: Float[Tensor, "B 3 H W"],
    components: Float[Tensor, "B K 3 H W"],
    log_masks: Float[Tensor, "B K H W"],
    scales: list[float],
    mixture: str = "per_pixel",
) -> Float[Tensor, " B"]:
    """Returns -log sum_k m_k p(x | z_k), summed over pixels (equation 3, first term).

    p(x | z_k) is the density of a whole pixel: its channels' logs are summed before the slots are
    mixed. `per_channel` mixes first, so that each channel may pick another slot.
    """
    log_density = _log_densities(image, components, scales)
    if mixture == "per_channel":
        mixed = torch.logsumexp(log_masks[:, :, None] + log_density, dim=1)  # (B, 3, H, W)
        return -mixed.sum(dim=(1, 2, 3))
    mixed = torch.logsumexp(log_masks + log_density.sum(dim=2), dim=1)  # (B, H, W)
    return -mixed.sum(dim=(1, 2))


def log_posterior(
    image: Float[Tensor, "B 3 H W"],
    components: Float[Tensor, "B K 3 H W"],
    log_masks_recon: Float[Tensor, "B K H W"],
    scales: list[float],
) -> Float[Tensor, "B K H W"]:
    """Returns log p(k | x, z): which slot each pixel is of, to the generative model (section 2.1).

    Its prior p(k | z) are the decoded masks, its evidence the pixel. Exponentiated, it sums to one
    over K at every pixel.
    """
    log_density = _log_densities(image, components, scales).sum(dim=2)  # (B, K, H, W)
    return (log_masks_recon + log_density).log_softmax(dim=1)


def _log_densities(
    image: Float[Tensor, "B 3 H W"], components: Float[Tensor, "B K 3 H W"], scales: list[float]
) -> Float[Tensor, "B K 3 H W"]:
    # Filled there: a copy from the host would hold a GPU up at every step.
    sigma = torch.stack([image.new_full((1, 1, 1), scale) for scale in scales])
    error = (image[:, None] - components) / sigma
    return -0.5 * error**2 - sigma.log() - 0.5 * math.log(2 * math.pi)


def latent_kl(mu: Float[Tensor, "B K D"], log_sigma: Float[Tensor, "B K D"]) -> Float[Tensor, " B"]:
    """Returns the posterior's KL divergence from a unit Gaussian (equation 3, second term)."""
    # Near a unit Gaussian exp - 1 would lose the digits that expm1 keeps.
    return 0.5 * (mu**2 + (2 * log_sigma).expm1() - 2 * log_sigma).sum(dim=(1, 2))


def mask_kl(
    log_masks: Float[Tensor, "B K H W"], log_masks_recon: Float[Tensor, "B K H W"]
) -> Float[Tensor, " B"]:
    """Returns KL(attention masks || decoded masks) (equation 3, third term); 0 log 0 is 0.

    Any two divisions of the pixels will do, as long as the second has no mask of exactly 0.
    """
    # A mask of exactly 0 has log -inf; 0 * -inf would be NaN, in the gradient too.
    finite = log_masks.clamp(min=torch.finfo(log_masks.dtype).min)
    return (finite.exp() * (finite - log_masks_recon)).sum(dim=(1, 2, 3))


def loss_terms(
    config: ModelConfig,
    image: Float[Tensor, "B 3 H W"],
    components: Float[Tensor, "B K 3 H W"],
    log_masks: Float[Tensor, "B K H W"],
    log_masks_recon: Float[Tensor, "B K H W"],
    mu: Float[Tensor, "B K D"],
    log_sigma: Float[Tensor, "B K D"],
    posterior_weight: float | Float[Tensor, ""] | None = None,
) -> LossTerms:
    """Returns equation 3, term by term.

    With a posterior weight, `total` has a fourth term, KL(p(k | x, z) || attention masks), which is
    not reported separately: it is `total` minus the other weighted terms.

    Args:
        config: the terms' weights.
        image: in [0, 1].
        components: means of each slot's pixels.
        log_masks: the attention's, or those given.
        log_masks_recon: the decoded masks.
        mu: mean of the latents' posterior.
        log_sigma: log of its deviation.
        posterior_weight: in place of the config's; a tensor where it changes from step to step.
    """
    scales = component_scales(config, log_masks.shape[1])
    nll = mixture_nll(image, components, log_masks, scales, config.mixture)
    kl_latent = latent_kl(mu, log_sigma)
    if config.gamma_vae is None:
        kl_mask = mask_kl(log_masks, log_masks_recon)
        weighted = config.gamma * kl_mask
    else:
        of_attention = mask_kl(log_masks, log_masks_recon.detach())
        kl_mask = mask_kl(log_masks.detach(), log_masks_recon)
        weighted = config.gamma * of_attention + config.gamma_vae * kl_mask
    total = nll + config.beta * kl_latent + weighted
    weight = config.posterior_weight if posterior_weight is None else posterior_weight
    if isinstance(weight, Tensor) or weight:
        with torch.no_grad():
            posterior = log_posterior(image, components, log_masks_recon, scales)
        total = total + weight * mask_kl(posterior, log_masks)
    return LossTerms(total=total, nll=nll, kl_latent=kl_latent, kl_mask=kl_mask)
