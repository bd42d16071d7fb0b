"""The model and its loss as the paper writes them, slow and plain: the reference in tests.

Inputs are concatenated and tiled as appendix B says, maps are doubled and then convolved, and
equation 3 is computed term by term. Nothing here calls the package's own layers; a model's weights
are taken by name, in whatever precision they have. Tests and tools/bench compare with it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from monet.config import LossConfig
from monet.loss import LossTerms
from monet.model import Monet

Weights = dict[str, Tensor]
FLOOR = math.log(1e-5)
"""Least log of a mask that enters a network."""


def naive_loss(
    model: Monet,
    loss: LossConfig,
    image: Float[Tensor, "B 3 H W"],
    noise: Float[Tensor, "B K D"],
) -> LossTerms:
    """Returns equation 3 for a model's attention masks.

    Args:
        model: has the weights.
        loss: weights of the terms.
        image: in [0, 1].
        noise: unit Gaussian, for the latents; its K is the number of slots.
    """
    log_masks = naive_log_masks(model, image, noise.shape[1])
    mu, log_sigma = naive_posterior(model, image, log_masks)
    components, mask_logits = naive_decoded(model, mu + log_sigma.exp() * noise)
    return naive_terms(loss, image, log_masks, mu, log_sigma, components, mask_logits)


def naive_log_masks(
    model: Monet, image: Float[Tensor, "B 3 H W"], num_slots: int
) -> Float[Tensor, "B K H W"]:
    """Returns the attention's masks (equations 1 and 2, appendix B.2), in logs."""
    weights = _weights(model, "attention.unet.")
    log_scope = torch.zeros_like(image[:, :1])
    log_masks = []
    for _ in range(num_slots - 1):
        logits = _unet(weights, torch.cat([image, log_scope.clamp(min=FLOOR)], dim=1))
        log_masks.append(log_scope + F.logsigmoid(logits))
        log_scope = log_scope + F.logsigmoid(-logits)
    return torch.cat([*log_masks, log_scope], dim=1)


def _unet(w: Weights, x: Float[Tensor, "B 4 H W"]) -> Float[Tensor, "B 1 H W"]:
    blocks = sum(name.startswith("up.") and name.endswith(".bias") for name in w)

    def block(name: str, y: Tensor) -> Tensor:
        y = F.conv2d(y, w[f"{name}.conv.weight"], padding=1)
        return F.relu(F.instance_norm(y) + w[f"{name}.bias"][:, None, None])

    y = block("first", x)
    skips = [y]
    for i in range(blocks - 1):
        y = block(f"down.{i}", F.interpolate(y, scale_factor=0.5, mode="nearest"))
        skips.append(y)
    y = y.flatten(1)
    for name in _layers(w, "mlp."):
        y = F.relu(y @ w[f"{name}.weight"].T + w[f"{name}.bias"])
    y = y.reshape(skips[-1].shape)
    for i in range(blocks):
        y = block(f"up.{i}", torch.cat([y, skips[-1 - i]], dim=1))
        if i < blocks - 1:
            y = F.interpolate(y, scale_factor=2.0, mode="nearest")
    return F.conv2d(y, w["logits.weight"], w["logits.bias"])


def naive_posterior(
    model: Monet, image: Float[Tensor, "B 3 H W"], log_masks: Float[Tensor, "B K H W"]
) -> tuple[Float[Tensor, "B K D"], Float[Tensor, "B K D"]]:
    """Returns mean and log deviation of each slot's latents (appendix B.1)."""
    w, (B, K) = _weights(model, "vae.encoder."), log_masks.shape[:2]
    tiled = image[:, None].expand(-1, K, -1, -1, -1)
    x = torch.cat([tiled, log_masks.clamp(min=FLOOR)[:, :, None]], dim=2).flatten(0, 1)
    for name in ("first", *_layers(w, "convs.")):
        x = F.relu(F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1))
    x = F.relu(x.flatten(1) @ w["hidden.weight"].T + w["hidden.bias"])
    x = x @ w["posterior.weight"].T + w["posterior.bias"]
    mu, log_sigma = x.unflatten(0, (B, K)).chunk(2, dim=-1)
    return mu, log_sigma


def naive_decoded(
    model: Monet, z: Float[Tensor, "B K D"]
) -> tuple[Float[Tensor, "B K 3 H W"], Float[Tensor, "B K H W"]]:
    """Returns components and mask logits of latents (appendix B.1)."""
    w, (B, K, D) = _weights(model, "vae.decoder."), z.shape
    layers = ["first", *_layers(w, "convs.")]
    side = model.config.image_size + 2 * len(layers)
    line = torch.linspace(-1, 1, side, dtype=z.dtype, device=z.device)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"))
    tiled = z.reshape(B * K, D, 1, 1).expand(-1, -1, side, side)
    x = torch.cat([tiled, grid.expand(B * K, -1, -1, -1)], dim=1)
    for name in layers:
        x = F.relu(F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"]))
    x = F.conv2d(x, w["output.weight"], w["output.bias"]).unflatten(0, (B, K))
    return x[:, :, :3], x[:, :, 3]


def naive_terms(
    loss: LossConfig,
    image: Float[Tensor, "B 3 H W"],
    log_masks: Float[Tensor, "B K H W"],
    mu: Float[Tensor, "B K D"],
    log_sigma: Float[Tensor, "B K D"],
    components: Float[Tensor, "B K 3 H W"],
    mask_logits: Float[Tensor, "B K H W"],
) -> LossTerms:
    """Returns equation 3, slot by slot."""
    joint, kl_mask = [], torch.zeros_like(image[:, 0, 0, 0])
    log_recon = mask_logits.log_softmax(dim=1)
    for k in range(log_masks.shape[1]):
        sigma = loss.sigma_bg if k == 0 else loss.sigma_fg
        log_p = -((image - components[:, k]) ** 2) / (2 * sigma**2)
        log_p = log_p - math.log(sigma * math.sqrt(2 * math.pi))
        joint.append(log_masks[:, k] + log_p.sum(dim=1))  # whole pixels are mixed
        share = log_masks[:, k].exp()
        kl_mask = kl_mask + (share * (log_masks[:, k] - log_recon[:, k])).sum(dim=(1, 2))
    nll = -torch.stack(joint).logsumexp(dim=0).sum(dim=(1, 2))
    kl_latent = 0.5 * (mu**2 + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(dim=(1, 2))
    total = nll + loss.beta * kl_latent + loss.gamma * kl_mask
    return LossTerms(total=total, nll=nll, kl_latent=kl_latent, kl_mask=kl_mask)


def _weights(model: Monet, prefix: str) -> Weights:
    """Returns the weights of one part under their names without the prefix, in order."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}


def _layers(weights: Weights, prefix: str) -> list[str]:
    """Returns the names of the layers under a prefix, in order."""
    ending = ".weight"
    return [
        name.removesuffix(ending)
        for name in weights
        if name.startswith(prefix) and name.endswith(ending)
    ]
