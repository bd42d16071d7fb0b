"""MONet (Burgess et al., 2019): attention and component VAE in one module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from monet.attention import LOG_MASK_FLOOR, Attention
from monet.component_vae import ComponentVAE
from monet.config import LossConfig, ModelConfig
from monet.images import check_masks, images_of_size, to_unit
from monet.initialise import initialise_
from monet.loss import LossTerms, loss_terms
from monet.loss_ablations import log_posterior
from monet.ranges import MOST_SLOTS, check_integer

MOST_ROUNDS = 1000
"""Most rounds of refining that `Monet.decompose` makes."""


@dataclass(frozen=True)
class Decomposition:
    """What the model makes of a batch of images, as tensors.

    Example:
        >>> import monet, torch
        >>> parts = monet.load("objects_room_quick")(torch.rand(2, 3, 32, 32), num_slots=9)
        >>> parts.log_masks.shape, parts.components.shape
        (torch.Size([2, 9, 32, 32]), torch.Size([2, 9, 3, 32, 32]))
    """

    log_masks: Float[Tensor, "B K H W"]
    """Attention masks; exponentiated, they sum to one over K."""
    mu: Float[Tensor, "B K D"]
    log_sigma: Float[Tensor, "B K D"]
    z: Float[Tensor, "B K D"]
    """Latents that were decoded."""
    components: Float[Tensor, "B K 3 H W"]
    """Means, not squashed into [0, 1]."""
    mask_logits: Float[Tensor, "B K H W"]
    """Decoded masks before the softmax over K."""
    log_masks_recon: Float[Tensor, "B K H W"]
    """Decoded masks; exponentiated, they sum to one over K."""


@dataclass(frozen=True)
class Decompositions:
    """What the model makes of many images, as NumPy arrays with channels last.

    Example:
        >>> import monet, numpy
        >>> images = numpy.zeros((4, 32, 32, 3), numpy.uint8)
        >>> parts = monet.load("objects_room_quick").decompose(images)
        >>> parts.masks.shape, parts.latents.shape
        ((4, 7, 32, 32), (4, 7, 16))
    """

    masks: Float[np.ndarray, "N K H W"]
    """Of the attention, or those that the caller brought, after the rounds of refining."""
    masks_recon: Float[np.ndarray, "N K H W"]
    mask_logits: Float[np.ndarray, "N K H W"]
    components: Float[np.ndarray, "N K H W 3"]
    reconstruction: Float[np.ndarray, "N H W 3"]
    """Components mixed by the masks."""
    latents: Float[np.ndarray, "N K D"]
    """Posterior means."""
    log_sigma: Float[np.ndarray, "N K D"]
    nll: Float[np.ndarray, " N"]
    kl_latent: Float[np.ndarray, " N"]
    kl_mask: Float[np.ndarray, " N"]


class Monet(nn.Module):
    """The Multi-Object Network.

    Example:
        >>> import monet
        >>> model = monet.Monet(monet.PRESETS["quick"].model)
        >>> f"{sum(p.numel() for p in model.parameters()):,} parameters"
        '269,829 parameters'

    Args:
        config: the architecture.
        loss: weights of the loss that the model is trained with; the paper's by default.
    """

    def __init__(self, config: ModelConfig, loss: LossConfig | None = None) -> None:
        super().__init__()
        self.config = config
        self.loss_config = LossConfig() if loss is None else loss
        self.attention = Attention(config)
        self.vae = ComponentVAE(config)
        initialise_(self)

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        num_slots: int | None = None,
        *,
        log_masks: Float[Tensor, "B K H W"] | None = None,
        noise: Float[Tensor, "B K D"] | None = None,
    ) -> Decomposition:
        """Decomposes images.

        Args:
            image: in [0, 1].
            num_slots: slots to use; as many as in training by default.
            log_masks: masks to use instead of the attention's (section 2.2).
            noise: unit Gaussian noise for the latents; without it the posterior's mean is used.
        """
        if log_masks is not None:
            return self.explain(image, log_masks, noise)
        slots = self.config.num_slots if num_slots is None else num_slots
        check_integer("num_slots", slots, 2, MOST_SLOTS)
        return self.explain(image, self.attention(image, slots), noise)

    def explain(
        self,
        image: Float[Tensor, "B 3 H W"],
        log_masks: Float[Tensor, "B K H W"],
        noise: Float[Tensor, "B K D"] | None = None,
    ) -> Decomposition:
        """Encodes and decodes what each mask shows.

        Args:
            image: in [0, 1].
            log_masks: logs of the masks that divide the image among the slots.
            noise: as in `forward`.
        """
        mu, log_sigma = self.vae.encoder(image, log_masks.clamp(min=LOG_MASK_FLOOR))
        z = mu if noise is None else mu + log_sigma.exp() * noise
        components, mask_logits = self.vae.decode(z)
        return Decomposition(
            log_masks=log_masks,
            mu=mu,
            log_sigma=log_sigma,
            z=z,
            components=components,
            mask_logits=mask_logits,
            log_masks_recon=mask_logits.log_softmax(dim=1),
        )

    @torch.no_grad()
    def decompose(
        self,
        images: np.ndarray | Tensor,
        num_slots: int | None = None,
        *,
        masks: np.ndarray | Tensor | None = None,
        refine: int = 0,
        batch_size: int = 64,
        advance: Callable[[int], None] | None = None,
    ) -> Decompositions:
        """Decomposes many images, latents at their posterior means.

        The attention guesses in one pass which slot each pixel belongs to. `refine` lets the VAE
        correct the guess: each round takes p(k | x, z), the generative model's answer for the slots
        as just decoded (`log_posterior`), as the masks, and encodes and decodes the slots again.

        Args:
            images: (N, H, W, 3), or one of (H, W, 3), which is taken for N = 1; uint8 or floats in
                [0, 1], NumPy or torch. Larger ones are averaged down to the model's size.
            num_slots: slots to use; as many as in training by default.
            masks: (N, K, H, W), summing to one over K: used instead of the attention's, for models
                that were trained on given masks (section 2.2).
            refine: rounds, each of which costs another pass of the VAE; the paper has none.
            batch_size: images at once.
            advance: called after each batch with the number of its images.

        Raises:
            ValueError: the images are of another shape, type or range than the model takes, cannot
                be averaged down to its size, or there are none; the masks do not suit them, or come
                with `num_slots`; a number is out of range; or the model's output is not finite.
        """
        pixels = images_of_size(images, self.config.image_size)
        if masks is not None and num_slots is not None:
            raise ValueError("num_slots goes with the attention: masks bring a number of their own")
        log_masks = None if masks is None else check_masks(masks, pixels).clamp(min=0).log()
        check_integer("refine", refine, 0, MOST_ROUNDS)
        check_integer("batch_size", batch_size, 1, 2**20)
        device = next(self.parameters()).device
        parts = []
        for start in range(0, len(pixels), batch_size):
            rows = slice(start, start + batch_size)
            image = to_unit(pixels[rows]).to(device)
            batch_masks = None if log_masks is None else log_masks[rows].to(device)
            out = self(image, num_slots, log_masks=batch_masks)
            for _ in range(refine):
                out = self(image, log_masks=log_posterior(self.loss_config, image, out))
            parts.append(_to_numpy(out, loss_terms(self.loss_config, image, out)))
            if advance is not None:
                advance(len(image))
        return Decompositions(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(Decompositions)
            }
        )

    @torch.no_grad()
    def render(
        self, latents: Float[np.ndarray, "N K D"]
    ) -> tuple[Float[np.ndarray, "N K H W 3"], Float[np.ndarray, "N K H W"]]:
        """Decodes latents into components and mask logits (not normalised over slots)."""
        device = next(self.parameters()).device
        z = torch.as_tensor(latents, dtype=torch.float32, device=device)
        components, logits = self.vae.decode(z)
        return components.movedim(2, -1).cpu().numpy(), logits.cpu().numpy()


def _to_numpy(out: Decomposition, loss: LossTerms) -> Decompositions:
    masks = out.log_masks.exp()
    mixed = (masks[:, :, None] * out.components).sum(dim=1)  # (B, 3, H, W)
    arrays = {
        "masks": masks,
        "masks_recon": out.log_masks_recon.exp(),
        "mask_logits": out.mask_logits,
        "components": out.components.movedim(2, -1),
        "reconstruction": mixed.movedim(1, -1),
        "latents": out.mu,
        "log_sigma": out.log_sigma,
        "nll": loss.nll,
        "kl_latent": loss.kl_latent,
        "kl_mask": loss.kl_mask,
    }
    for name, value in arrays.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} of these images are not finite: the weights are not sound")
    return Decompositions(**{key: value.cpu().numpy() for key, value in arrays.items()})
