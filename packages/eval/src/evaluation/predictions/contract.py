"""What any model says of a file's scenes: the contract that scores are computed from.

In a file: HDF5 with `masks` (N, K, H, W), which sum to one over K, or `segmentation` (N, H, W), the
slot of each pixel; and, where there is one, `reconstruction` (N, H, W, 3) in [0, 1] and `scene`
(N,), the row of the data file that each prediction is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8
from scenes.command_line import CommandError
from scenes.file.reader import FileError, open_hdf5

from evaluation.metrics.reconstruction import mse
from evaluation.predictions.order import check_rows

if TYPE_CHECKING:
    from monet import Monet

AT_ONCE = 64
ROUNDS = 3
"""Rounds of the refined masks that stand beside the attention's."""
MASK_SUM_TOLERANCE = 1e-2
MAX_SLOTS = 255
PICTURE_SLACK = 1.0
"""How far a reconstruction may be outside [0, 1]: models do not squash theirs."""


@dataclass(frozen=True)
class Predictions:
    """A segmentation of each scene, and what else a model gives."""

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


def predict(
    model: Monet,
    images: UInt8[np.ndarray, "N H W 3"],
    num_slots: int | None = None,
    refine: int = 0,
) -> Predictions:
    """Decomposes images with MONet, keeping what scores need: errors, not reconstructions.

    The arguments are those of `Monet.decompose`.
    """
    parts: dict[str, list[np.ndarray]] = {
        name: []
        for name in (
            "segmentation", "decoded", "extents", "latents", "mse", "nll", "kl_latent", "kl_mask",
        )
    }  # fmt: skip
    for start in range(0, len(images), AT_ONCE):
        rows = images[start : start + AT_ONCE]
        given = model.decompose(rows, num_slots, refine=refine)
        parts["segmentation"].append(given.masks.argmax(axis=1).astype(np.uint8))
        parts["decoded"].append(given.masks_recon.argmax(axis=1).astype(np.uint8))
        parts["extents"].append(given.mask_logits > 0)
        parts["latents"].append(given.latents)
        parts["mse"].append(mse(rows, given.reconstruction))
        for name in ("nll", "kl_latent", "kl_mask"):
            parts[name].append(getattr(given, name).astype(np.float64))
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    return Predictions(
        segmentation=whole["segmentation"],
        num_slots=whole["latents"].shape[1],
        terms={name: whole[name] for name in ("mse", "nll", "kl_latent", "kl_mask")},
        decoded=whole["decoded"],
        extents=whole["extents"],
        latents=whole["latents"],
    )


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
        kept = {
            name: _dataset(path, file[name], n, form, may_be_longer=may_be_longer)
            for name, form in {
                "scene": (),
                "masks": (None, *size),
                "segmentation": size,
                "reconstruction": (*size, 3),
            }.items()
            if name in file
        }
        if "scene" in kept:
            check_rows(path, kept["scene"][:n])
        if "masks" in kept:
            segmentation, slots = _segment(path, kept["masks"], n)
        elif "segmentation" in kept:
            segmentation = _slots(path, kept["segmentation"][:n])
            slots = int(segmentation.max()) + 1
        else:
            raise CommandError(f"{path}: neither 'masks' nor 'segmentation' is in it")
        reconstruction = None
        if "reconstruction" in kept:
            reconstruction = _pictures(path, kept["reconstruction"][:n])
    return Predictions(segmentation, slots, reconstruction, names_scenes="scene" in kept)


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
        if not np.isfinite(rows).all():
            raise CommandError(f"{path}: masks: NaN or infinity in scenes from {start}")
        if rows.min() < -MASK_SUM_TOLERANCE:
            raise CommandError(
                f"{path}: masks: must be in [0, 1], got {rows.min():.3g} in scenes from {start}"
            )
        off = np.abs(rows.sum(axis=1) - 1).max()
        if off > MASK_SUM_TOLERANCE:
            raise CommandError(
                f"{path}: masks: must sum to 1 over the slots, off by {off:.3g} in scenes from "
                f"{start}"
            )
        segmentation[start : start + len(rows)] = rows.argmax(axis=1)
    return segmentation, masks.shape[1]


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
