"""Checks a model's output, and predictions in a file.

Masks are shares of pixels: none is negative, and they sum to one over the slots. No number is NaN
or infinite.

Colours are in [0, 1]. A model's means are not squashed into that range, so they may leave it, but
none by more than four, and at most a tenth of them by more than three quarters. Where colours
follow the image (a correlation of over a half), at most a hundredth may leave the range by more
than a quarter, and they may rise by at most 1.5 where the image rises by 1: those of a bright image
in [-1, 1] stay within the range, but rise by 2. Reconstructions in [-1, 1], [-0.5, 0.5] or [0, 255]
break these rules; those of an untrained MONet, some from -1.4 to 0.9, do not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8, UInt16
from scenes.command_line import CommandError

MASK_SUM_TOLERANCE = 1e-2
MOST_SLOTS = 65_536
"""Most slots of a segmentation, which has at most two bytes for each pixel."""
NEAR, DISTANT, FAR = 0.25, 0.75, 4.0
"""How far colours may be outside [0, 1], by the rules above."""
MOST_DISTANT, MOST_BEYOND = 0.1, 0.01
FOLLOWS, MOST_GAIN = 0.5, 1.5


def check_finite(values: np.ndarray, source: str, key: str, row: str, first: int = 0) -> None:
    """Refuses NaN and infinity.

    Args:
        values: with one row for each scene.
        source: name of the file or model, for the message.
        key: name of the values.
        row: name of a row, such as `scene`.
        first: number of the first row.

    Raises:
        CommandError: a value is NaN or infinite.
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
        CommandError: masks are refused; the message names the first row and its value.
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
    with np.errstate(over="ignore"):  # an overflow gives infinity, which is refused
        sums = masks.sum(axis=1, dtype=np.float64).reshape(len(masks), -1)
    for index, pixel in np.argwhere(np.abs(sums - 1) > MASK_SUM_TOLERANCE)[:1]:
        raise CommandError(
            f"{source}: {key}: must sum to 1 over the slots, got {sums[index, pixel]:.3g} in "
            f"{row} {first + index}"
        )


def check_colors(
    colors: np.ndarray, images: UInt8[np.ndarray, "N H W 3"], source: str, key: str
) -> None:
    """Refuses colours on another scale than [0, 1], by the rules above.

    Args:
        colors: of a reconstruction, finite.
        images: the images that are reconstructed.
        source: name of the file or model, for the message.
        key: name of the colours.

    Raises:
        CommandError: colours are refused; the message names their range.
    """
    low, high = colors.min(initial=0), colors.max(initial=0)
    wrong = low < -FAR or high > 1 + FAR or _beyond(colors, DISTANT) > MOST_DISTANT
    if not wrong:
        correlation, gain = _fit(colors, images)
        too_far = gain > MOST_GAIN or _beyond(colors, NEAR) > MOST_BEYOND
        wrong = correlation > FOLLOWS and too_far
    if wrong:
        raise CommandError(
            f"{source}: {key}: must be in [0, 1], got {low:.3g} to {high:.3g}; divide by 255 what "
            "is in [0, 255], halve and shift what is in [-1, 1]"
        )


def _beyond(colors: np.ndarray, distance: float) -> float:
    """Returns the share of colours that are more than a distance outside [0, 1]."""
    beyond = np.count_nonzero((colors < -distance) | (colors > 1 + distance))
    return beyond / max(1, colors.size)


def _fit(colors: np.ndarray, images: UInt8[np.ndarray, "N H W 3"]) -> tuple[float, float]:
    """Returns the colours' correlation with the images, and their slope against the images.

    Both are 0 where colours or images are all alike.
    """
    one, other = colors.ravel().astype(np.float64), images.ravel() / 255.0
    one, other = one - one.mean(), other - other.mean()
    together, spread, width = one @ other, np.linalg.norm(one), np.linalg.norm(other)
    if spread == 0 or width == 0:
        return 0.0, 0.0
    return float(together / spread / width), float(together / width**2)


def slots_of(masks: np.ndarray) -> UInt8[np.ndarray, "N H W"] | UInt16[np.ndarray, "N H W"]:
    """Returns the slot with the largest mask at each pixel, in one byte where that is enough."""
    return masks.argmax(axis=1).astype(slot_type(masks.shape[1]))


def slot_type(slots: int) -> type[np.uint8] | type[np.uint16]:
    """Returns the smallest type that can number so many slots.

    Raises:
        ValueError: there are more slots than two bytes can number.
    """
    if slots > MOST_SLOTS:
        raise ValueError(f"there can be at most {MOST_SLOTS:,} slots, got {slots:,}")
    return np.uint8 if slots <= 256 else np.uint16


def without_ignored(
    labels: np.ndarray, ignore_label: int | None, source: str
) -> tuple[np.ndarray, Bool[np.ndarray, "N H W"] | None]:
    """Returns the slot of each pixel, and which pixels to leave out; these get slot 0.

    Args:
        labels: of each pixel.
        ignore_label: label of pixels to leave out, any number.
        source: file of the labels, for the message.

    Raises:
        CommandError: a label is no whole number from 0 to 65,535.
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
