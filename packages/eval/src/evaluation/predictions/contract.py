"""The contract between models and scores: the output that a model returns.

`evaluation.predictions.checks` has the rules that it must keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8
from scenes.command_line import CommandError

from evaluation.predictions.checks import check_colors, check_finite, check_masks

TERMS = ("nll", "kl_latent", "kl_mask")
"""Terms of a model's own loss, in nats for each image."""


@dataclass(frozen=True)
class Predictions:
    """A segmentation of each scene, and whatever else a model gives.

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
    """Slot of each pixel by the masks that a decoder predicts."""
    extents: Bool[np.ndarray, "N K H W"] | None = None
    """Where each slot's own decoded mask, not normalised over slots, is over a half."""
    latents: Float[np.ndarray, "N K D"] | None = None
    """The model's description of each slot's content."""
    ignored: Bool[np.ndarray, "N H W"] | None = None
    """Pixels that are left out of every score; `None` leaves out none."""
    names_scenes: bool = False
    """Whether a file of predictions said which scene each prediction is of."""
    counted: bool = False
    """Whether `num_slots` is the number of different labels, as nobody said how many slots."""


@dataclass(frozen=True)
class ModelOutput:
    """The output of a model's `decompose` as arrays; `None` for those that it does not give."""

    masks: Float[np.ndarray, "N K H W"]
    """Each slot's share of each pixel; they sum to one over K."""
    reconstruction: Float[np.ndarray, "N H W 3"] | None = None
    """Colours in [0, 1]; a model's means may leave that range."""
    components: Float[np.ndarray, "N K H W 3"] | None = None
    """The reconstruction by each slot alone."""
    latents: Float[np.ndarray, "N K D"] | None = None
    """What the model knows of each slot's content."""
    log_sigma: Float[np.ndarray, "N K D"] | None = None
    """Logarithms of the latents' deviations, where `latents` are means."""
    masks_recon: Float[np.ndarray, "N K H W"] | None = None
    """Masks that the decoder predicts."""
    mask_logits: Float[np.ndarray, "N K H W"] | None = None
    """Logits of `masks_recon`, before they are normalised over slots."""
    terms: Mapping[str, Float[np.ndarray, " N"]] = field(default_factory=dict)
    """Further values of each image: those of `TERMS` that the model gives."""


Batch = TypeVar("Batch", Predictions, ModelOutput)


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Returns what was made of batches of images as one."""
    first = batches[0]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name, values in vars(first).items()
        if isinstance(values, np.ndarray)
    }
    terms = {name: np.concatenate([batch.terms[name] for batch in batches]) for name in first.terms}
    return replace(first, **arrays, terms=terms)


def read_output(
    returned: object,
    images: UInt8[np.ndarray, "N H W 3"],
    name: str,
    *,
    knows_scale: bool = False,
) -> ModelOutput:
    """Reads the return value of `decompose`: an array of masks, or an object with more.

    Args:
        returned: the value; NumPy arrays, or tensors on any device.
        images: the images that were decomposed.
        name: of the model, for the message.
        knows_scale: whether its colours are known to be on the scale of [0, 1], so that those
            outside it are only inaccurate.

    Raises:
        CommandError: there are no masks, or something breaks the contract.
    """
    N, H, W, _ = images.shape
    masks = _fitting(getattr(returned, "masks", returned), (N, None, H, W), name, "masks")
    check_masks(masks, name, "image")
    K = masks.shape[1]
    forms: dict[str, tuple[int | None, ...]] = {
        "reconstruction": (N, H, W, 3),
        "components": (N, K, H, W, 3),
        "latents": (N, K, None),
        "log_sigma": (N, K, None),
        "masks_recon": (N, K, H, W),
        "mask_logits": (N, K, H, W),
        **dict.fromkeys(TERMS, (N,)),
    }
    arrays = {
        key: _fitting(getattr(returned, key), form, name, key)
        for key, form in forms.items()
        if getattr(returned, key, None) is not None
    }
    if not knows_scale and "reconstruction" in arrays:
        check_colors(arrays["reconstruction"], images, name, "reconstruction")
    elif not knows_scale and "components" in arrays:
        mixed = (masks[..., None] * arrays["components"]).sum(axis=1)
        check_colors(mixed, images, name, "components, mixed by the masks")
    if "masks_recon" in arrays:
        check_masks(arrays["masks_recon"], name, "image", "masks_recon")
    terms = {key: arrays.pop(key) for key in TERMS if key in arrays}
    return ModelOutput(masks, terms=terms, **arrays)


def read_decoded(
    returned: object, n: int, name: str
) -> tuple[Float[np.ndarray, "N H W 3"], Float[np.ndarray, "N H W"]]:
    """Reads the return value of `decode`: components and the logits of their masks.

    Args:
        returned: the value.
        n: number of slots whose latents were decoded.
        name: of the model, for the message.

    Raises:
        CommandError: the value is no such pair.
    """
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise CommandError(
            f"{name}: decode: expected components and mask logits, got {type(returned).__name__}"
        )
    components = _fitting(returned[0], (n, None, None, 3), name, "decoded components")
    logits = _fitting(returned[1], (n, *components.shape[1:3]), name, "decoded mask logits")
    return components, logits


_AXES = {"masks": "K", "latents": "D", "log_sigma": "D", "decoded components": "H"}
"""What an axis of any length is called, by what has one."""


def _fitting(value: object, form: tuple[int | None, ...], name: str, key: str) -> np.ndarray:
    """Returns a value as an array of finite numbers of a certain shape.

    Raises:
        CommandError: the value is no such array.
    """
    array = array_of(value, name, key)
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    fits = len(array.shape) == len(form) and all(
        want in (None, have) for have, want in zip(array.shape, form, strict=True)
    )
    if not fits:
        wanted = ", ".join(_AXES[key] if want is None else str(want) for want in form)
        raise CommandError(f"{name}: {key}: expected ({wanted}), got {array.shape}")
    check_finite(array, name, key, "image")
    return array


def array_of(value: Any, name: str, key: str) -> np.ndarray:
    """Returns an array, or a tensor of torch on any device, as NumPy's; half floats as float32.

    Args:
        value: from a program.
        name: of the program or model, for the message.
        key: what the value is.

    Raises:
        CommandError: it is no array of numbers.
    """
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
    if array.dtype.kind not in "biuf":
        raise CommandError(
            f"{name}: {key}: expected an array of numbers, got {type(value).__name__}"
        )
    is_half = array.dtype.kind == "f" and array.dtype.itemsize < 4
    return array.astype(np.float32) if is_half else array
