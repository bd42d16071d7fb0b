"""Scores that give every object a slot of its own, or count the slots that hold objects."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment

from evaluation.metrics.overlap import iou


def miou(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns the mean IoU of objects matched one-to-one with slots (Hungarian).

    Args:
        table: pixels that entity e shares with slot k, background rows included.
        num_background: how many of the first entities are background.

    Returns:
        The largest sum of IoU, divided by the number of objects in view, in [0, 1]; an object
        without a slot counts 0. NaN with no object in view.
    """
    overlap = iou(table)[:, num_background:]
    visible = (table[:, num_background:].sum(2) > 0).sum(1)
    score = np.full(len(table), np.nan)
    for image in np.flatnonzero(visible):
        # Slots without an object left out, one number for each object: to the last digit the sum
        # does not depend on how many slots other images of the batch have.
        own = overlap[image][:, overlap[image].any(0)]
        rows, columns = linear_sum_assignment(own, maximize=True)
        matched = np.zeros(len(own))
        matched[rows] = own[rows, columns]
        score[image] = matched.sum() / visible[image]
    return score


def match_objects(
    table: Int64[np.ndarray, "N E K"], num_background: int
) -> Int64[np.ndarray, "N O"]:
    """Returns each object's slot in the matching of `miou`; -1 where it has no overlap with one.

    Args:
        table: pixels that entity e shares with slot k, background rows included.
        num_background: how many of the first entities are background.
    """
    overlap = iou(table)[:, num_background:]
    slot = np.full(overlap.shape[:2], -1, np.int64)
    for image in np.flatnonzero(overlap.any((1, 2))):
        rows, columns = linear_sum_assignment(overlap[image], maximize=True)
        held = overlap[image, rows, columns] > 0
        slot[image, rows[held]] = columns[held]
    return slot


def count(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns 1 for each image with as many object slots as objects in view, else 0.

    A slot is an object slot if its largest overlap is with an object. An empty slot is none, and a
    tie goes to the entity that comes first: the background.

    Args:
        table: pixels that entity e shares with slot k.
        num_background: how many of the first entities are background.

    Returns:
        0 or 1; NaN for an image without pixels.
    """
    object_slots = (table.argmax(1) >= num_background).sum(1)
    visible = (table[:, num_background:].sum(2) > 0).sum(1)
    return np.where(table.any((1, 2)), (object_slots == visible).astype(np.float64), np.nan)
