"""The contract between models and scores: what a model returns, and what must hold of it.

Masks are shares of pixels: none is negative, and they sum to one over the slots. Nothing is NaN or
infinite.

Colours are in [0, 1]. A model's means are not squashed into that range, so they may leave it, but
none by more than four, and at most a hundredth of them by more than three quarters, or by more than
a quarter where they follow the image (a correlation of over a half). Reconstructions in [-1, 1],
[-0.5, 0.5] or [0, 255] break that rule; those of an untrained MONet, some from -1.4 to 0.9, do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8, UInt16
from scenes.command_line import CommandError

TERMS = ("nll", "kl_latent", "kl_mask")
"""Terms of a model's own loss, in nats for each image."""
MASK_SUM_TOLERANCE = 1e-2
MOST_SLOTS = 65_536
"""Slots that a segmentation can hold, two bytes for each pixel."""
NEAR, DISTANT, FAR = 0.25, 0.75, 4.0
"""How far colours may be outside [0, 1]: see above."""
MOST_BEYOND = 0.01
FOLLOWS = 0.5


@dataclass(frozen=True)
class Predictions:
    """A segmentation of each scene, and what else a model gives.

    Example:
        >>> import evaluation, numpy as np
        >>> everything = np.zeros((12, 32, 32), dtype=np.uint8)
        >>> predictions = evaluation.Predictions(everything, num_slots=1)
        >>> result = evaluation.score("rooms.h5", predictions, baselines=False)
        >>> result.metrics["ari"].mean
        0.0
    """

    segmentation: Integer[np.ndarray, "N H W"]
    """Slot of each pixel, where the masks are largest: any numbers from 0 to 65,535."""
    num_slots: int
    """Slots K that the model had."""
    reconstruction: Float[np.ndarray, "N H W 3"] | None = None
    """In [0, 1]; `None` where the model gives none."""
    terms: Mapping[str, Float[np.ndarray, " N"]] = field(default_factory=dict)
    """Further values of each image by name, such as `nll`."""
    decoded: Integer[np.ndarray, "N H W"] | None = None
    """The same as `segmentation` from the masks that a decoder predicts."""
    extents: Bool[np.ndarray, "N K H W"] | None = None
    """Where each slot's decoded mask, by itself and not normalised over slots, is over a half."""
    latents: Float[np.ndarray, "N K D"] | None = None
    """What the model knows of each slot's content."""
    ignored: Bool[np.ndarray, "N H W"] | None = None
    """Pixels that are left out of every score; `None` leaves out none."""
    names_scenes: bool = False
    """Whether the file itself said which scene each is of."""


@dataclass(frozen=True)
class ModelOutput:
    """What a model's `decompose` returned, as arrays; `None` where it has no such thing."""

    masks: Float[np.ndarray, "N K H W"]
    """Each slot's share of each pixel; they sum to one over K."""
    reconstruction: Float[np.ndarray, "N H W 3"] | None = None
    """Colours in [0, 1]; a model's means may leave that range."""
    components: Float[np.ndarray, "N K H W 3"] | None = None
    """What each slot reconstructs by itself."""
    latents: Float[np.ndarray, "N K D"] | None = None
    """What the model knows of each slot's content."""
    masks_recon: Float[np.ndarray, "N K H W"] | None = None
    """Masks that the decoder predicts."""
    mask_logits: Float[np.ndarray, "N K H W"] | None = None
    """The same before they are normalised over slots."""
    terms: Mapping[str, Float[np.ndarray, " N"]] = field(default_factory=dict)
    """Further values of each image: those of `TERMS` that it has."""


