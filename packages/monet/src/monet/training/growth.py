"""Grows a trained model, so that training goes on with a larger one: `--init-from` with `--grow`.

Twice the image size (`_enlarge`): the attention gets one more block on its way down and one more on
its way up, the encoder one more convolution in front. At first these halve and double, and all
other weights stay, so that the larger model computes about what the smaller one did.

A wider attention (`_widen`): more channels, which at first change nothing.

This is for the shipped weights that were grown from 32 to 64 pixels. It will go when weights that
were trained at 64 pixels from the start replace them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from monet.config import ModelConfig
from monet.model import Monet
from monet.unet import channels_up

ENCODER, UNET = "vae.encoder.", "attention.unet."

IMAGE_DEVIATION, SCOPE_DEVIATION = 0.2, 4.0
"""Typical standard deviations, within one image, of its pixels and of a log scope. The new block's
instance norm divides by them, so the layer after it multiplies by them. Measured on 128 test rooms:
0.19 to 0.26 in the three channels, 2.7 to 4.4 from the second attention step to the last."""
INPUTS = 4
"""Channels that a network takes: three of an image, and one of a mask or scope."""
CARRIER = 0.25
"""Image contrast mixed into the scope channels, in standard deviations, so that an instance norm
never divides by nearly zero. Small: the scope still sets the scale, and a faint scope comes out at
most about four times as strong."""
PASSING = 10
"""Channels in which the attention's new first block passes its input on (`_through_a_block`)."""


def grow(tensors: Mapping[str, Tensor], before: ModelConfig, model: Monet) -> Mapping[str, Tensor]:
    """Returns a trained model's weights, grown towards a larger model's.

    Where the larger model cannot be reached, they come back as they are, and loading them fails.

    Args:
        tensors: of the trained model.
        before: its config.
        model: the larger model, as initialised, on any device.
    """
    now, first = model.config, model.config.encoder_channels[0]
    # The new layers need channels enough to pass on what the old ones take.
    can_enlarge = first >= INPUTS and before.unet_channels[0] >= PASSING
    if now.image_size == 2 * before.image_size and can_enlarge:
        larger = _enlarged(before, first)
        tensors = _enlarge(tensors, Monet(larger).state_dict(), before)
        before = larger
    narrow, wide = before.unet_channels, now.unet_channels
    if narrow != wide and _can_widen(narrow, wide):
        fresh = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
        tensors = _widen(tensors, fresh, narrow, wide)
    return tensors


def _enlarged(config: ModelConfig, encoder_first: int) -> ModelConfig:
    """Returns the config of the model that `_enlarge` makes.

    Args:
        config: of the trained model.
        encoder_first: channels of the encoder's new first convolution.
    """
    return replace(
        config,
        image_size=2 * config.image_size,
        encoder_channels=(encoder_first, *config.encoder_channels),
        unet_channels=(config.unet_channels[0], *config.unet_channels),
    )


def _enlarge(
    tensors: Mapping[str, Tensor], fresh: Mapping[str, Tensor], config: ModelConfig
) -> dict[str, Tensor]:
    """Returns a model's weights for images of twice the size.

    The encoder computes from the halved image and log mask what it did before. The attention nearly
    does: its new instance norms divide by each image's own deviations, and the weights can only
    undo typical ones. The decoder draws about the same at twice the size: relative to the image,
    its kernels reach half as far, and its margin is half as wide.

    Args:
        tensors: of the trained model.
        fresh: of the larger model (`_enlarged`), as initialised; channels that pass nothing on
            keep these.
        config: of the trained model.
    """
    return {
        **tensors,  # the decoder's as they are: its coordinates span the larger image
        **_encoder(tensors, fresh, config),
        **_attention(tensors, fresh, config),
    }


