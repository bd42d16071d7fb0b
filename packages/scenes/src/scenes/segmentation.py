"""Averages images and segmentations down, and computes the adjusted Rand index.

It is in this package because both training and scoring need it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer, Shaped, UInt8

from scenes.fit import Fit, check_fit, fit_image

_LABELS_AT_ONCE = 2**18
"""Pixels that are counted in one call: few enough that codes and table stay in the cache."""


def contingency(
    true: Integer[np.ndarray, "N H W"], pred: Integer[np.ndarray, "N H W"]
) -> Int64[np.ndarray, "N E K"]:
    """Counts the pixels that each entity shares with each slot, image by image.

    Args:
        true: entity index of each pixel, from 0.
        pred: slot index of each pixel, from 0.

    Returns:
        Number of pixels of entity e in slot k; E and K are one more than the largest index.

    Raises:
        ValueError: the shapes differ, or an index is negative.
    """
    if true.shape != pred.shape:
        raise ValueError(f"true and pred must have one shape, got {true.shape} and {pred.shape}")
    if true.size == 0:
        return np.zeros((len(true), 1, 1), np.int64)
    for name, labels in (("true", true), ("pred", pred)):
        if labels.min() < 0:
            raise ValueError(f"{name} must hold indices from 0, got {labels.min()}")
    N, H, W = true.shape
    E, K = int(true.max()) + 1, int(pred.max()) + 1
    table = np.empty((N, E, K), np.int64)
    step = max(1, _LABELS_AT_ONCE // (H * W))
    image = np.arange(step)[:, None, None] * (E * K)
    for start in range(0, N, step):
        rows = slice(start, min(start + step, N))
        count = rows.stop - start
        codes = true[rows] * np.int64(K) + pred[rows].astype(np.int64) + image[:count]
        table[rows] = np.bincount(codes.ravel(), minlength=count * E * K).reshape(count, E, K)
    return table


def ari_of_table(table: Int64[np.ndarray, "N E K"]) -> Float64[np.ndarray, " N"]:
    """Returns the adjusted Rand index of each contingency table (Hubert and Arabie, 1985).

    Args:
        table: pixels that entity e shares with slot k.

    Returns:
        1 for the same partition, about 0 for one independent of the truth. NaN where the truth is
        one cluster, or every pixel its own: no prediction could then score anything but 0 or 0/0.
    """
    entities, slots = table.sum(2), table.sum(1)
    pixels = entities.sum(1)
    together = _pairs(table).sum((1, 2))
    true_pairs, pred_pairs = _pairs(entities).sum(1), _pairs(slots).sum(1)
    all_pairs = _pairs(pixels)
    defined = (true_pairs > 0) & (true_pairs < all_pairs)
    score = np.full(len(table), np.nan)
    a, b, t, n = (x[defined] for x in (true_pairs, pred_pairs, together, all_pairs))
    expected = a * b / n
    score[defined] = (t - expected) / ((a + b) / 2 - expected)
    return score


def ari(
    true: Integer[np.ndarray, "N H W"], pred: Integer[np.ndarray, "N H W"]
) -> Float64[np.ndarray, " N"]:
    """Returns the adjusted Rand index over all pixels of each image; see `ari_of_table`."""
    return ari_of_table(contingency(true, pred))


def ari_fg(
    true: Integer[np.ndarray, "N H W"], pred: Integer[np.ndarray, "N H W"], num_background: int
) -> Float64[np.ndarray, " N"]:
    """Returns the adjusted Rand index over the pixels of objects alone.

    Args:
        true: entity index of each pixel.
        pred: slot index of each pixel.
        num_background: how many of the first entities are background: 4 in the Objects Room.

    Returns:
        NaN where fewer than two objects are in view.
    """
    return ari_of_table(contingency(true, pred)[:, num_background:])


def _pairs(count: Int64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Returns how many pairs `count` things form; exact, as counts stay far below 2**26."""
    return count * (count - 1) / 2


def images_at(
    images: UInt8[np.ndarray, "N H W 3"] | Float[np.ndarray, "N H W 3"],
    size: int,
    fit: Fit | None = None,
) -> Shaped[np.ndarray, "N h w 3"]:
    """Averages images down by area to a height of `size` pixels; bytes are rounded to the nearest.

    Example:
        >>> import numpy as np, scenes
        >>> images = np.zeros((8, 64, 64, 3), dtype=np.uint8)
        >>> scenes.images_at(images, 32).shape
        (8, 32, 32, 3)
        >>> photographs = np.zeros((8, 480, 640, 3), dtype=np.uint8)
        >>> scenes.images_at(photographs, 64, fit="crop").shape
        (8, 64, 64, 3)

    Args:
        images: channels last.
        size: height in pixels.
        fit: makes images of any height and width squares of `size`: `crop` cuts the middle, `pad`
            adds black, `stretch` does neither. Without it nothing is cut, added or interpolated.

    Raises:
        ValueError: without `fit`, the images' height is no multiple of `size`, or their width is no
            multiple of the same factor; with it, `size` or `fit` is not allowed.
    """
    n, height, width, _ = images.shape
    if fit is not None:
        check_fit(size, fit)
    if fit is not None and (height != width or height < size or height % size):
        fitted = np.empty((n, size, size, 3), dtype=images.dtype)
        for square, image in zip(fitted, images, strict=True):
            square[:] = fit_image(image, size, fit)
        return fitted
    factor = _factor(height, width, size)
    if factor == 1:
        return images
    blocks = images.reshape(n, size, factor, width // factor, factor, 3)
    if images.dtype != np.uint8:
        return blocks.mean(axis=(2, 4), dtype=np.float64).astype(images.dtype)
    sums = blocks.sum(axis=(2, 4), dtype=np.uint32)
    return ((2 * sums + factor**2) // (2 * factor**2)).astype(np.uint8)


def segmentation_at(
    segmentation: UInt8[np.ndarray, "N H W"], size: int
) -> UInt8[np.ndarray, "N h w"]:
    """Reduces segmentations to a height of `size` by majority; the lowest index wins a draw.

    Example:
        >>> import numpy as np, scenes
        >>> labels = np.array([[[0, 0, 1, 1], [0, 3, 1, 0]]], dtype=np.uint8)
        >>> scenes.segmentation_at(labels, 1).tolist()
        [[[0, 1]]]

    Raises:
        ValueError: as from `images_at`.
    """
    n, height, width = segmentation.shape
    factor = _factor(height, width, size)
    if factor == 1:
        return segmentation
    blocks = segmentation.reshape(n, size, factor, width // factor, factor)
    best = np.zeros((n, size, width // factor), dtype=np.uint8)
    most = np.zeros(best.shape, dtype=np.int64)
    for entity in np.unique(segmentation):
        count = (blocks == entity).sum(axis=(2, 4))
        best[count > most] = entity
        most = np.maximum(most, count)
    return best


def _factor(height: int, width: int, size: int) -> int:
    factor, rest = divmod(height, size)
    if rest or width % factor:
        shape = str(height) if width == height else f"{height} x {width}"
        raise ValueError(f"images of {shape} pixels cannot be averaged down to {size}")
    return factor