def read_output(returned: object, images: UInt8[np.ndarray, "N H W 3"], name: str) -> ModelOutput:
    """Reads what `decompose` returned: an array of masks, or an object with more.

    Args:
        returned: by the model; NumPy arrays, or tensors on any device.
        images: that it was given.
        name: of the model, for the message.

    Raises:
        CommandError: it has no masks, or something breaks the contract.
    """
    N, H, W, _ = images.shape
    masks = _fitting(getattr(returned, "masks", returned), (N, None, H, W), name, "masks")
    check_masks(masks, name, "image")
    K = masks.shape[1]
    forms: dict[str, tuple[int | None, ...]] = {
        "reconstruction": (N, H, W, 3),
        "components": (N, K, H, W, 3),
        "latents": (N, K, None),
        "masks_recon": (N, K, H, W),
        "mask_logits": (N, K, H, W),
        **dict.fromkeys(TERMS, (N,)),
    }
    arrays = {
        key: _fitting(getattr(returned, key), form, name, key)
        for key, form in forms.items()
        if getattr(returned, key, None) is not None
    }
    if "reconstruction" in arrays:
        check_colors(arrays["reconstruction"], images, name, "reconstruction")
    elif "components" in arrays:
        mixed = (masks[..., None] * arrays["components"]).sum(axis=1)
        check_colors(mixed, images, name, "components, mixed by the masks")
    if "masks_recon" in arrays:
        check_masks(arrays["masks_recon"], name, "image", "masks_recon")
    terms = {key: arrays.pop(key) for key in TERMS if key in arrays}
    return ModelOutput(masks, terms=terms, **arrays)


def read_decoded(
    returned: object, n: int, name: str
) -> tuple[Float[np.ndarray, "N H W 3"], Float[np.ndarray, "N H W"]]:
    """Reads what `decode` returned: components and the logits of their masks.

    Args:
        returned: by the model.
        n: number of latents that it was given.
        name: of the model, for the message.

    Raises:
        CommandError: it is no such pair.
    """
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise CommandError(
            f"{name}: decode: expected components and mask logits, got {type(returned).__name__}"
        )
    components = _fitting(returned[0], (n, None, None, 3), name, "decoded components")
    logits = _fitting(returned[1], (n, *components.shape[1:3]), name, "decoded mask logits")
    return components, logits


_AXES = {"masks": "K", "latents": "D", "decoded components": "H"}
"""What an axis of any length is called, by what has one."""


def _fitting(value: object, form: tuple[int | None, ...], name: str, key: str) -> np.ndarray:
    """Returns a value as an array of finite numbers of this shape.

    Raises:
        CommandError: it is none.
    """
    array = _as_array(value, name, key)
    fits = len(array.shape) == len(form) and all(
        want in (None, have) for have, want in zip(array.shape, form, strict=True)
    )
    if not fits:
        wanted = ", ".join(_AXES[key] if want is None else str(want) for want in form)
        raise CommandError(f"{name}: {key}: expected ({wanted}), got {array.shape}")
    check_finite(array, name, key, "image")
    return array


