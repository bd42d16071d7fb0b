"""Departures from equation 3 that shipped weights were trained with, and p(k | x, z)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from monet.config import LossConfig
from monet.loss import LossTerms, latent_kl, log_densities, mask_kl, mixture_nll

if TYPE_CHECKING:
    from monet.model import Decomposition


def log_posterior(
    config: LossConfig, image: Float[Tensor, "B 3 H W"], decomposition: Decomposition
) -> Float[Tensor, "B K H W"]:
    """Returns log p(k | x, z): which slot the generative model gives each pixel (section 2.1).

    The decoded masks are its prior p(k | z), the pixel's colour its evidence. Exponentiated, it
    sums to one over K at every pixel.
    """
    densities = log_densities(config, image, decomposition.components)
    return (decomposition.log_masks_recon + densities).log_softmax(dim=1)


def with_posterior_term(
    terms: LossTerms,
    weight: float | Float[Tensor, ""],
    config: LossConfig,
    image: Float[Tensor, "B 3 H W"],
    decomposition: Decomposition,
) -> LossTerms:
    """Adds a fourth term to the total: KL(p(k | x, z) || attention masks), p held fixed.

    It is not reported separately: it is `total` minus the other weighted terms.

    Args:
        terms: of the loss without it.
        weight: of the term; a tensor where it changes from step to step.
        config: of the loss.
        image: in [0, 1].
        decomposition: of the image, by masks that the attention made.
    """
    with torch.no_grad():
        posterior = log_posterior(config, image, decomposition)
    total = terms.total + weight * mask_kl(posterior, decomposition.log_masks)
    return replace(terms, total=total)


def loss_terms_apart(
    config: LossConfig,
    gamma_vae: float,
    image: Float[Tensor, "B 3 H W"],
    decomposition: Decomposition,
) -> LossTerms:
    """Returns equation 3 with separate weights of the mask KL for attention and component VAE.

    The attention learns with weight `config.gamma` from decoded masks that are held fixed, the VAE
    with weight `gamma_vae` from attention masks that are held fixed.

    Args:
        config: of the loss.
        gamma_vae: the component VAE's weight of the mask KL.
        image: in [0, 1].
        decomposition: of the image; its encoder must have seen the masks detached.
    """
    log_masks, log_masks_recon = decomposition.log_masks, decomposition.log_masks_recon
    nll = mixture_nll(config, image, decomposition.components, log_masks)
    kl_latent = latent_kl(decomposition.mu, decomposition.log_sigma)
    attention_kl = mask_kl(log_masks, log_masks_recon.detach())
    kl_mask = mask_kl(log_masks.detach(), log_masks_recon)
    weighted = config.gamma * attention_kl + gamma_vae * kl_mask
    total = nll + config.beta * kl_latent + weighted
    return LossTerms(total=total, nll=nll, kl_latent=kl_latent, kl_mask=kl_mask)
