"""The cheaper convolutions give what PyTorch's own give, and the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from monet.convolution import pointwise_conv, upsampled_conv3x3
from torch import Tensor


def gradients(of: Tensor, *by: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(of.square().sum(), by)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_doubled_map_is_convolved_without_being_made(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    coarse = torch.randn(2, 3, 6, 7, dtype=dtype, requires_grad=True)
    skip = torch.randn(2, 2, 12, 14, dtype=dtype, requires_grad=True)
    weight = torch.randn(4, 5, 3, 3, dtype=dtype, requires_grad=True)
    doubled = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(torch.cat([doubled, skip], dim=1), weight, padding=1)
    got = upsampled_conv3x3(coarse, skip, weight)
    close = {} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-3}
    by = (coarse, skip, weight)
    torch.testing.assert_close(got, expected, **close)
    torch.testing.assert_close(gradients(got, *by), gradients(expected, *by), **close)


def test_a_pointwise_convolution_is_a_matrix_product() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(6, 4, 1).double()
    x = torch.randn(3, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    got, expected = pointwise_conv(x, conv), conv(x)
    torch.testing.assert_close(got, expected)
    by = (x, conv.weight, conv.bias)
    torch.testing.assert_close(gradients(got, *by), gradients(expected, *by))
