"""What any model says of a file's scenes: the contract that scores are computed from.

In a file: HDF5 with `masks` (N, K, H, W), which sum to one over K, or `segmentation` (N, H, W), the
slot of each pixel; and, where there is one, `reconstruction` (N, H, W, 3) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from jaxtyping import Float, Integer, UInt8
from scenes.command_line import CommandError

if TYPE_CHECKING:
    from monet import Monet

AT_ONCE = 64
MASK_SUM_TOLERANCE = 1e-2
MAX_SLOTS = 255


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


def predict(model: Monet, images: UInt8[np.ndarray, "N H W 3"], num_slots: int) -> Predictions:
    """Decomposes images with MONet, keeping what scores need."""
    segmentation, reconstruction = [], []
    terms: dict[str, list[np.ndarray]] = {"nll": [], "kl_latent": [], "kl_mask": []}
    for start in range(0, len(images), AT_ONCE):
        parts = model.decompose(images[start : start + AT_ONCE], num_slots)
        segmentation.append(parts.masks.argmax(axis=1).astype(np.uint8))
        reconstruction.append(parts.reconstruction)
        for name, values in terms.items():
            values.append(getattr(parts, name).astype(np.float64))
    return Predictions(
        segmentation=np.concatenate(segmentation),
        num_slots=num_slots,
        reconstruction=np.concatenate(reconstruction),
        terms={name: np.concatenate(values) for name, values in terms.items()},
    )


def read_predictions(path: Path, n: int, size: int) -> Predictions:
    """Reads the predictions of any program.

    Args:
        path: HDF5 file as described above.
        n: scenes that it must cover.
        size: side of its images, in pixels.

    Raises:
        CommandError: it is no such file, or does not fit; the message says which key and why.
    """
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CommandError(f"{path}: not a readable HDF5 file, or cut short") from error
    with file:
        if "masks" in file:
            _check_shape(path, file["masks"], (n, None, size, size))
            segmentation, slots = _segment(path, file["masks"])
        elif "segmentation" in file:
            _check_shape(path, file["segmentation"], (n, size, size))
            segmentation = _slots(path, file["segmentation"])
            slots = int(segmentation.max()) + 1
        else:
            raise CommandError(f"{path}: neither 'masks' nor 'segmentation' is in it")
        reconstruction = None
        if "reconstruction" in file:
            _check_shape(path, file["reconstruction"], (n, size, size, 3))
            reconstruction = np.asarray(file["reconstruction"], dtype=np.float32)
            if not np.isfinite(reconstruction).all():
                raise CommandError(f"{path}: reconstruction: holds NaN or infinity")
    return Predictions(segmentation, slots, reconstruction)


def _check_shape(path: Path, dataset: h5py.Dataset, expected: tuple[int | None, ...]) -> None:
    fits = len(dataset.shape) == len(expected) and all(
        want is None or have == want for have, want in zip(dataset.shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("K" if want is None else str(want) for want in expected)
        raise CommandError(
            f"{path}: {dataset.name.lstrip('/')}: expected ({wanted}), got {dataset.shape}"
        )


def _segment(path: Path, masks: h5py.Dataset) -> tuple[np.ndarray, int]:
    if not 1 <= masks.shape[1] <= MAX_SLOTS:
        raise CommandError(f"{path}: masks: expected 1 to {MAX_SLOTS} slots, got {masks.shape[1]}")
    segmentation = np.empty((masks.shape[0], *masks.shape[2:]), dtype=np.uint8)
    for start in range(0, masks.shape[0], AT_ONCE):
        rows = np.asarray(masks[start : start + AT_ONCE], dtype=np.float64)
        if not np.isfinite(rows).all():
            raise CommandError(f"{path}: masks: NaN or infinity in scenes from {start}")
        off = np.abs(rows.sum(axis=1) - 1).max()
        if off > MASK_SUM_TOLERANCE:
            raise CommandError(
                f"{path}: masks: must sum to 1 over the slots, off by {off:.3g} in scenes from "
                f"{start}"
            )
        segmentation[start : start + len(rows)] = rows.argmax(axis=1)
    return segmentation, masks.shape[1]


def _slots(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    values = np.asarray(dataset)
    if not np.issubdtype(values.dtype, np.integer):
        raise CommandError(f"{path}: segmentation: expected integers, got {values.dtype}")
    if values.min() < 0 or values.max() >= MAX_SLOTS:
        raise CommandError(
            f"{path}: segmentation: slots must be 0 to {MAX_SLOTS - 1}, got {values.min()} to "
            f"{values.max()}"
        )
    return values
