"""The loss against a plain float64 reference written from equation 3, and at its edges."""

import math

import numpy as np
import pytest
import torch
from monet.config import ModelConfig
from monet.loss import latent_kl, log_posterior, loss_terms, mask_kl, mixture_nll
from torch.distributions import Categorical, Normal, kl_divergence


def reference(
    config: ModelConfig,
    x: np.ndarray,
    components: np.ndarray,
    log_m: np.ndarray,
    log_m_recon: np.ndarray,
    mu: np.ndarray,
    log_sigma: np.ndarray,
) -> float:
    """Equation 3 of one image, pixel by pixel and slot by slot."""
    K, _, H, W = components.shape
    nll = 0.0
    kl_mask = 0.0
    for i in range(H):
        for j in range(W):
            logs = []
            for k in range(K):
                scale = config.sigma_bg if k == 0 else config.sigma_fg
                log_p = 0.0
                for c in range(3):
                    error = (x[c, i, j] - components[k, c, i, j]) / scale
                    log_p += -0.5 * error**2 - math.log(scale * math.sqrt(2 * math.pi))
                logs.append(log_m[k, i, j] + log_p)
                if log_m[k, i, j] > -math.inf:
                    share = math.exp(log_m[k, i, j])
                    kl_mask += share * (log_m[k, i, j] - log_m_recon[k, i, j])
            largest = max(logs)
            nll -= largest + math.log(sum(math.exp(value - largest) for value in logs))
    kl_latent = 0.0
    for k in range(K):
        for d in range(mu.shape[1]):
            variance = math.exp(2 * log_sigma[k, d])
            kl_latent += 0.5 * (mu[k, d] ** 2 + variance - 1 - math.log(variance))
    return nll + config.beta * kl_latent + config.gamma * kl_mask


def draw(K: int, size: int, seed: int = 0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g)

    return {
        "image": torch.rand((2, 3, size, size), generator=g),
        "components": 0.5 + 0.5 * normal(2, K, 3, size, size),
        "log_masks": (3 * normal(2, K, size, size)).log_softmax(dim=1),
        "log_masks_recon": (3 * normal(2, K, size, size)).log_softmax(dim=1),
        "mu": normal(2, K, 16),
        "log_sigma": 0.3 * normal(2, K, 16),
    }