def _encoder(
    old: Mapping[str, Tensor], fresh: Mapping[str, Tensor], config: ModelConfig
) -> dict[str, Tensor]:
    new = {}
    for part in ("weight", "bias"):
        for i in range(1, len(config.encoder_channels)):
            new[f"{ENCODER}convs.{i}.{part}"] = old[f"{ENCODER}convs.{i - 1}.{part}"]
        new[f"{ENCODER}first.{part}"] = fresh[f"{ENCODER}first.{part}"].clone()
        new[f"{ENCODER}convs.0.{part}"] = old[f"{ENCODER}first.{part}"]
    # A ReLU follows: colours pass as they are, log masks turned round.
    signs = torch.tensor([1.0, 1.0, 1.0, -1.0])
    new[f"{ENCODER}first.weight"][:INPUTS] = torch.diag(signs)[..., None, None] * _half()
    first = torch.zeros_like(fresh[f"{ENCODER}convs.0.weight"])
    first[:, :INPUTS] = old[f"{ENCODER}first.weight"] * signs[:, None, None]
    new[f"{ENCODER}convs.0.weight"] = first
    return new


def _attention(
    old: Mapping[str, Tensor], fresh: Mapping[str, Tensor], config: ModelConfig
) -> dict[str, Tensor]:
    new = {}
    blocks = len(config.unet_channels)
    for part in ("conv.weight", "bias"):
        for i in range(1, blocks):
            new[f"{UNET}down.{i}.{part}"] = old[f"{UNET}down.{i - 1}.{part}"]
        new[f"{UNET}first.{part}"] = fresh[f"{UNET}first.{part}"].clone()
        new[f"{UNET}down.0.{part}"] = old[f"{UNET}first.{part}"]

    inwards, back = _through_a_block()
    first = old[f"{UNET}first.conv.weight"]
    passing = inwards[..., None, None] * _half()
    new[f"{UNET}first.conv.weight"][:PASSING] = _as_long(passing, first)
    down = torch.zeros_like(fresh[f"{UNET}down.0.conv.weight"])
    down[:, :PASSING] = torch.einsum("dcrs,ce->ders", first, back)
    new[f"{UNET}down.0.conv.weight"] = down

    # The last block passes on what comes from below; the logits undo what its norm divides by.
    up = torch.zeros_like(fresh[f"{UNET}up.{blocks}.conv.weight"])
    up[:, :, 1, 1] = torch.eye(*up.shape[:2])
    mean, deviation = _rectified(old[f"{UNET}up.{blocks - 1}.bias"])
    new[f"{UNET}up.{blocks}.conv.weight"] = _as_long(up, old[f"{UNET}up.{blocks - 1}.conv.weight"])
    new[f"{UNET}up.{blocks}.bias"] = mean / deviation
    new[f"{UNET}logits.weight"] = old[f"{UNET}logits.weight"] * deviation[:, None, None]
    return new


def _through_a_block() -> tuple[Float[Tensor, "E 4"], Float[Tensor, "4 E"]]:
    """Returns two matrices: image and scope into channel pairs that survive a ReLU, and back.

    Each input is the difference of two channels, of which the ReLU leaves one the positive and one
    the negative part. A scope without contrast has a deviation of nearly zero, by which the norm
    would blow up rounding: so image contrast (`CARRIER`) is added to it in one pair and subtracted
    in another, and their difference is the scope again.
    """
    colours = torch.cat([torch.eye(3), torch.zeros(3, 1)], dim=1) / IMAGE_DEVIATION  # (3, 4)
    grey = CARRIER * colours.mean(dim=0)
    scope = torch.tensor([0, 0, 0, 1 / SCOPE_DEVIATION])
    signed = torch.cat([colours, torch.stack([grey + scope, grey - scope])])  # (5, 4)
    inwards = torch.stack([signed, -signed], dim=1).flatten(0, 1)  # (10, 4)
    back = torch.zeros(INPUTS, len(signed))
    back[:3, :3] = IMAGE_DEVIATION * torch.eye(3)
    back[3, 3:] = SCOPE_DEVIATION * math.hypot(CARRIER, 1) / 2 * torch.tensor([1.0, -1.0])
    return inwards, torch.stack([back, -back], dim=2).flatten(1)  # (4, 10)


