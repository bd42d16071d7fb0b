"""Computes every score of every scene, and its statistics over the scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float64, Int64, Integer
from scenes.segmentation import contingency

from evaluation.metrics import METRICS, metrics_of_tables
from evaluation.metrics.ari import has_room, walls_and_sky_in_one_slot
from evaluation.metrics.reconstruction import mse
from evaluation.predictions.contract import TERMS, Predictions
from evaluation.scores.intervals import statistics
from evaluation.scores.results import Statistic
from evaluation.scores.truth import TestScenes, Truth

BOOTSTRAP_SEED = 0
MOST_ENTITIES = 256
"""Most entities of a file of scenes."""
CELLS_AT_ONCE = 2**24
"""Most pairs of entity and slot that are counted at once, eight bytes each."""
Value = TypeVar("Value")
NAMES = (*METRICS, "slots_used", "slots_empty", "mse", *TERMS)
"""Every score that a scene may have, in the order of the files."""


def values_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every score of every scene, by name, in the order of `NAMES`; NaN where undefined."""
    values = values_of_segmentations(scenes, predictions.segmentation)
    values["slots_empty"] = predictions.num_slots - values["slots_used"]
    if predictions.reconstruction is not None:
        values["mse"] = mse(scenes.images, predictions.reconstruction)
    return in_order({**values, **predictions.terms})


def in_order(values: Mapping[str, Value]) -> dict[str, Value]:
    """Returns values by name in the order of `NAMES`, those of any other name behind them."""
    order = [*NAMES, *sorted(values.keys() - set(NAMES))]
    return {name: values[name] for name in order if name in values}


def values_of_segmentations(
    truth: Truth, segmentation: Integer[np.ndarray, "N H W"]
) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns the metrics of each scene, and its slots with a pixel, by name.

    An image's values depend on that image alone, not on those beside it.

    Args:
        truth: of the scenes.
        segmentation: slot of each pixel.
    """
    parts = []
    for rows in _few_at_once(segmentation):
        table = _table(truth.rows(rows), segmentation[rows])
        # As are the scores of a scene whose every pixel is left out.
        used = np.where(table.any((1, 2)), table.any(1).sum(1), np.nan)
        parts.append({**_metrics(table, truth), "slots_used": used})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _few_at_once(segmentation: Integer[np.ndarray, "N H W"]) -> list[slice]:
    """Returns slices of the scenes, each so short that its tables fit in memory together."""
    slots = min(int(segmentation.max(initial=0)) + 1, segmentation[0].size)
    step = max(1, CELLS_AT_ONCE // (MOST_ENTITIES * slots))
    return [slice(start, start + step) for start in range(0, len(segmentation), step)]


def _metrics(
    table: Int64[np.ndarray, "N E K"], truth: Truth
) -> dict[str, Float64[np.ndarray, " N"]]:
    values = metrics_of_tables(table, truth.entities, truth.num_background)
    has_pixels = table.any((1, 2))
    return {name: np.where(has_pixels, row, np.nan) for name, row in values.items()}


def _table(truth: Truth, segmentation: Integer[np.ndarray, "N H W"]) -> Int64[np.ndarray, "N E K"]:
    """Counts the pixels that each entity shares with each slot, except for pixels left out."""
    if int(segmentation.max(initial=0)) >= MOST_ENTITIES:  # smaller numbers make a smaller table
        segmentation = np.stack(
            [np.unique(one, return_inverse=True)[1].reshape(one.shape) for one in segmentation]
        )
    return contingency(truth.counted, segmentation)[:, : len(truth.entities)]


def decoded_masks(predictions: Predictions) -> Predictions | None:
    """Returns predictions by the masks that the decoder predicts; `None` where there are none."""
    if predictions.decoded is None:
        return None
    return Predictions(predictions.decoded, predictions.num_slots)


def ceiling_values(scenes: TestScenes) -> dict[str, Float64[np.ndarray, " N"]] | None:
    """Returns every score of a perfect result with walls and sky in one slot, as in the paper.

    It is computed from the truth alone, and shows how a model would score on these scenes that does
    exactly what the paper says. `None` where scenes have no walls and sky.
    """
    if not has_room(scenes.entities):
        return None
    table = _table(scenes, scenes.segmentation)
    return _metrics(walls_and_sky_in_one_slot(table, scenes.entities), scenes)


def statistics_of_rows(
    rows: Mapping[str, Mapping[str, Float64[np.ndarray, " N"]]],
) -> dict[str, dict[str, Statistic]]:
    """Returns the statistics of several rows of scores on the same scenes, by row and score.

    All are resampled together, which takes no longer than one row alone.
    """
    flat = {(row, name): v for row, values in rows.items() for name, v in values.items()}
    named = {str(index): values for index, values in enumerate(flat.values())}
    every = statistics(named, np.random.default_rng(BOOTSTRAP_SEED)).values()
    result: dict[str, dict[str, Statistic]] = {row: {} for row in rows}
    for (row, name), statistic in zip(flat, every, strict=True):
        result[row][name] = statistic
    return result
