"""The model: masks that sum to one, exact shortcuts, any number of slots, and that it learns."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
import torch
import torch.nn.functional as F
from monet.attention import split_scope
from monet.config import LossAblations, LossConfig, ModelConfig
from monet.images import to_unit
from monet.loss import LossTerms, loss_terms
from monet.model import Monet
from monet.naive import naive_decoded, naive_log_masks, naive_posterior
from monet.presets import PRESETS
from monet.training.mean_loss import MeanLoss
from scenes.file.reader import SceneFile
from scenes.segmentation import images_at

SMALL = ModelConfig(
    image_size=16,
    num_slots=4,
    latent_dim=6,
    encoder_channels=(8, 8),
    encoder_hidden=16,
    decoder_channels=(8, 8),
    unet_channels=(8, 16, 16),
    unet_hidden=(32,),
)


def loss_of(model: Monet, images: torch.Tensor, noise: torch.Tensor) -> LossTerms:
    return loss_terms(model.loss_config, images, model(images, noise=noise))


@pytest.fixture
def model() -> Monet:
    """Returns a small model with the same weights each time."""
    torch.manual_seed(0)
    return Monet(SMALL)


@pytest.fixture
def images() -> torch.Tensor:
    """Returns random images of the small model's size."""
    return torch.rand((3, 3, 16, 16), generator=torch.Generator().manual_seed(1))


def test_masks_sum_to_one_at_every_pixel(model: Monet, images: torch.Tensor) -> None:
    out = model(images)
    for log_masks in (out.log_masks, out.log_masks_recon):
        torch.testing.assert_close(log_masks.logsumexp(dim=1), torch.zeros(3, 16, 16))


def test_a_split_scope_sums_to_the_old_one() -> None:
    log_scope = -20 * torch.rand(2, 1, 4, 4)
    logits = 30 * torch.randn(2, 1, 4, 4)
    log_mask, rest = split_scope(log_scope, logits)
    torch.testing.assert_close(torch.logaddexp(log_mask, rest), log_scope)
    torch.testing.assert_close(log_mask - rest, logits)


@pytest.mark.parametrize("slots", [2, 4, 9])
def test_any_number_of_slots_from_the_same_weights(
    model: Monet, images: torch.Tensor, slots: int
) -> None:
    out = model(images, slots)
    assert out.log_masks.shape == (3, slots, 16, 16)
    assert out.components.shape == (3, slots, 3, 16, 16)
    assert out.mu.shape == (3, slots, 6)
    shared = min(slots, 4) - 1  # the last slot takes what is left
    torch.testing.assert_close(out.log_masks[:, :shared], model(images).log_masks[:, :shared])


def test_every_parameter_gets_a_gradient(model: Monet, images: torch.Tensor) -> None:
    loss_of(model, images, torch.randn(3, 4, 6)).total.mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_each_part_equals_the_naive_one(model: Monet, images: torch.Tensor) -> None:
    log_masks = torch.randn(3, 4, 16, 16).log_softmax(dim=1)
    z = torch.randn(3, 4, 6)
    close = {"atol": 1e-4, "rtol": 1e-4}
    expected_masks = naive_log_masks(model, images, 4)
    torch.testing.assert_close(model.attention(images, 4), expected_masks, **close)
    expected = naive_posterior(model, images, log_masks)
    torch.testing.assert_close(model.vae.encoder(images, log_masks), expected, **close)
    torch.testing.assert_close(model.vae.decode(z), naive_decoded(model, z), **close)


def test_initial_weights_are_a_truncated_normal_and_biases_zero() -> None:
    torch.manual_seed(0)
    for name, parameter in Monet(ModelConfig()).named_parameters():
        if name.endswith("bias"):
            assert parameter.abs().max() == 0, name
        elif parameter.numel() > 4000:
            expected = parameter[0].numel() ** -0.5
            assert parameter.abs().max() <= 2 * expected, name
            # Cut at two deviations, a normal's deviation is 0.88 of what it was.
            assert float(parameter.detach().std()) == pytest.approx(0.88 * expected, rel=0.05), name


def test_the_papers_model_has_about_a_million_parameters() -> None:
    counts = {
        name: sum(p.numel() for p in Monet(PRESETS[name].model).parameters())
        for name in ("paper", "paper-clevr")
    }
    assert counts["paper"] == pytest.approx(1.0e6, rel=0.1)
    assert counts["paper-clevr"] == pytest.approx(1.8e6, rel=0.1)


def test_it_overfits_one_batch_of_rooms(rooms_file: Path) -> None:
    with SceneFile(rooms_file) as file:
        images = to_unit(torch.from_numpy(file["image"][:4, ::2, ::2]))
    torch.manual_seed(0)
    model = Monet(SMALL)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3, betas=(0.9, 0.95))
    losses = []
    for _ in range(400):
        loss = loss_of(model, images, torch.randn(4, 4, 6)).total.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-20:]) / 20 < 0.05 * losses[0]


