"""Other ways to compute `DoublingConv2d`: a convolution of a doubled map beside a skip map."""

import torch
import torch.nn.functional as F
from torch import Tensor


def by_nearest(coarse: Tensor, skip: Tensor, weight: Tensor) -> Tensor:
    """Doubles by nearest neighbours, concatenates and convolves, as the paper describes it."""
    doubled = F.interpolate(coarse, scale_factor=2, mode="nearest")
    return F.conv2d(torch.cat([doubled, skip], dim=1), weight, padding=1)


def by_pixel_shuffle(coarse: Tensor, skip: Tensor, weight: Tensor) -> Tensor:
    """Convolves the map before doubling, to four times the channels: one for each fine pixel.

    The rows above, at and below a fine pixel lie in two coarse rows: an even pixel's in the one
    before and its own, an odd one's in its own and the next. So each of four has a 2 x 2 kernel.
    """
    of_coarse, of_skip = weight.split([coarse.shape[1], skip.shape[1]], dim=1)
    height, width = coarse.shape[2:]
    kernels = _folded(_folded(of_coarse, 2), 4)  # (D, C, 2, 2, 2, 2): parity and tap of y, x
    kernels = kernels.permute(0, 2, 4, 1, 3, 5)  # (D, 2, 2, C, 2, 2)
    four = F.conv2d(coarse, kernels.flatten(0, 2), padding=1)  # (B, 4 D, h + 1, w + 1)
    four = four.unflatten(1, kernels.shape[:3])
    # The second of two coarse rows is an even pixel's own, the first an odd one's.
    parts = [four[:, :, y, x, y : y + height, x : x + width] for y in range(2) for x in range(2)]
    shuffled = F.pixel_shuffle(torch.stack(parts, dim=2).flatten(1, 2), 2)
    return shuffled + F.conv2d(skip, of_skip, padding=1)


def _folded(kernel: Tensor, dim: int) -> Tensor:
    """Turns three taps along an axis into parity (2) and two taps of it."""
    first, middle, last = kernel.unbind(dim)
    even = torch.stack([first, middle + last], dim)
    odd = torch.stack([first + middle, last], dim)
    return torch.stack([even, odd], dim)
