"""Scores objects that others hide in part: whether they are found, and completed by their slot.

The paper claims both ("learned to complete partially occluded scene elements in the VAE's
reconstructions"). An object is found if some slot overlaps the part in view by more than a half, as
in `recall`. Its full extent is compared with two masks of its slot: the one that the decoder gives
the slot alone, not normalised over slots, and the region where that mask is larger than those of
all other slots, because training determines decoded masks only relative to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from jaxtyping import Float64
from scenes.segmentation import contingency

from evaluation.metrics.matching import match_objects
from evaluation.metrics.overlap import best_iou, iou_of_regions
from evaluation.predictions.contract import Predictions
from evaluation.scores.intervals import statistics
from evaluation.scores.results import Occlusion, RecallInView
from evaluation.scores.truth import TestScenes
from evaluation.scores.values import BOOTSTRAP_SEED

EDGES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Visible fractions between which recall is averaged, upper ends included."""
PARTLY_HIDDEN = 0.9
"""Largest visible fraction of objects on which completion is scored."""


@dataclass(frozen=True)
class ObjectsInView:
    """One entry for each object with a pixel in view."""

    visible: Float64[np.ndarray, " M"]
    """Visible pixels over those of the full extent within the image."""
    best_iou: Float64[np.ndarray, " M"]
    """Best overlap of a slot with the part in view."""
    decoded_iou: Float64[np.ndarray, " M"]
    """Overlap of the matched slot's decoded mask with the full extent; NaN without one."""
    largest_iou: Float64[np.ndarray, " M"]
    """Overlap with the full extent of the region where that mask is the largest of all slots'."""
    attention_iou: Float64[np.ndarray, " M"]
    """Overlap of the matched slot's pixels with the full extent; NaN without a slot."""
    hidden_found: Float64[np.ndarray, " M"]
    """Share of the hidden pixels that the decoded mask covers; NaN without any."""


def objects_in_view(scenes: TestScenes, predictions: Predictions) -> ObjectsInView:
    """Returns the visible fraction and the overlaps of each object in view.

    Raises:
        ValueError: the scenes have no full extents of objects.
    """
    if scenes.amodal is None:
        raise ValueError("these scenes do not hold the objects' full extents")
    true = scenes.counted
    table = contingency(true, predictions.segmentation)
    objects = scenes.amodal.shape[1]
    first = scenes.num_background
    missing = max(0, first + objects - table.shape[1])
    table = np.pad(table, ((0, 0), (0, missing), (0, 0)))[:, : first + objects]
    image, number = np.nonzero(table[:, first:].sum(2))
    slot = match_objects(table, first)[image, number]
    part = true[image] == (first + number)[:, None, None]
    # After averaging down, the part in view may have pixels outside the full extent.
    full = scenes.amodal[image, number] | part
    if scenes.ignored is not None:
        full &= ~scenes.ignored[image]
    attention = predictions.segmentation[image] == slot[:, None, None]
    decoded_iou, largest_iou, hidden = np.full((3, len(image)), np.nan)
    if predictions.decoded is not None:
        largest = predictions.decoded[image] == slot[:, None, None]
        largest_iou = np.where(slot >= 0, iou_of_regions(largest, full), np.nan)
    if predictions.extents is not None:
        decoded = predictions.extents[image, np.maximum(slot, 0)]
        decoded_iou = np.where(slot >= 0, iou_of_regions(decoded, full), np.nan)
        behind = full & ~part
        area = behind.sum((1, 2))
        covered = (decoded & behind).sum((1, 2)) / np.maximum(area, 1)
        hidden = np.where((slot >= 0) & (area > 0), covered, np.nan)
    return ObjectsInView(
        visible=part.sum((1, 2)) / full.sum((1, 2)),
        best_iou=best_iou(table)[image, first + number],
        decoded_iou=decoded_iou,
        largest_iou=largest_iou,
        attention_iou=np.where(slot >= 0, iou_of_regions(attention, full), np.nan),
        hidden_found=hidden,
    )


def occlusion(objects: Sequence[ObjectsInView]) -> Occlusion:
    """Returns the scores of the objects of several conditions together."""
    every = {
        f.name: np.concatenate([getattr(part, f.name) for part in objects])
        for f in fields(ObjectsInView)
    }
    visible, best = every["visible"], every["best_iou"]
    bin_of = np.searchsorted(EDGES[1:-1], visible, side="left")
    is_found = best > 0.5
    recall = statistics(
        {
            str(b): np.where(bin_of == b, is_found, np.nan).astype(np.float64)
            for b in range(len(EDGES) - 1)
        },
        np.random.default_rng(BOOTSTRAP_SEED),
    )
    counts = (visible <= PARTLY_HIDDEN) & is_found
    completion = {}
    if not np.isnan(every["decoded_iou"]).all():
        completion = statistics(
            {
                "visible_fraction": visible[counts],
                **{
                    name: every[name][counts]
                    for name in ("attention_iou", "largest_iou", "decoded_iou", "hidden_found")
                },
            },
            np.random.default_rng(BOOTSTRAP_SEED),
        )
    return Occlusion(
        recall=tuple(
            RecallInView(**vars(statistic), above=above, to=to)
            for (above, to), statistic in zip(pairwise(EDGES), recall.values(), strict=True)
        ),
        completion_of_visible_fraction_to=PARTLY_HIDDEN,
        completion=completion,
    )