def test_hard_masks_can_be_given(model: Monet, images: torch.Tensor) -> None:
    chosen = torch.randint(4, (3, 16, 16))
    log_masks = F.one_hot(chosen, 4).movedim(-1, 1).float().log()
    out = model(images, log_masks=log_masks)
    loss = loss_terms(model.loss_config, images, out)
    assert loss.total.isfinite().all()
    loss.total.mean().backward()
    assert all(p.grad.isfinite().all() for p in model.vae.parameters() if p.grad is not None)


def test_decompose_takes_bytes_and_floats_numpy_and_torch(model: Monet) -> None:
    given = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    parts = model.decompose(given, 6, batch_size=2)
    assert parts.masks.shape == (5, 6, 16, 16)
    assert parts.components.shape == (5, 6, 16, 16, 3)
    np.testing.assert_allclose(parts.masks.sum(axis=1), 1, atol=1e-5)
    mixed = (parts.masks[..., None] * parts.components).sum(axis=1)
    np.testing.assert_allclose(parts.reconstruction, mixed, atol=1e-5)
    for same in (given / np.float32(255), torch.from_numpy(given)):
        np.testing.assert_allclose(model.decompose(same, 6).masks, parts.masks, atol=1e-5)
    components, logits = model.render(parts.latents)
    np.testing.assert_allclose(components, parts.components, atol=1e-5)
    np.testing.assert_allclose(logits, parts.mask_logits, atol=1e-5)


def test_decompose_takes_one_image_any_strides_and_sizes_that_average_down(model: Monet) -> None:
    given = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    parts = model.decompose(images_at(given, 16))
    assert parts.masks.shape == (4, 4, 16, 16)

    def check(images: np.ndarray | torch.Tensor, rows: Any = slice(None)) -> None:
        np.testing.assert_allclose(model.decompose(images).masks, parts.masks[rows], atol=1e-5)

    # Averaged as training averages: bytes are rounded.
    for same in (given, torch.from_numpy(given)):
        check(same)
    floats = images_at(given, 16) / np.float32(255)
    for kind in (np.float64, ">f4", np.float32):
        check(floats.astype(kind))
    unrounded = given.reshape(4, 16, 2, 16, 2, 3).mean(axis=(2, 4)) / 255
    np.testing.assert_allclose(
        model.decompose(given / 255).masks, model.decompose(unrounded).masks, atol=1e-5
    )
    check(given[2], slice(2, 3))
    check(given[::-1], slice(None, None, -1))
    check(given[:, ::-1][:, ::-1])
    check(np.ascontiguousarray(given.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1))
    check(np.asfortranarray(given))
    read_only = given.view()
    read_only.flags.writeable = False
    check(read_only)
    check(np.broadcast_to(given[0], (2, 32, 32, 3)), [0, 0])


def test_a_round_of_refining_is_bayes_rule_and_another_pass(model: Monet) -> None:
    given = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    first = model.decompose(given, 5)
    scales = np.array([model.loss_config.sigma_bg] + 4 * [model.loss_config.sigma_fg])[
        :, None, None, None
    ]
    error = (given[:, None] / 255 - first.components) / scales  # (3, 5, 16, 16, 3)
    joint = first.masks_recon * np.exp(-0.5 * error**2).prod(-1) / scales[..., 0] ** 3
    posterior = joint / joint.sum(axis=1, keepdims=True)
    once = model.decompose(given, 5, refine=1)
    np.testing.assert_allclose(once.masks, posterior, atol=1e-4)
    again = model.decompose(given, masks=once.masks)
    np.testing.assert_allclose(once.components, again.components, atol=1e-4)
    np.testing.assert_allclose(once.nll, again.nll, rtol=1e-4)
    twice = model.decompose(given, masks=once.masks, refine=1)
    np.testing.assert_allclose(model.decompose(given, 5, refine=2).masks, twice.masks, atol=1e-4)
    with pytest.raises(ValueError, match="refine must be at least 0, got -1"):
        model.decompose(given, refine=-1)


def test_given_masks_are_not_taught(model: Monet, images: torch.Tensor) -> None:
    hard = torch.zeros(len(images), 3, *images.shape[2:]).log()
    hard[:, 0] = 0.0  # of which the fourth term would be infinite
    noise, config = torch.randn(3, 3, 6), LossConfig()
    loss = MeanLoss(model, config, LossAblations(posterior_weight=1.0))
    total, nll, kl_latent, kl_mask = loss(images, noise, hard, 1.0)
    expected = nll + config.beta * kl_latent + config.gamma * kl_mask
    torch.testing.assert_close(total, expected)


