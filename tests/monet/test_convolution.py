"""The cheaper convolutions give what PyTorch's own give, and the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from monet.convolution import BroadcastConv2d, ConcatConv2d, DoublingConv2d, PointwiseConv2d
from torch import Tensor


def gradients(of: Tensor, *by: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(of.square().sum(), by)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_doubled_map_is_convolved_without_being_made(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    coarse = torch.randn(2, 3, 6, 7, dtype=dtype, requires_grad=True)
    skip = torch.randn(2, 2, 12, 14, dtype=dtype, requires_grad=True)
    conv = DoublingConv2d(5, 4, 3, padding=1, bias=False).to(dtype)
    weight = conv.weight
    doubled = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(torch.cat([doubled, skip], dim=1), weight, padding=1)
    got = conv(coarse, skip)
    close = {} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-3}
    by = (coarse, skip, weight)
    torch.testing.assert_close(got, expected, **close)
    torch.testing.assert_close(gradients(got, *by), gradients(expected, *by), **close)


def test_a_pointwise_convolution_is_a_matrix_product() -> None:
    torch.manual_seed(0)
    conv = PointwiseConv2d(6, 4).double()
    x = torch.randn(3, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    got, expected = conv(x), F.conv2d(x, conv.weight, conv.bias)
    torch.testing.assert_close(got, expected)
    by = (x, conv.weight, conv.bias)
    torch.testing.assert_close(gradients(got, *by), gradients(expected, *by))


def test_parts_of_a_concatenation_add_up() -> None:
    torch.manual_seed(0)
    conv = ConcatConv2d(5, 4, 3, stride=2, padding=1).double()
    maps = [torch.randn(2, channels, 8, 8, dtype=torch.float64) for channels in (3, 2)]
    got = conv.part(maps[0], 0) + conv.part(maps[1], 3)
    torch.testing.assert_close(got, conv(torch.cat(maps, dim=1)))


def test_tiled_latents_are_convolved_without_being_tiled() -> None:
    torch.manual_seed(0)
    conv = BroadcastConv2d(6, 4).double()
    z, coordinates = torch.randn(3, 6).double(), torch.randn(1, 2, 9, 7).double()
    tiled = z[:, :, None, None].expand(-1, -1, 9, 7)
    expected = F.conv2d(
        torch.cat([tiled, coordinates.expand(3, -1, -1, -1)], dim=1), conv.weight, conv.bias
    )
    torch.testing.assert_close(conv(z, coordinates), expected)
