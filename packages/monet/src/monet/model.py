"""MONet (Burgess et al., 2019): attention, component VAE and loss in one module."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from monet.attention import LOG_MASK_FLOOR, Attention
from monet.component_vae import ComponentVAE
from monet.config import LossConfig, ModelConfig
from monet.initialise import initialise_
from monet.loss import LossTerms, loss_terms
from monet.loss_ablations import log_posterior

RANGE_SLACK = 1e-3
"""How far floats may be outside [0, 1], by rounding."""


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
    """The attention's, or those given, refined as often as was asked for."""
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
        config: its architecture.
        loss: weights of the loss that it is trained with; the paper's by default.
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
        if slots < 2:
            raise ValueError(f"num_slots must be at least 2, got {slots}")
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
            log_masks: what divides the image among the slots.
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
    ) -> Decompositions:
        """Decomposes many images, latents at their posterior means.

        The attention guesses in one pass which slot each pixel is of. `refine` lets the VAE correct
        it: each round takes p(k | x, z), the generative model's answer for the slots as they were
        just decoded (`log_posterior`), as the masks, and encodes and decodes the slots again.

        Args:
            images: (N, H, W, 3), uint8 or floats in [0, 1], NumPy or torch.
            num_slots: slots to use; as many as in training by default.
            masks: (N, K, H, W), summing to one over K: used instead of the attention's, by which a
                model trained on given masks (section 2.2) is looked at.
            refine: rounds, each of which costs another pass of the VAE; the paper has none.
            batch_size: images at once.

        Raises:
            ValueError: the images are of another shape, size, type or range than the model takes,
                or there are none; the masks do not suit them, or come with `num_slots`; or `refine`
                is negative.
        """
        given = _as_tensor(images)
        size = self.config.image_size
        if given.ndim != 4 or given.shape[1:] != (size, size, 3):
            raise ValueError(
                f"images must be (N, {size}, {size}, 3) for this model, got {tuple(given.shape)}"
            )
        if not len(given):
            raise ValueError("there are no images")
        _check_range(given)
        if masks is not None and num_slots is not None:
            raise ValueError("num_slots goes with the attention: masks bring a number of their own")
        log_masks = None if masks is None else _as_tensor(masks).float().log()
        if log_masks is not None and log_masks[:, 0].shape != given[..., 0].shape:
            raise ValueError(
                f"masks must be ({len(given)}, K, {size}, {size}) for these images, got "
                f"{tuple(log_masks.shape)}"
            )
        if refine < 0:
            raise ValueError(f"refine must be at least 0, got {refine}")
        device = next(self.parameters()).device
        parts = []
        for start in range(0, len(given), batch_size):
            rows = slice(start, start + batch_size)
            image = to_unit(given[rows]).to(device)
            some = None if log_masks is None else log_masks[rows].to(device)
            out = self(image, num_slots, log_masks=some)
            for _ in range(refine):
                out = self(image, log_masks=log_posterior(self.loss_config, image, out))
            parts.append(_to_numpy(out, loss_terms(self.loss_config, image, out)))
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


def to_unit(images: Tensor) -> Float[Tensor, "B 3 H W"]:
    """Turns (B, H, W, 3) images, uint8 or floats in [0, 1], into floats, channels first."""
    scaled = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    return scaled.movedim(-1, 1)


def _as_tensor(values: np.ndarray | Tensor) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.asarray(values))


def _check_range(images: Tensor) -> None:
    """Refuses bytes of another type than uint8, which would be taken for floats.

    Raises:
        ValueError: the images are neither uint8 nor floats in [0, 1].
    """
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ValueError(f"images must be uint8 or floats in [0, 1], got {images.dtype}")
    low, high = images.min().item(), images.max().item()
    if not (low >= -RANGE_SLACK and high <= 1 + RANGE_SLACK):
        raise ValueError(f"images must be uint8 or floats in [0, 1], got {low:g} to {high:g}")


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
    return Decompositions(**{key: value.cpu().numpy() for key, value in arrays.items()})
