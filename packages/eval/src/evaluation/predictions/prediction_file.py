"""Reads predictions that any program wrote to a file.

The file is HDF5 with `masks` (N, K, H, W), which sum to one over K, or `segmentation` (N, H, W),
the slot of each pixel. It may also have `reconstruction` (N, H, W, 3) in [0, 1], and `scene` (N,),
the row of the data file that each prediction is of.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, Integer, UInt8
from scenes.command_line import CommandError
from scenes.file.errors import FileError
from scenes.file.reader import open_hdf5
from scenes.file.rows import Rows

from evaluation.predictions.checks import (
    MOST_SLOTS,
    check_colors,
    check_finite,
    check_masks,
    slot_type,
    slots_of,
    without_ignored,
)
from evaluation.predictions.contract import Predictions
from evaluation.predictions.order import check_rows

SCENES_AT_ONCE = 64
"""Most scenes whose masks are read at once; with many slots they are fewer."""
NUMBERS_AT_ONCE = 2**26


def read_predictions(
    path: Path,
    images: UInt8[np.ndarray, "N H W 3"],
    *,
    may_be_longer: bool = False,
    ignore_label: int | None = None,
) -> Predictions:
    """Reads the predictions of any program.

    Args:
        path: HDF5 file as described above.
        images: of the scenes that the predictions are of.
        may_be_longer: whether predictions of further scenes may follow, which are not read.
        ignore_label: slot whose pixels are left out of every score.

    Raises:
        CommandError: there is no such file, or it does not fit; the message names the key.
    """
    if not path.is_file():
        raise CommandError(f"{path}: {'no regular file' if path.exists() else 'no such file'}")
    n, size = len(images), images.shape[1:3]
    forms: dict[str, tuple[int | None, ...]] = {
        "scene": (),
        "masks": (None, *size),
        "segmentation": size,
        "reconstruction": (*size, 3),
    }
    kinds = {"scene": "iu", "masks": "biuf", "segmentation": "iu", "reconstruction": "f"}
    try:
        file = open_hdf5(path)
    except FileError as error:
        raise CommandError(str(error)) from error
    with file:
        datasets = {
            name: _dataset(path, file[name], n, form, kinds[name], may_be_longer=may_be_longer)
            for name, form in forms.items()
            if name in file
        }
        if "scene" in datasets:
            check_rows(path, datasets["scene"][:n])
        if "masks" in datasets:
            labels, slots = _largest(path, datasets["masks"], n), datasets["masks"].shape[1]
        elif "segmentation" in datasets:
            labels, slots = datasets["segmentation"][:n], None
        else:
            raise CommandError(f"{path}: neither 'masks' nor 'segmentation' is in it")
        predictions = predictions_of_labels(labels, slots, ignore_label, str(path))
        if "reconstruction" in datasets:
            with np.errstate(over="ignore"):  # an overflow gives infinity, which is refused
                colors = datasets["reconstruction"][:n].astype(np.float32)
            check_finite(colors, str(path), "reconstruction", "scene")
            check_colors(colors, images, str(path), "reconstruction")
            predictions = replace(predictions, reconstruction=colors)
    return replace(predictions, names_scenes="scene" in datasets)


def predictions_of_labels(
    labels: np.ndarray, num_slots: int | None, ignore_label: int | None, source: str
) -> Predictions:
    """Returns labels as predictions.

    Args:
        labels: of each pixel.
        num_slots: number of slots; by default the number of different labels.
        ignore_label: label of pixels that are left out of every score.
        source: file of the labels, for messages.

    Raises:
        CommandError: a label is no whole number from 0 to 65,535.
    """
    segmentation, ignored = without_ignored(labels, ignore_label, source)
    predictions = Predictions(segmentation, num_slots or 1, ignored=ignored)
    if num_slots is not None:
        return predictions
    return replace(predictions, num_slots=max(1, len(labels_in(predictions))), counted=True)


def labels_in(predictions: Predictions) -> Integer[np.ndarray, " L"]:
    """Returns the different labels of the pixels that are not ignored, in ascending order."""
    labels, ignored = predictions.segmentation, predictions.ignored
    return np.unique(labels if ignored is None else labels[~ignored])


def read_first(
    path: Path, count: int
) -> tuple[Float[np.ndarray, "N K H W"] | None, Float[np.ndarray, "N H W 3"] | None]:
    """Reads what a file of predictions that was read before has for pictures of its first scenes.

    Returns:
        Masks and reconstruction, `None` where it has none.
    """
    with open_hdf5(path) as file:
        masks, reconstruction = (
            file[name][:count].astype(np.float32) if name in file else None
            for name in ("masks", "reconstruction")
        )
    return masks, reconstruction


_NAMES = {"iu": "integers", "f": "floats in [0, 1]", "biuf": "numbers"}


def _dataset(
    path: Path,
    dataset: h5py.Dataset | h5py.Group,
    n: int,
    form: tuple[int | None, ...],
    kinds: str,
    *,
    may_be_longer: bool,
) -> Rows:
    """Returns a dataset, if it has `n` rows of the right shape and type.

    Raises:
        CommandError: the dataset does not fit.
    """
    name = dataset.name.lstrip("/")
    if not isinstance(dataset, h5py.Dataset):
        raise CommandError(f"{path}: {name}: expected a dataset, got a group")
    shape = dataset.shape
    fits = (
        shape is not None
        and len(shape) == 1 + len(form)
        and (shape[0] == n or (may_be_longer and shape[0] > n))
        and all(want is None or have == want for have, want in zip(shape[1:], form, strict=True))
    )
    if not fits:
        wanted = ", ".join("K" if want is None else str(want) for want in (n, *form))
        comma = "," if len(form) == 0 else ""
        raise CommandError(f"{path}: {name}: expected ({wanted}{comma}), got {shape}")
    if dataset.dtype.kind not in kinds:
        raise CommandError(f"{path}: {name}: expected {_NAMES[kinds]}, got {dataset.dtype}")
    return Rows(dataset.id)


def _largest(path: Path, masks: h5py.Dataset, n: int) -> np.ndarray:
    """Returns the slot with the largest mask at each pixel."""
    K, H, W = masks.shape[1:]
    if not 1 <= K <= MOST_SLOTS:
        raise CommandError(f"{path}: masks: expected 1 to {MOST_SLOTS:,} slots, got {K:,}")
    labels = np.empty((n, H, W), slot_type(K))
    step = max(1, min(SCENES_AT_ONCE, NUMBERS_AT_ONCE // (K * H * W)))
    for start in range(0, n, step):
        rows = masks[start : min(start + step, n)]
        check_masks(rows, str(path), "scene", first=start)
        labels[start : start + len(rows)] = slots_of(rows)
    return labels
