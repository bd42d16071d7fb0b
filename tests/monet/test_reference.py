"""The whole model and its loss against a plain float64 reference, written from the paper.

It shares no code with the package but the names of the weights: inputs are concatenated and tiled
as appendix B says, masks follow equations 1 and 2 in probabilities where that is possible, and the
loss is equation 3 pixel by pixel in NumPy.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monet.config import ModelConfig
from monet.model import Monet

FLOOR = math.log(1e-5)
Weights = dict[str, torch.Tensor]


def attention_logits(w: Weights, blocks: int, x: torch.Tensor, log_s: torch.Tensor) -> torch.Tensor:
    """Appendix B.2, on the image and the log scope."""

    def block(name: str, y: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(y, w[f"{name}.conv.weight"], padding=1)
        mean = y.mean(dim=(2, 3), keepdim=True)
        variance = ((y - mean) ** 2).mean(dim=(2, 3), keepdim=True)
        return ((y - mean) / (variance + 1e-5).sqrt() + w[f"{name}.bias"][:, None, None]).relu()

    y = block("first", torch.cat([x, log_s], dim=1))
    skips = [y]
    for i in range(blocks - 1):
        y = block(f"down.{i}", y[:, :, ::2, ::2])
        skips.append(y)
    y = y.reshape(len(x), -1)
    for i in range(3):
        y = (y @ w[f"mlp.{i}.weight"].T + w[f"mlp.{i}.bias"]).relu()
    y = y.reshape(skips[-1].shape)
    for i in range(blocks):
        y = block(f"up.{i}", torch.cat([y, skips[-1 - i]], dim=1))
        if i < blocks - 1:
            y = y.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    return F.conv2d(y, w["logits.weight"], w["logits.bias"])


def part(w: Weights, prefix: str) -> Weights:
    return {k.removeprefix(prefix): v for k, v in w.items() if k.startswith(prefix)}


def reference(model: Monet, x: torch.Tensor, K: int, noise: torch.Tensor) -> dict[str, np.ndarray]:
    """Returns the three terms and the total of each image."""
    config = model.config
    w = {name: value.detach().double() for name, value in model.state_dict().items()}
    x, noise = x.double(), noise.double()
    B, _, H, W = x.shape
    log_s, log_masks = torch.zeros(B, 1, H, W, dtype=torch.float64), []
    for _ in range(K - 1):
        logits = attention_logits(
            part(w, "attention.unet."), len(config.unet_channels), x, log_s.clamp(min=FLOOR)
        )
        log_masks.append(log_s - torch.log1p(torch.exp(-logits)))  # log s + log alpha
        log_s = log_s - torch.log1p(torch.exp(logits))  # log s + log (1 - alpha)
    log_m = torch.cat([*log_masks, log_s], dim=1)

    encoder, decoder = part(w, "vae.encoder."), part(w, "vae.decoder.")
    means, decoded, latent_kl = [], [], torch.zeros(B, dtype=torch.float64)
    layers = ["first", *(f"convs.{i}" for i in range(len(config.encoder_channels) - 1))]
    side = H + 2 * len(config.decoder_channels)
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    grid = torch.stack([line[:, None].expand(side, side), line[None].expand(side, side)])
    for k in range(K):
        y = torch.cat([x, log_m[:, k : k + 1].clamp(min=FLOOR)], dim=1)
        for name in layers:
            y = F.conv2d(
                y, encoder[f"{name}.weight"], encoder[f"{name}.bias"], stride=2, padding=1
            ).relu()
        y = (y.reshape(B, -1) @ encoder["hidden.weight"].T + encoder["hidden.bias"]).relu()
        y = y @ encoder["posterior.weight"].T + encoder["posterior.bias"]
        mu, log_sigma = y[:, : config.latent_dim], y[:, config.latent_dim :]
        latent_kl += 0.5 * (mu**2 + torch.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(dim=1)
        z = mu + torch.exp(log_sigma) * noise[:, k]
        y = torch.cat(
            [z[:, :, None, None].expand(-1, -1, side, side), grid.expand(B, -1, -1, -1)], dim=1
        )
        for name in ["first", *(f"convs.{i}" for i in range(len(config.decoder_channels) - 1))]:
            y = F.conv2d(y, decoder[f"{name}.weight"], decoder[f"{name}.bias"]).relu()
        y = F.conv2d(y, decoder["output.weight"], decoder["output.bias"])
        means.append(y[:, :3])
        decoded.append(y[:, 3])

    image, log_m_all = x.numpy(), log_m.numpy()
    component, logit = torch.stack(means, 1).numpy(), torch.stack(decoded, 1).numpy()
    largest = logit.max(axis=1, keepdims=True)
    log_c = logit - largest - np.log(np.exp(logit - largest).sum(axis=1, keepdims=True))
    joint = np.empty((B, K, H, W))
    kl_mask = np.zeros(B)
    for k in range(K):
        sigma = config.sigma_bg if k == 0 else config.sigma_fg
        log_p = -((image - component[:, k]) ** 2) / (2 * sigma**2)
        log_p -= math.log(sigma * math.sqrt(2 * math.pi))
        joint[:, k] = log_m_all[:, k] + log_p.sum(axis=1)
        kl_mask += (np.exp(log_m_all[:, k]) * (log_m_all[:, k] - log_c[:, k])).sum(axis=(1, 2))
    top = joint.max(axis=1)
    nll = -(top + np.log(np.exp(joint - top[:, None]).sum(axis=1))).sum(axis=(1, 2))
    kl_latent = latent_kl.numpy()
    return {
        "nll": nll,
        "kl_latent": kl_latent,
        "kl_mask": kl_mask,
        "total": nll + config.beta * kl_latent + config.gamma * kl_mask,
    }


def plain(model: Monet) -> None:
    """Leaves the weights as they were drawn."""


def decided(model: Monet) -> None:
    """Makes the attention's logits large, so that late scopes are far below the clamp."""
    with torch.no_grad():
        model.attention.unet.logits.weight *= 40
        model.attention.unet.logits.bias += 30


@pytest.mark.parametrize("change", [plain, decided])
@pytest.mark.parametrize(
    ("size", "blocks"), [(32, (32, 64, 64, 64)), (64, (32, 32, 64, 64, 64)),
                         (128, (32, 32, 32, 64, 64, 64))]
)  # fmt: skip
@pytest.mark.parametrize("K", [2, 7, 11])
def test_the_models_loss_is_the_papers(
    K: int, size: int, blocks: tuple[int, ...], change: Callable[[Monet], None]
) -> None:
    torch.manual_seed(K * size)
    sigma = 0.01 if change is decided else 0.09
    model = Monet(
        ModelConfig(
            image_size=size, num_slots=K, unet_channels=blocks, sigma_bg=sigma,
            sigma_fg=1.2 * sigma, gamma=0.25,
        )
    )  # fmt: skip
    change(model)
    image, noise = torch.rand(1, 3, size, size), torch.randn(1, K, 16)
    expected = reference(model, image, K, noise)
    with torch.no_grad():
        loss = model(image, noise=noise).loss
        exact = model.double()(image.double(), noise=noise.double()).loss
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(exact, name).numpy(), value, rtol=1e-9, err_msg=name)
        # Logits that were enlarged forty times enlarge the rounding of float32.
        if name == "total" or change is plain:
            given = getattr(loss, name).numpy()
            np.testing.assert_allclose(given, value, rtol=1e-5, err_msg=name)
