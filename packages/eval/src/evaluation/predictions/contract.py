"""The contract between models and scores: what a model returns, and what a file of it holds.

In a file: HDF5 with `masks` (N, K, H, W), which sum to one over K, or `segmentation` (N, H, W), the
slot of each pixel; and, where there is one, `reconstruction` (N, H, W, 3) in [0, 1] and `scene`
(N,), the row of the data file that each prediction is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8
from scenes.command_line import CommandError
from scenes.file.errors import FileError
from scenes.file.reader import open_hdf5

from evaluation.predictions.order import check_rows

AT_ONCE = 64
"""Scenes of a file of predictions that are read at once."""
TERMS = ("nll", "kl_latent", "kl_mask")
"""Terms of a model's own loss, in nats for each image."""
MASK_SUM_TOLERANCE = 1e-2
MAX_SLOTS = 255
PICTURE_SLACK = 1.0
"""How far a reconstruction may be outside [0, 1]: models do not squash theirs."""


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
    """Slot of each pixel: where the masks are largest."""
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
        CommandError: it has no masks, or something does not fit the images.
    """
    masks = getattr(returned, "masks", returned)
    masks = _as_array(masks, name, "masks")
    N, H, W, _ = images.shape
    if masks.ndim != 4 or masks.shape[0] != N or masks.shape[2:] != (H, W):
        raise CommandError(f"{name}: masks: expected ({N}, K, {H}, {W}), got {masks.shape}")
    K = masks.shape[1]
    _check_masks(masks, name, "these images")
    forms: dict[str, tuple[int | None, ...]] = {
        "reconstruction": (N, H, W, 3),
        "components": (N, K, H, W, 3),
        "latents": (N, K, None),
        "masks_recon": (N, K, H, W),
        "mask_logits": (N, K, H, W),
        **dict.fromkeys(TERMS, (N,)),
    }
    arrays: dict[str, np.ndarray] = {}
    for key, form in forms.items():
        value = getattr(returned, key, None)
        if value is None:
            continue
        array = _as_array(value, name, key)
        fits = len(array.shape) == len(form) and all(
            want in (None, have) for have, want in zip(array.shape, form, strict=True)
        )
        if not fits:
            wanted = ", ".join("D" if want is None else str(want) for want in form)
            raise CommandError(f"{name}: {key}: expected ({wanted}), got {array.shape}")
        arrays[key] = array
    terms = {key: arrays.pop(key) for key in TERMS if key in arrays}
    return ModelOutput(masks, terms=terms, **arrays)


def _as_array(value: Any, name: str, key: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor of torch, perhaps on another device
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.dtype == bool or np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise CommandError(
            f"{name}: {key}: expected an array of numbers, got {type(value).__name__}"
        )
    return array


def read_predictions(
    path: Path, n: int, size: tuple[int, int], *, may_be_longer: bool = False
) -> Predictions:
    """Reads the predictions of any program.

    Args:
        path: HDF5 file as described above.
        n: scenes that it must cover.
        size: height and width of its images, in pixels.
        may_be_longer: whether predictions of further scenes may follow, which are not read.

    Raises:
        CommandError: it is no such file, or does not fit; the message says which key and why.
    """
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    try:
        file = open_hdf5(path)
    except FileError as error:
        raise CommandError(str(error)) from error
    with file:
        datasets = {
            name: _dataset(path, file[name], n, form, may_be_longer=may_be_longer)
            for name, form in {
                "scene": (),
                "masks": (None, *size),
                "segmentation": size,
                "reconstruction": (*size, 3),
            }.items()
            if name in file
        }
        if "scene" in datasets:
            check_rows(path, datasets["scene"][:n])
        if "masks" in datasets:
            segmentation, slots = _segment(path, datasets["masks"], n)
        elif "segmentation" in datasets:
            segmentation = _slots(path, datasets["segmentation"][:n])
            slots = int(segmentation.max()) + 1
        else:
            raise CommandError(f"{path}: neither 'masks' nor 'segmentation' is in it")
        reconstruction = None
        if "reconstruction" in datasets:
            reconstruction = _pictures(path, datasets["reconstruction"][:n])
    return Predictions(segmentation, slots, reconstruction, names_scenes="scene" in datasets)


def _dataset(
    path: Path,
    dataset: h5py.Dataset | h5py.Group,
    n: int,
    form: tuple[int | None, ...],
    *,
    may_be_longer: bool,
) -> h5py.Dataset:
    """Returns the dataset if it has that many rows of that shape."""
    if not isinstance(dataset, h5py.Dataset):
        raise CommandError(f"{path}: {dataset.name.lstrip('/')}: expected a dataset, got a group")
    shape = dataset.shape
    fits = (
        len(shape) == 1 + len(form)
        and (shape[0] == n or (may_be_longer and shape[0] > n))
        and all(want is None or have == want for have, want in zip(shape[1:], form, strict=True))
    )
    if not fits:
        wanted = ", ".join("K" if want is None else str(want) for want in (n, *form))
        name = dataset.name.lstrip("/")
        raise CommandError(f"{path}: {name}: expected ({wanted}), got {shape}")
    return dataset


def _segment(path: Path, masks: h5py.Dataset, n: int) -> tuple[np.ndarray, int]:
    if not 1 <= masks.shape[1] <= MAX_SLOTS:
        raise CommandError(f"{path}: masks: expected 1 to {MAX_SLOTS} slots, got {masks.shape[1]}")
    segmentation = np.empty((n, *masks.shape[2:]), dtype=np.uint8)
    for start in range(0, n, AT_ONCE):
        rows = np.asarray(masks[start : min(start + AT_ONCE, n)], dtype=np.float64)
        _check_masks(rows, str(path), f"scenes from {start}")
        segmentation[start : start + len(rows)] = rows.argmax(axis=1)
    return segmentation, masks.shape[1]


def _check_masks(masks: np.ndarray, source: str, where: str) -> None:
    """Refuses masks that are no shares of pixels.

    Raises:
        CommandError: they are not.
    """
    if not 1 <= masks.shape[1] <= MAX_SLOTS:
        raise CommandError(
            f"{source}: masks: expected 1 to {MAX_SLOTS} slots, got {masks.shape[1]}"
        )
    if not np.isfinite(masks).all():
        raise CommandError(f"{source}: masks: NaN or infinity in {where}")
    if masks.min() < -MASK_SUM_TOLERANCE:
        raise CommandError(f"{source}: masks: must be in [0, 1], got {masks.min():.3g} in {where}")
    off = np.abs(masks.sum(axis=1) - 1).max()
    if off > MASK_SUM_TOLERANCE:
        raise CommandError(
            f"{source}: masks: must sum to 1 over the slots, off by {off:.3g} in {where}"
        )


def _pictures(path: Path, values: np.ndarray) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.floating):
        raise CommandError(f"{path}: reconstruction: expected floats in [0, 1], got {values.dtype}")
    low, high = values.min(), values.max()
    if not (low >= -PICTURE_SLACK and high <= 1 + PICTURE_SLACK):  # NaN is not either
        raise CommandError(
            f"{path}: reconstruction: must be in [0, 1], got {low:.3g} to {high:.3g}"
        )
    return values.astype(np.float32)


def _slots(path: Path, values: np.ndarray) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.integer):
        raise CommandError(f"{path}: segmentation: expected integers, got {values.dtype}")
    if values.min() < 0 or values.max() >= MAX_SLOTS:
        raise CommandError(
            f"{path}: segmentation: slots must be 0 to {MAX_SLOTS - 1}, got {values.min()} to "
            f"{values.max()}"
        )
    return values
