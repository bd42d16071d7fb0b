"""The cheaper convolutions give what PyTorch's own give, and the same gradients."""

import torch
import torch.nn.functional as F
from monet.convolution import pointwise_conv, upsampled_conv
from torch import Tensor


def gradients(of: Tensor, *by: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(of.square().sum(), by)


def test_a_doubled_map_is_convolved_without_being_made() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(doubled, weight, padding=1)
    got = upsampled_conv(x, weight)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(gradients(got, x, weight), gradients(expected, x, weight))


def test_a_pointwise_convolution_is_a_matrix_product() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(6, 4, 1).double()
    x = torch.randn(3, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    got, expected = pointwise_conv(x, conv), conv(x)
    torch.testing.assert_close(got, expected)
    by = (x, conv.weight, conv.bias)
    torch.testing.assert_close(gradients(got, *by), gradients(expected, *by))