def hard(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Puts every pixel wholly into one slot: masks of exactly 0 and 1."""
    log_masks = tensors["log_masks"]
    chosen = torch.nn.functional.one_hot(log_masks.argmax(1), log_masks.shape[1]).movedim(-1, 1)
    return {**tensors, "log_masks": chosen.float().log()}


def late(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Lets the last slots have a scope of almost nothing."""
    log_masks = tensors["log_masks"].clone()
    log_masks[:, -1] = -1e4
    return {**tensors, "log_masks": log_masks.log_softmax(dim=1)}


EDGES = {"soft": lambda t: t, "hard": hard, "late": late}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("sigma", [0.1, 0.01])
@pytest.mark.parametrize(("K", "size"), [(2, 16), (7, 8), (11, 4), (5, 32)])
def test_the_loss_is_equation_3(K: int, size: int, sigma: float, edge: str) -> None:
    config = ModelConfig(sigma_bg=sigma, sigma_fg=1.2 * sigma, beta=0.5, gamma=0.25)
    tensors = EDGES[edge](draw(K, size))
    terms = loss_terms(config, **tensors)
    for b in range(2):
        x, *rest = (value[b].double().numpy() for value in tensors.values())
        expected = reference(config, x, *rest)
        assert float(terms.total[b]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("edge", EDGES)
def test_gradients_are_finite_at_the_edges(edge: str) -> None:
    tensors = {name: value.requires_grad_() for name, value in EDGES[edge](draw(5, 8)).items()}
    leaves = [value for name, value in tensors.items() if name != "image"]
    loss = loss_terms(ModelConfig(sigma_bg=0.01, sigma_fg=0.01), **tensors).total.sum()
    for gradient in torch.autograd.grad(loss, leaves):
        assert gradient.isfinite().all()


def test_the_posterior_is_bayes_rule_on_each_pixel() -> None:
    tensors = draw(5, 8)
    given = [tensors[name] for name in ("image", "components", "log_masks_recon")]
    scales = [0.9] + 4 * [1.1]
    posterior = log_posterior(*given, scales).exp()
    image, components, log_prior = (value.double() for value in given)
    scale = torch.tensor(scales)[:, None, None, None]
    likelihood = Normal(components, scale).log_prob(image[:, None]).exp().prod(dim=2)
    joint = log_prior.exp() * likelihood
    torch.testing.assert_close(
        posterior.double(), joint / joint.sum(1, keepdim=True), rtol=1e-4, atol=1e-6
    )


def test_the_mixture_is_per_pixel_and_per_channel_is_another_number() -> None:
    image = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1)
    components = torch.stack([torch.zeros(3), torch.ones(3)]).reshape(1, 2, 3, 1, 1)
    log_masks = torch.full((1, 2, 1, 1), math.log(0.5))
    whole = mixture_nll(image, components, log_masks, [0.1, 0.1])
    parted = mixture_nll(image, components, log_masks, [0.1, 0.1], "per_channel")
    density = -math.log(0.1 * math.sqrt(2 * math.pi))
    # One channel is wrong in slot 0, two in slot 1; no pixel may take a channel from each.
    expected = -(math.log(0.5) + 3 * density - 0.5 * 100)
    assert float(whole) == pytest.approx(expected, rel=1e-5)
    assert float(parted) == pytest.approx(-3 * (math.log(0.5) + density), rel=1e-5)


def test_each_network_feels_its_own_weight_of_the_mask_kl() -> None:
    tensors = draw(4, 8)
    log_masks, log_masks_recon = tensors["log_masks"], tensors["log_masks_recon"]

    def gradients(config: ModelConfig) -> tuple[torch.Tensor, ...]:
        leaves = (log_masks.clone().requires_grad_(), log_masks_recon.clone().requires_grad_())
        given = {**tensors, "log_masks": leaves[0], "log_masks_recon": leaves[1]}
        return torch.autograd.grad(loss_terms(config, **given).total.sum(), leaves)

    attention, decoder = gradients(ModelConfig(gamma=0.25, gamma_vae=2.0))
    torch.testing.assert_close(attention, gradients(ModelConfig(gamma=0.25))[0])
    torch.testing.assert_close(decoder, gradients(ModelConfig(gamma=2.0))[1])


def test_the_posterior_teaches_the_attention_and_nothing_else() -> None:
    tensors = draw(4, 8)
    learned = ("components", "log_masks", "log_masks_recon", "mu", "log_sigma")

    def run(weight: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        leaves = {name: tensors[name].clone().requires_grad_() for name in learned}
        config = ModelConfig(posterior_weight=weight)
        total = loss_terms(config, **{**tensors, **leaves}).total
        gradients = torch.autograd.grad(total.sum(), list(leaves.values()))
        return total.detach(), dict(zip(leaves, gradients, strict=True))

    given = tensors["image"], tensors["components"], tensors["log_masks_recon"]
    scales = [ModelConfig().sigma_bg, *[ModelConfig().sigma_fg] * 3]
    posterior = log_posterior(*given, scales)
    gap = kl_divergence(
        Categorical(logits=posterior.movedim(1, -1)),
        Categorical(logits=tensors["log_masks"].movedim(1, -1)),
    ).sum(dim=(1, 2))
    (plain, before), (taught, after) = run(0.0), run(0.5)
    torch.testing.assert_close(taught, plain + 0.5 * gap)
    pull = -0.5 * posterior.exp()
    torch.testing.assert_close(after.pop("log_masks"), before.pop("log_masks") + pull)
    for name, gradient in after.items():
        torch.testing.assert_close(gradient, before[name])


def test_with_one_slot_it_is_a_vaes() -> None:
    tensors = draw(1, 8)
    terms = loss_terms(ModelConfig(gamma=7.0), **tensors)
    p = Normal(tensors["components"][:, 0], ModelConfig().sigma_bg)
    nll = -p.log_prob(tensors["image"]).sum(dim=(1, 2, 3))
    torch.testing.assert_close(terms.nll, nll)
    assert float(terms.kl_mask.abs().max()) < 1e-5


def test_the_latent_kl_is_torchs() -> None:
    tensors = draw(4, 2)
    posterior = Normal(tensors["mu"], tensors["log_sigma"].exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=(1, 2))
    torch.testing.assert_close(latent_kl(tensors["mu"], tensors["log_sigma"]), expected)


def test_the_mask_kl_is_zero_for_equal_masks_and_positive_else() -> None:
    tensors = draw(4, 4)
    log_masks = tensors["log_masks"]
    assert float(mask_kl(log_masks, log_masks).abs().max()) == 0
    assert (mask_kl(log_masks, tensors["log_masks_recon"]) > 0).all()


def test_no_random_case_is_nan_or_infinite() -> None:
    g = torch.Generator().manual_seed(0)
    for _ in range(20):  # 500 cases each
        K = int(torch.randint(1, 12, (), generator=g))
        logits = 10 ** float(2 * torch.rand((), generator=g)) * torch.randn(
            (500, K, 4, 4), generator=g
        )
        terms = loss_terms(
            ModelConfig(sigma_bg=0.01, sigma_fg=0.01),
            torch.rand((500, 3, 4, 4), generator=g),
            3 * torch.randn((500, K, 3, 4, 4), generator=g),
            logits.log_softmax(1),
            logits.flip(1).log_softmax(1),
            3 * torch.randn((500, K, 4), generator=g),
            3 * torch.randn((500, K, 4), generator=g),
        )
        assert terms.total.isfinite().all()
