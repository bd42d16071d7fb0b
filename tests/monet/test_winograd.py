"""Winograd's algorithm gives what the definition gives in float64, and the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from monet.winograd import winograd_conv3x3
from torch import Tensor

TOLERANCE = 5e-6
"""Largest error of float32, as a part of the largest number: a direct convolution has 1e-6."""


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + len(shape) + sum(shape))
    return torch.randn(shape, generator=generator).requires_grad_()


def assert_alike(got: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for number, exact in zip(got, expected, strict=True):
        assert number.dtype == torch.float32
        assert (number - exact).abs().max() <= TOLERANCE * exact.abs().max()


@pytest.mark.parametrize(
    ("images", "channels", "outputs", "height", "width", "padding"),
    [
        pytest.param(2, 3, 5, 6, 6, 0, id="one-tile"),
        pytest.param(2, 3, 5, 9, 14, 0, id="sides-that-tiles-do-not-divide"),
        pytest.param(3, 4, 2, 16, 16, 1, id="padded"),
        pytest.param(2, 1, 3, 12, 21, 3, id="padded-more-and-one-channel"),
        pytest.param(60, 8, 7, 18, 18, 1, id="more-than-is-worked-on-at-once"),
        pytest.param(1, 2, 2, 100, 97, 1, id="more-tiles-than-are-worked-on-at-once"),
    ],
)
def test_output_and_gradients_are_the_definition_s(
    images: int, channels: int, outputs: int, height: int, width: int, padding: int
) -> None:
    x, weight = drawn(images, channels, height, width), drawn(outputs, channels, 3, 3)
    bias = drawn(outputs)
    y = winograd_conv3x3(x, weight, bias, padding=padding)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=padding)
    assert_alike((y,), (exact,))
    gradient = drawn(*y.shape, seed=1).detach()
    by = (x, weight, bias)
    assert_alike(
        torch.autograd.grad(y, by, gradient), torch.autograd.grad(exact, by, gradient.double())
    )


def test_a_relu_stops_what_is_negative_and_its_gradient() -> None:
    x, weight, bias = drawn(2, 4, 13, 18), drawn(5, 4, 3, 3), drawn(5)
    plain = winograd_conv3x3(x, weight, bias)
    y = winograd_conv3x3(x, weight, bias, relu=True)
    assert torch.equal(y, plain.clamp(min=0))
    assert 0.3 < (y == 0).float().mean() < 0.7
    gradient, by = drawn(*y.shape, seed=1).detach(), (x, weight, bias)
    assert_alike(
        torch.autograd.grad(y, by, gradient), torch.autograd.grad(plain, by, gradient * (y > 0))
    )


def test_a_coarse_map_is_doubled_and_put_before_the_other() -> None:
    x, coarse, weight = drawn(3, 2, 12, 18), drawn(3, 4, 6, 9), drawn(5, 6, 3, 3)
    y = winograd_conv3x3(x, weight, coarse=coarse, padding=1)
    doubled = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
    both = torch.cat([doubled, x], dim=1)
    exact = F.conv2d(both.double(), weight.double(), padding=1)
    assert_alike((y,), (exact,))
    gradient, by = drawn(*y.shape, seed=1).detach(), (x, coarse, weight)
    assert_alike(
        torch.autograd.grad(y, by, gradient), torch.autograd.grad(exact, by, gradient.double())
    )


def test_maps_that_are_not_contiguous_are_read_as_they_are() -> None:
    x, weight = drawn(2, 3, 16, 40), drawn(5, 3, 3, 3)
    every_other = x[:, :, :, ::2]
    expected = winograd_conv3x3(every_other.contiguous(), weight, padding=1)
    assert torch.equal(winograd_conv3x3(every_other, weight, padding=1), expected)
    turned = x.to(memory_format=torch.channels_last)
    expected = winograd_conv3x3(x, weight, padding=1)
    assert torch.equal(winograd_conv3x3(turned, weight, padding=1), expected)


@pytest.mark.parametrize("relu", [False, True])
def test_nan_is_not_lost(relu: bool) -> None:
    x = drawn(1, 2, 16, 16).detach()
    x[0, 1, 8, 8] = torch.nan
    y = winograd_conv3x3(x, drawn(3, 2, 3, 3), padding=1, relu=relu)
    assert y[0, :, 7:10, 7:10].isnan().all()
    assert not y[0, :, :3, :3].isnan().any()


def test_the_same_bits_each_time() -> None:
    x, weight = drawn(60, 8, 18, 18), drawn(7, 8, 3, 3)

    def once() -> tuple[Tensor, ...]:
        y = winograd_conv3x3(x, weight, padding=1, relu=True)
        return y, *torch.autograd.grad(y.square().sum(), (x, weight))

    for one, other in zip(once(), once(), strict=True):
        assert torch.equal(one, other)


def test_an_image_without_gradient_gets_none() -> None:
    x, weight = drawn(2, 3, 16, 16).detach(), drawn(4, 3, 3, 3)
    winograd_conv3x3(x, weight, padding=1).sum().backward()
    assert x.grad is None
    expected = torch.autograd.grad(F.conv2d(x, weight, padding=1).sum(), weight)
    assert weight.grad is not None
    assert_alike((weight.grad,), expected)