def test_a_model_carries_its_loss(images: torch.Tensor) -> None:
    given = (255 * images).byte().movedim(1, -1)
    torch.manual_seed(0)
    wide = Monet(SMALL, LossConfig(sigma_bg=0.5, sigma_fg=0.6))
    torch.manual_seed(0)
    assert not np.allclose(Monet(SMALL).decompose(given).nll, wide.decompose(given).nll)
    assert wide.loss_config.sigma_fg == 0.6


def test_images_that_are_neither_bytes_nor_in_the_unit_interval_are_refused(model: Monet) -> None:
    given = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    for wrong, got in (
        (given.astype(np.int64), "torch.int64"),
        (given.astype(np.float32), "0 to 25"),
        (given / np.float32(127.5) - 1, "-1 to 1"),
        (np.full_like(given, np.nan, dtype=np.float32), "nan to nan"),
    ):
        message = f"images must be uint8 or floats in [0, 1], got {got}"
        with pytest.raises(ValueError, match=re.escape(message)):
            model.decompose(wrong)
    with pytest.raises(ValueError, match="there are no images"):
        model.decompose(given[:0])
    masks = np.full((2, 3, 16, 16), 1 / 3, dtype=np.float32)
    with pytest.raises(ValueError, match="num_slots goes with the attention"):
        model.decompose(given, 3, masks=masks)


@pytest.mark.parametrize("shape", [(24, 16), (240, 321), (17, 15), (8, 8), (40, 40)])
def test_images_of_another_size_are_refused_and_what_to_call_is_right(
    model: Monet, shape: tuple[int, int]
) -> None:
    images = np.zeros((2, *shape, 3), np.uint8)
    message = (
        f"images of {shape[0]} x {shape[1]} pixels cannot be averaged down to this model's 16 x "
        '16; scenes.images_at(images, 16, fit="crop") makes them so, and fit="pad" or "stretch"'
    )
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        model.decompose(images)
    call = re.search(r"scenes\.images_at\(.*?\)", str(refused.value))
    assert call is not None
    assert model.decompose(eval(call[0], {"scenes": scenes, "images": images})).masks.shape == (
        2,
        4,
        16,
        16,
    )


@pytest.mark.parametrize("shape", [(16, 16), (2, 16, 16), (2, 16, 16, 4), (2, 3, 16, 16), (1,) * 5])
def test_images_that_are_not_channels_last_are_refused(
    model: Monet, shape: tuple[int, ...]
) -> None:
    message = f"images must be (N, H, W, 3) or one of (H, W, 3), got {shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.decompose(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_slots": 10**9}, "num_slots must be at most 1,024, got 1000000000"),
        ({"num_slots": 0}, "num_slots must be at least 2, got 0"),
        ({"num_slots": -3}, "num_slots must be at least 2, got -3"),
        ({"refine": 10**9}, "refine must be at most 1,000, got 1000000000"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"masks": np.full((2, 3, 16, 16), np.nan)}, "masks must be in [0, 1], got nan to nan"),
        ({"masks": np.full((2, 3, 16, 16), 2)}, "masks must be in [0, 1], got 2 to 2"),
        ({"masks": np.full((2, 3, 16, 16), 0.5)}, "masks must sum to 1 over the slots, got 1.5"),
        ({"masks": np.ones((2, 0, 16, 16))}, "masks must be (2, K, 16, 16) for these images"),
        ({"masks": np.ones(3)}, "masks must be (2, K, 16, 16) for these images, got (3,)"),
        ({"masks": np.ones(3, object)}, "masks must be numbers that torch has, got object"),
    ],
)
def test_what_decompose_cannot_use_is_refused(
    model: Monet, arguments: dict[str, Any], message: str
) -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.decompose(images, **arguments)


def test_what_is_not_finite_is_never_returned(model: Monet) -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    with torch.no_grad():
        model.vae.encoder.posterior.bias[0] = torch.nan
    with pytest.raises(ValueError, match="of these images are not finite: the weights are not"):
        model.decompose(images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_slots": 1}, "num_slots must be at least 2, got 1"),
        ({"image_size": 20}, "image_size must be a multiple of 8, which unet_channels halve 3"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    config = replace(SMALL, unet_channels=(8, 8, 8, 8))
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(config, **change)  # type: ignore[arg-type]


def test_a_loss_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("sigma_fg must be positive, got 0.0")):
        LossConfig(sigma_fg=0.0)
    with pytest.raises(ValueError, match=r"posterior_weight must be at least 0, got -1\.0"):
        LossAblations(posterior_weight=-1.0)
    with pytest.raises(ValueError, match="posterior_start must be at least 0, got -1"):
        LossAblations(posterior_start=-1)


def test_one_slot_is_refused_at_test_time(model: Monet, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="num_slots must be at least 2, got 1"):
        model(images, 1)
