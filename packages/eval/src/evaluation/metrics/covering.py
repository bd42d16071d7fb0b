"""Scores of how well slots cover objects, each object by its best slot."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from evaluation.metrics.overlap import best_iou, mean_of_defined


def msc(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns the mean segmentation covering: mean over objects in view of the best IoU.

    Args:
        table: pixels that entity e shares with slot k, background rows included: a slot's area
            outside the objects counts against it.
        num_background: how many of the first entities are background.

    Returns:
        In [0, 1]; NaN with no object in view.
    """
    return mean_of_defined(best_iou(table)[:, num_background:])


def sc(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns the segmentation covering: like `msc`, objects weighted by their area in view."""
    areas = table[:, num_background:].sum(2)
    return mean_of_defined(best_iou(table)[:, num_background:], areas)