def _as_long(
    weight: Float[Tensor, "D C 3 3"], trained: Float[Tensor, "E F 3 3"]
) -> Float[Tensor, "D C 3 3"]:
    """Scales each output's kernel to the mean norm of a trained block's kernels.

    The instance norm that follows cancels the scale, but a step of training turns a short kernel
    further than a long one.
    """
    norm = torch.linalg.vector_norm(trained, dim=(1, 2, 3)).mean()
    return weight * norm / torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)


def _half() -> Float[Tensor, "3 3"]:
    """Returns the kernel that, at every second place, gives the mean of two by two inputs."""
    kernel = torch.zeros(3, 3)
    kernel[1:, 1:] = 0.25
    return kernel


def _rectified(bias: Float[Tensor, " C"]) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Returns mean and deviation of a block's output: relu(n + bias), n being a unit Gaussian."""
    density = torch.exp(-(bias**2) / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + torch.erf(bias / math.sqrt(2)))
    mean = bias * below + density
    square = (bias**2 + 1) * below + bias * density
    return mean, (square - mean**2).clamp(min=1e-4).sqrt()


def _can_widen(before: Sequence[int], now: Sequence[int]) -> bool:
    """Whether `_widen` can turn one U-Net's channels into the other's.

    The lowest block must keep its width, because the MLP takes it flattened.
    """
    return (
        len(before) == len(now)
        and before[-1] == now[-1]
        and all(narrow <= wide for narrow, wide in zip(before, now, strict=True))
    )


def _widen(
    tensors: Mapping[str, Tensor],
    fresh: Mapping[str, Tensor],
    before: Sequence[int],
    now: Sequence[int],
) -> dict[str, Tensor]:
    """Returns a model's weights with a wider U-Net that computes the same.

    New channels read everything below them, by the fresh model's weights at the trained ones'
    scale. The old channels read the new ones with weight 0, until training changes that.

    Args:
        tensors: of the trained model.
        fresh: of a model with the wider U-Net, as initialised.
        before: `unet_channels` of the trained model.
        now: those of the wider one.
    """
    up_before, up_now = channels_up(before), channels_up(now)
    wider = {name: tensor.clone() for name, tensor in tensors.items()}

    def put(name: str, inputs: Sequence[tuple[int, int]]) -> None:
        weight, bias = f"{UNET}{name}.conv.weight", f"{UNET}{name}.bias"
        wider[weight] = _widen_weight(tensors[weight], fresh[weight], inputs)
        wider[bias] = fresh[bias].clone()
        wider[bias][: len(tensors[bias])] = tensors[bias]

    put("first", [(4, 4)])
    for i, widths in enumerate(zip(before[:-1], now[:-1], strict=True)):
        put(f"down.{i}", [widths])
    below = zip((before[-1], *up_before[:-1]), (now[-1], *up_now[:-1]), strict=True)
    skips = zip(reversed(before), reversed(now), strict=True)
    for i, inputs in enumerate(zip(below, skips, strict=True)):
        put(f"up.{i}", inputs)
    last = f"{UNET}logits.weight"
    wider[last] = _widen_weight(tensors[last], fresh[last], [(up_before[-1], up_now[-1])])
    return wider


def _widen_weight(
    old: Float[Tensor, "O I h w"],
    fresh: Float[Tensor, "P J h w"],
    inputs: Sequence[tuple[int, int]],
) -> Float[Tensor, "P J h w"]:
    """Puts an old weight into a fresh, larger one.

    Args:
        old: the trained weight.
        fresh: as initialised; new outputs keep it, scaled to the old one's deviation.
        inputs: channels of each of the maps that are concatenated, before and now.
    """
    outputs = len(old)
    new = fresh * (old.std() / fresh.std())
    new[:outputs] = 0
    ends = [(0, 0)]
    for narrow, wide in inputs:
        ends.append((ends[-1][0] + narrow, ends[-1][1] + wide))
    for (start, at), (end, _) in pairwise(ends):
        new[:outputs, at : at + end - start] = old[:, start:end]
    return new
