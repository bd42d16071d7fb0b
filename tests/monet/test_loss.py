"""The loss against a plain float64 reference written from equation 3, and at its edges."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from monet.config import LossConfig
from monet.loss import LossTerms, latent_kl, loss_terms, mask_kl, mixture_nll
from monet.loss_ablations import log_posterior, loss_terms_apart, with_posterior_term
from monet.model import Decomposition
from monet.naive import naive_terms
from torch.distributions import Categorical, Normal, kl_divergence


def reference(
    config: LossConfig,
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


def parts_of(tensors: dict[str, torch.Tensor]) -> Decomposition:
    """Returns the decomposition that has these parts; what the loss does not read is empty."""
    rest = {name: value for name, value in tensors.items() if name != "image"}
    return Decomposition(z=tensors["mu"], mask_logits=tensors["log_masks_recon"], **rest)


def terms_of(config: LossConfig, tensors: dict[str, torch.Tensor]) -> LossTerms:
    return loss_terms(config, tensors["image"], parts_of(tensors))


def naive_terms_of(config: LossConfig, tensors: dict[str, torch.Tensor]) -> LossTerms:
    """Returns the loss as the paper writes it, whose masks of exactly 0 are nearly 0."""
    given = {name: value.double() for name, value in tensors.items()}
    given["log_masks"] = given["log_masks"].clamp(min=-1e9)
    given["mask_logits"] = given.pop("log_masks_recon")
    return naive_terms(config, **given)


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
    """Makes the scope that is left to the last slots almost zero."""
    log_masks = tensors["log_masks"].clone()
    log_masks[:, -1] = -1e4
    return {**tensors, "log_masks": log_masks.log_softmax(dim=1)}


EDGES = {"soft": lambda t: t, "hard": hard, "late": late}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("sigma", [0.1, 0.01])
@pytest.mark.parametrize(("K", "size"), [(2, 16), (7, 8), (11, 4), (5, 32)])
def test_the_loss_is_equation_3(K: int, size: int, sigma: float, edge: str) -> None:
    config = LossConfig(sigma_bg=sigma, sigma_fg=1.2 * sigma, beta=0.5, gamma=0.25)
    tensors = EDGES[edge](draw(K, size))
    for terms in (terms_of(config, tensors), naive_terms_of(config, tensors)):
        for b in range(2):
            x, *rest = (value[b].double().numpy() for value in tensors.values())
            expected = reference(config, x, *rest)
            assert float(terms.total[b]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("edge", EDGES)
def test_gradients_are_finite_at_the_edges(edge: str) -> None:
    tensors = {name: value.requires_grad_() for name, value in EDGES[edge](draw(5, 8)).items()}
    leaves = [value for name, value in tensors.items() if name != "image"]
    loss = terms_of(LossConfig(sigma_bg=0.01, sigma_fg=0.01), tensors).total.sum()
    for gradient in torch.autograd.grad(loss, leaves):
        assert gradient.isfinite().all()


def test_the_posterior_is_bayes_rule_on_each_pixel() -> None:
    tensors = draw(5, 8)
    config = LossConfig(sigma_bg=0.9, sigma_fg=1.1)
    posterior = log_posterior(config, tensors["image"], parts_of(tensors)).exp()
    image, components, log_prior = (
        tensors[name].double() for name in ("image", "components", "log_masks_recon")
    )
    scale = torch.tensor([0.9] + 4 * [1.1])[:, None, None, None]
    likelihood = Normal(components, scale).log_prob(image[:, None]).exp().prod(dim=2)
    joint = log_prior.exp() * likelihood
    torch.testing.assert_close(
        posterior.double(), joint / joint.sum(1, keepdim=True), rtol=1e-4, atol=1e-6
    )


def test_whole_pixels_are_mixed() -> None:
    image = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1)
    components = torch.stack([torch.zeros(3), torch.ones(3)]).reshape(1, 2, 3, 1, 1)
    log_masks = torch.full((1, 2, 1, 1), math.log(0.5))
    nll = mixture_nll(LossConfig(sigma_bg=0.1, sigma_fg=0.1), image, components, log_masks)
    density = -math.log(0.1 * math.sqrt(2 * math.pi))
    # One channel is wrong in slot 0, two in slot 1; no pixel may take a channel from each.
    expected = -(math.log(0.5) + 3 * density - 0.5 * 100)
    assert float(nll) == pytest.approx(expected, rel=1e-5)


Loss = Callable[[dict[str, torch.Tensor]], LossTerms]


def test_each_network_feels_its_own_weight_of_the_mask_kl() -> None:
    tensors = draw(4, 8)
    log_masks, log_masks_recon = tensors["log_masks"], tensors["log_masks_recon"]

    def gradients(loss: Loss) -> tuple[torch.Tensor, ...]:
        leaves = (log_masks.clone().requires_grad_(), log_masks_recon.clone().requires_grad_())
        given = {**tensors, "log_masks": leaves[0], "log_masks_recon": leaves[1]}
        return torch.autograd.grad(loss(given).total.sum(), leaves)

    def apart(given: dict[str, torch.Tensor]) -> LossTerms:
        return loss_terms_apart(LossConfig(gamma=0.25), 2.0, given["image"], parts_of(given))

    attention, decoder = gradients(apart)
    of_attention, _ = gradients(partial(terms_of, LossConfig(gamma=0.25)))
    _, of_decoder = gradients(partial(terms_of, LossConfig(gamma=2.0)))
    torch.testing.assert_close(attention, of_attention)
    torch.testing.assert_close(decoder, of_decoder)


def test_the_posterior_teaches_the_attention_and_nothing_else() -> None:
    tensors, config = draw(4, 8), LossConfig()
    image = tensors["image"]
    learned = ("components", "log_masks", "log_masks_recon", "mu", "log_sigma")

    def run(weight: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        leaves = {name: tensors[name].clone().requires_grad_() for name in learned}
        parts = parts_of({**tensors, **leaves})
        terms = loss_terms(config, image, parts)
        total = with_posterior_term(terms, weight, config, image, parts).total
        gradients = torch.autograd.grad(total.sum(), list(leaves.values()))
        return total.detach(), dict(zip(leaves, gradients, strict=True))

    posterior = log_posterior(config, image, parts_of(tensors))
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
    terms = terms_of(LossConfig(gamma=7.0), tensors)
    p = Normal(tensors["components"][:, 0], LossConfig().sigma_bg)
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
        tensors = {
            "image": torch.rand((500, 3, 4, 4), generator=g),
            "components": 3 * torch.randn((500, K, 3, 4, 4), generator=g),
            "log_masks": logits.log_softmax(1),
            "log_masks_recon": logits.flip(1).log_softmax(1),
            "mu": 3 * torch.randn((500, K, 4), generator=g),
            "log_sigma": 3 * torch.randn((500, K, 4), generator=g),
        }
        terms = terms_of(LossConfig(sigma_bg=0.01, sigma_fg=0.01), tensors)
        assert terms.total.isfinite().all()
