"""Intersection over union of entities and slots, and scores of each entity's best slot."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64


def iou(table: Int64[np.ndarray, "N E K"]) -> Float64[np.ndarray, "N E K"]:
    """Returns the intersection over union of each entity with each slot; 0 where either is empty.

    Args:
        table: pixels that entity e shares with slot k.
    """
    union = table.sum(2, keepdims=True) + table.sum(1, keepdims=True) - table
    return table / np.maximum(union, 1)


def iou_of_regions(
    one: Bool[np.ndarray, "*N H W"], other: Bool[np.ndarray, "*N H W"]
) -> Float64[np.ndarray, "*N"]:
    """Returns the intersection over union of two regions of each image; 0 where both are empty."""
    union = (one | other).sum((-2, -1))
    return (one & other).sum((-2, -1)) / np.maximum(union, 1)


def best_iou(table: Int64[np.ndarray, "N E K"]) -> Float64[np.ndarray, "N E"]:
    """Returns each entity's best intersection over union with any slot; NaN for one out of view."""
    return np.where(table.sum(2) > 0, iou(table).max(2), np.nan)


def mbo(table: Int64[np.ndarray, "N E K"]) -> Float64[np.ndarray, " N"]:
    """Returns the mean best overlap over all entities in view, background included."""
    return mean_of_defined(best_iou(table))


def recall(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns the share of objects in view that some slot overlaps by more than a half.

    Args:
        table: pixels that entity e shares with slot k.
        num_background: how many of the first entities are background.

    Returns:
        In [0, 1]; NaN with no object in view.
    """
    best = best_iou(table)[:, num_background:]
    return mean_of_defined(np.where(np.isnan(best), np.nan, best > 0.5))


def mean_of_defined(
    values: Float64[np.ndarray, "N E"], weights: Int64[np.ndarray, "N E"] | None = None
) -> Float64[np.ndarray, " N"]:
    """Returns the mean of each row over its values that are not NaN; NaN where all are."""
    defined = ~np.isnan(values)
    weight = defined if weights is None else weights * defined
    total = weight.sum(1)
    mean = (np.where(defined, values, 0) * weight).sum(1) / np.maximum(total, 1)
    return np.where(total > 0, mean, np.nan)
