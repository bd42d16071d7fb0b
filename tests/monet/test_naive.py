"""The whole model and its loss against the naive one, in float64.

The naive model (`monet.naive`) shares no code with the rest but the names of the weights.
"""

from collections.abc import Callable

import pytest
import torch
from monet.config import LossConfig, ModelConfig
from monet.loss import loss_terms
from monet.model import Monet
from monet.naive import naive_loss


def plain(model: Monet) -> None:
    """Leaves the weights as they were drawn."""


def decided(model: Monet) -> None:
    """Makes the attention's logits large, so that late scopes are far below the clamp."""
    with torch.no_grad():
        model.attention.unet.logits.weight *= 40
        model.attention.unet.logits.bias += 30


@pytest.mark.parametrize("change", [plain, decided])
@pytest.mark.parametrize(
    ("size", "blocks"),
    [(32, (32, 64, 64, 64)), (64, (32, 32, 64, 64, 64)), (128, (32, 32, 32, 64, 64, 64))],
)
@pytest.mark.parametrize("K", [2, 7, 11])
def test_the_models_loss_is_the_papers(
    K: int, size: int, blocks: tuple[int, ...], change: Callable[[Monet], None]
) -> None:
    torch.manual_seed(K * size)
    sigma = 0.01 if change is decided else 0.09
    config = LossConfig(sigma_bg=sigma, sigma_fg=1.2 * sigma, gamma=0.25)
    model = Monet(ModelConfig(image_size=size, num_slots=K, unet_channels=blocks))
    change(model)
    image, noise = torch.rand(1, 3, size, size), torch.randn(1, K, 16)
    with torch.no_grad():
        rounded = loss_terms(config, image, model(image, noise=noise))
        model, image, noise = model.double(), image.double(), noise.double()
        exact = loss_terms(config, image, model(image, noise=noise))
        expected = naive_loss(model, config, image, noise)
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(exact, name), value, rtol=1e-9, atol=0)
        # Logits that were enlarged forty times enlarge the rounding of float32.
        if name == "total" or change is plain:
            torch.testing.assert_close(getattr(rounded, name).double(), value, rtol=1e-5, atol=0)
