"""Images and masks from callers, checked and converted to what the model takes."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Shaped
from scenes.segmentation import images_at
from torch import Tensor

RANGE_SLACK = 1e-3
"""How far rounding may put floats outside [0, 1]."""


def to_unit(images: Shaped[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
    """Turns images, uint8 or floats in [0, 1], into floats, channels first."""
    scaled = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    return scaled.movedim(-1, 1)


def images_of_size(images: np.ndarray | Tensor, size: int) -> Shaped[Tensor, "N S S 3"]:
    """Checks images and returns them at the model's size, larger ones averaged down by area.

    Args:
        images: uint8 or floats in [0, 1], channels last; many, or one without the first axis.
        size: side S of the model's images.

    Raises:
        ValueError: the images are of another shape, type or range, cannot be averaged down to
            `size`, or there are none.
    """
    tensor = _as_tensor(images, "images")
    if tensor.ndim not in (3, 4) or tensor.shape[-1] != 3:
        raise ValueError(
            f"images must be (N, H, W, 3) or one of (H, W, 3), got {tuple(tensor.shape)}"
        )
    if tensor.ndim == 3:
        tensor = tensor[None]
    _, height, width, _ = tensor.shape
    if height != width or height < size or height % size:
        raise ValueError(
            f"images of {height} x {width} pixels cannot be averaged down to this model's {size} x "
            f'{size}; scenes.images_at(images, {size}, fit="crop") makes them so, and fit="pad" or '
            '"stretch" without cutting'
        )
    if not len(tensor):
        raise ValueError("there are no images")
    if tensor.dtype != torch.uint8:  # bytes of other types would be taken for floats
        if not tensor.is_floating_point():
            raise ValueError(f"images must be uint8 or floats in [0, 1], got {tensor.dtype}")
        _check_range(tensor, "images must be uint8 or floats in [0, 1]")
        tensor = tensor.float()
    if height == size:
        return tensor
    return torch.from_numpy(images_at(tensor.detach().cpu().numpy(), size))


def check_masks(
    masks: np.ndarray | Tensor, images: Shaped[Tensor, "N H W 3"]
) -> Float[Tensor, "N K H W"]:
    """Checks masks of images, and returns them as a tensor.

    Args:
        masks: one for each slot, summing to one over K.
        images: the images that the masks divide.

    Raises:
        ValueError: the masks are of another shape, outside [0, 1], or do not sum to one.
    """
    tensor = _as_tensor(masks, "masks").float()
    N, H, W, _ = images.shape
    if tensor.ndim != 4 or tensor.shape[1] == 0 or tensor[:, 0].shape != (N, H, W):
        raise ValueError(
            f"masks must be ({N}, K, {H}, {W}) for these images, got {tuple(tensor.shape)}"
        )
    _check_range(tensor, "masks must be in [0, 1]")
    sums = tensor.sum(dim=1)
    low, high = sums.min().item(), sums.max().item()
    if max(1 - low, high - 1) > RANGE_SLACK:
        raise ValueError(f"masks must sum to 1 over the slots, got {low:g} to {high:g}")
    return tensor


def _check_range(tensor: Tensor, rule: str) -> None:
    low, high = tensor.min().item(), tensor.max().item()
    if not (low >= -RANGE_SLACK and high <= 1 + RANGE_SLACK):  # false for NaN, too
        raise ValueError(f"{rule}, got {low:g} to {high:g}")


def _as_tensor(values: np.ndarray | Tensor, name: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    array = np.asarray(values)
    # Torch takes no negative strides and no other machine's byte order, and warns of memory that
    # may not be written to.
    plain = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
    try:
        return torch.from_numpy(plain)
    except TypeError:
        raise ValueError(f"{name} must be numbers that torch has, got {array.dtype}") from None