def _as_array(value: Any, name: str, key: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of torch, perhaps on another device
        value = value.detach().cpu()
        if not value.dtype.is_floating_point:
            value = value.numpy()
        elif value.dtype.itemsize < 4:  # NumPy has no bfloat16
            value = value.float()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:  # lists of different lengths
        raise CommandError(f"{name}: {key}: is no array: {error}") from error
    if array.dtype.kind in "biu":
        return array.astype(np.float32)
    if array.dtype.kind != "f":
        raise CommandError(
            f"{name}: {key}: expected an array of numbers, got {type(value).__name__}"
        )
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def check_finite(values: np.ndarray, source: str, key: str, row: str, first: int = 0) -> None:
    """Refuses NaN and infinity.

    Args:
        values: with one row for each scene.
        source: file or model, for the message.
        key: what the values are.
        row: what a row is called.
        first: number of the first row.

    Raises:
        CommandError: there is one.
    """
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        value = values[tuple(wrong[0])]
        raise CommandError(
            f"{source}: {key}: must be finite, got {value} in {row} {first + wrong[0][0]}"
        )


def check_masks(
    masks: np.ndarray, source: str, row: str, key: str = "masks", first: int = 0
) -> None:
    """Refuses masks that are no shares of pixels.

    Raises:
        CommandError: they are not; the message names the first row and its value.
    """
    if not 1 <= masks.shape[1] <= MOST_SLOTS:
        raise CommandError(
            f"{source}: {key}: expected 1 to {MOST_SLOTS:,} slots, got {masks.shape[1]:,}"
        )
    check_finite(masks, source, key, row, first)
    lowest = masks.min(axis=(1, 2, 3))
    for index in np.flatnonzero(lowest < -MASK_SUM_TOLERANCE)[:1]:
        raise CommandError(
            f"{source}: {key}: must be in [0, 1], got {lowest[index]:.3g} in {row} {first + index}"
        )
    sums = masks.sum(axis=1, dtype=np.float64).reshape(len(masks), -1)
    for index, pixel in np.argwhere(np.abs(sums - 1) > MASK_SUM_TOLERANCE)[:1]:
        raise CommandError(
            f"{source}: {key}: must sum to 1 over the slots, got {sums[index, pixel]:.3g} in "
            f"{row} {first + index}"
        )


def check_colors(
    colors: np.ndarray, images: UInt8[np.ndarray, "N H W 3"], source: str, key: str
) -> None:
    """Refuses colours that are not meant to be in [0, 1], by the rule above.

    Args:
        colors: of a reconstruction, finite.
        images: what it is of.
        source: file or model, for the message.
        key: what the colours are.

    Raises:
        CommandError: they are not; the message names their range.
    """
    low, high = colors.min(initial=0), colors.max(initial=0)
    if low < -FAR or high > 1 + FAR or _beyond(colors, DISTANT):
        wrong = True
    else:
        wrong = _beyond(colors, NEAR) and _follow(colors, images)
    if wrong:
        raise CommandError(
            f"{source}: {key}: must be in [0, 1], got {low:.3g} to {high:.3g}; divide by 255 what "
            "is in [0, 255], halve and shift what is in [-1, 1]"
        )


def _beyond(colors: np.ndarray, distance: float) -> bool:
    """Whether more than `MOST_BEYOND` of the colours are that far outside [0, 1]."""
    beyond = np.count_nonzero((colors < -distance) | (colors > 1 + distance))
    return bool(beyond > MOST_BEYOND * colors.size)


def _follow(colors: np.ndarray, images: UInt8[np.ndarray, "N H W 3"]) -> bool:
    """Whether the colours rise and fall with those of the images."""
    one, other = colors.ravel().astype(np.float64), images.ravel().astype(np.float64)
    one, other = one - one.mean(), other - other.mean()
    return bool(one @ other > FOLLOWS * np.linalg.norm(one) * np.linalg.norm(other))


def slots_of(masks: np.ndarray) -> UInt8[np.ndarray, "N H W"] | UInt16[np.ndarray, "N H W"]:
    """Returns the slot of each pixel, in one byte where that is enough."""
    return masks.argmax(axis=1).astype(slot_type(masks.shape[1]))


def slot_type(slots: int) -> type[np.uint8] | type[np.uint16]:
    """Returns the smallest type that numbers so many slots.

    Raises:
        ValueError: there are more than two bytes can tell apart.
    """
    if slots > MOST_SLOTS:
        raise ValueError(f"there can be at most {MOST_SLOTS:,} slots, got {slots:,}")
    return np.uint8 if slots <= 256 else np.uint16


def without_ignored(
    labels: np.ndarray, ignore_label: int | None, source: str
) -> tuple[np.ndarray, Bool[np.ndarray, "N H W"] | None]:
    """Returns the slot of each pixel, and the pixels to leave out, which are of slot 0.

    Args:
        labels: of each pixel.
        ignore_label: label of pixels that are left out; it may be any number.
        source: file of the labels, for the message.

    Raises:
        CommandError: a label is no number from 0 to 65,535.
    """
    if labels.dtype.kind not in "iu":
        raise CommandError(f"{source}: segmentation: expected integers, got {labels.dtype}")
    ignored = None
    if ignore_label is not None:
        ignored = labels == ignore_label
        labels = np.where(ignored, 0, labels)
    wrong = np.argwhere((labels < 0) | (labels >= MOST_SLOTS))
    if len(wrong):
        raise CommandError(
            f"{source}: segmentation: labels must be 0 to {MOST_SLOTS - 1:,}, got "
            f"{labels[tuple(wrong[0])]} in scene {wrong[0][0]}"
        )
    return labels.astype(slot_type(int(labels.max(initial=0)) + 1)), ignored
