"""Colours of slots: where the truth is shown too, those of the entities that they hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64, UInt8
from scenes.pictures.palette import entity_palette, slot_palette, spare_palette
from scenes.segmentation import contingency
from scipy.optimize import linear_sum_assignment

from evaluation.metrics.overlap import iou
from evaluation.predictions.checks import slots_of
from evaluation.scores.truth import Truth


def slot_colors(
    masks: Float[np.ndarray, "N K H W"], truth: Truth | None
) -> UInt8[np.ndarray, "N K 3"]:
    """Returns the colours in which the slots of each scene are drawn.

    Args:
        masks: of the slots, which are matched with entities by them.
        truth: of the scenes; without it a slot has the same colour in all scenes.
    """
    scenes, slots = masks.shape[:2]
    if truth is None:
        return np.repeat(slot_palette(slots)[None], scenes, axis=0)
    palette = entity_palette(truth.entities, truth.num_background)
    table = contingency(truth.segmentation, slots_of(masks))
    return np.stack([_matched(each, palette, slots) for each in table])


def as_hex(colors: UInt8[np.ndarray, "K 3"]) -> list[str]:
    """Returns colours as CSS writes them."""
    return ["#" + bytes(rgb).hex() for rgb in colors]


def _matched(
    table: Int64[np.ndarray, "E K"], palette: UInt8[np.ndarray, "E2 3"], slots: int
) -> UInt8[np.ndarray, "K2 3"]:
    """Returns the colours of a scene's slots, each that of the entity that the slot covers best.

    Entities and slots are matched one-to-one, for the largest sum of intersections over union. They
    are matched only where the slot has most of the entity, or where most of the slot is the entity,
    since few common pixels say nothing. Slots that are left over get dark colours of no entity.

    Args:
        table: pixels that entity e shares with slot k; the last slots may be missing.
        palette: the entities' colours.
        slots: number of slots.
    """
    colors = spare_palette(slots)
    most = (table == table.max(axis=0)) | (table == table.max(axis=1, keepdims=True))
    overlap = np.where(most, iou(table[None])[0], 0)
    for entity, slot in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[entity, slot] > 0:
            colors[slot] = palette[entity]
    return colors
