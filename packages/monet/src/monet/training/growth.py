"""Larger models out of trained ones, to go on from there: wider, or of twice the image size."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from monet.config import ModelConfig
from monet.model import Monet
from monet.training.enlarge import can_enlarge, enlarge, enlarged
from monet.training.widen import can_widen, widen


def grow(tensors: Mapping[str, Tensor], before: ModelConfig, model: Monet) -> Mapping[str, Tensor]:
    """Returns a model's weights as another one's, as far as it can be reached from the former.

    Args:
        tensors: of the trained model.
        before: its config.
        model: the other one, as initialised, on any device.
    """
    now, first = model.config, model.config.encoder_channels[0]
    if now.image_size == 2 * before.image_size and can_enlarge(before, first):
        larger = enlarged(before, first)
        tensors = enlarge(tensors, Monet(larger).state_dict(), before)
        before = larger
    narrow, wide = before.unet_channels, now.unet_channels
    if narrow != wide and can_widen(narrow, wide):
        fresh = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
        tensors = widen(tensors, fresh, narrow, wide)
    return tensors
