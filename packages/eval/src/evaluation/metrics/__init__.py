"""Scores of segmentations: pure functions over contingency tables, one value an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64, Integer
from scenes.entrance import entrance
from scenes.segmentation import contingency

from evaluation.metrics.ari import ari, ari_fg, ari_fg_sklearn, ari_merged, ari_paper, has_room
from evaluation.metrics.covering import msc, sc
from evaluation.metrics.matching import count, miou
from evaluation.metrics.overlap import mbo, recall

if TYPE_CHECKING:
    from evaluation.scores.segmentation_scores import SegmentationScores

__all__ = ["METRICS", "SegmentationScores", "metrics_of_images", "metrics_of_tables"]

__getattr__, __dir__ = entrance(
    __name__, {"SegmentationScores": "evaluation.scores.segmentation_scores"}
)
METRICS = (
    "ari",
    "ari_merged",
    "ari_paper",
    "ari_fg",
    "ari_fg_sklearn",
    "sc",
    "msc",
    "mbo",
    "miou",
    "recall",
    "count",
)
"""Scores of a segmentation, in the order of the tables."""


def metrics_of_tables(
    table: Int64[np.ndarray, "N E K"], entities: Sequence[str], num_background: int
) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every metric of every image, by name.

    Args:
        table: pixels that entity e shares with slot k.
        entities: names of the entities in index order; `ari_merged` and `ari_paper` are absent
            unless they name an Objects Room's walls and sky.
        num_background: how many of the first entities are background.

    Returns:
        NaN where a metric is undefined for an image.
    """
    missing = max(len(entities), num_background + 1) - table.shape[1]
    if missing > 0:  # no image shows the last entities
        table = np.pad(table, ((0, 0), (0, missing), (0, 0)))
    room = (
        {"ari_merged": ari_merged(table, entities), "ari_paper": ari_paper(table, entities)}
        if has_room(entities)
        else {}
    )
    return {
        "ari": ari(table),
        **room,
        "ari_fg": ari_fg(table, num_background),
        "ari_fg_sklearn": ari_fg_sklearn(table, num_background),
        "sc": sc(table, num_background),
        "msc": msc(table, num_background),
        "mbo": mbo(table),
        "miou": miou(table, num_background),
        "recall": recall(table, num_background),
        "count": count(table, num_background),
    }


def metrics_of_images(
    true: Integer[np.ndarray, "N H W"],
    pred: Integer[np.ndarray, "N H W"],
    entities: Sequence[str],
    num_background: int,
) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every metric of every image, by name; see `metrics_of_tables`.

    Args:
        true: entity index of each pixel.
        pred: slot index of each pixel.
        entities: names of the entities in index order.
        num_background: how many of the first entities are background.
    """
    return metrics_of_tables(contingency(true, pred), entities, num_background)
