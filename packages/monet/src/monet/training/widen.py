"""Wider attention networks out of trained ones: more channels, the same function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from monet.unet import channels_up

UNET = "attention.unet."


def can_widen(before: Sequence[int], now: Sequence[int]) -> bool:
    """Says whether `widen` can make the one U-Net's channels the other's.

    The lowest block must stay as it is, because the MLP flattens it.
    """
    return (
        len(before) == len(now)
        and before[-1] == now[-1]
        and all(narrow <= wide for narrow, wide in zip(before, now, strict=True))
    )


def widen(
    tensors: Mapping[str, Tensor],
    fresh: Mapping[str, Tensor],
    before: Sequence[int],
    now: Sequence[int],
) -> dict[str, Tensor]:
    """Returns a model's weights with a wider U-Net that computes the same.

    New channels look at all that is below them, with the fresh model's weights at the scale of the
    trained ones; what was there before does not look at them until training makes it.

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
