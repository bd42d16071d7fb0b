"""The rows of a table of scores: a model or predictions, what stands beside, and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from scenes.progress import in_turn

from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.scores.labels import CEILING, DECODED, MODEL
from evaluation.scores.results import Statistic
from evaluation.scores.truth import TestScenes
from evaluation.scores.values import ceiling_values, decoded_masks, statistics_of_rows, values_of


def of_baselines(images: UInt8[np.ndarray, "N H W 3"], cache: Cache) -> dict[str, Predictions]:
    """Returns what each baseline makes of images, by its name."""
    return {
        name: cache.of_baseline(name, BASELINES[name], images)
        for name in in_turn("baselines", list(BASELINES))
    }


def scores_of(
    scenes: TestScenes, rows: Mapping[str, Predictions]
) -> dict[str, dict[str, Statistic]]:
    """Returns the statistics of every row's scores, by row and score.

    Args:
        scenes: that the predictions are of.
        rows: predictions by row, `MODEL` among them.

    Returns:
        These rows; `DECODED` where the model decodes masks, and `CEILING` where the scenes have
        one.
    """
    decoded = decoded_masks(rows[MODEL])
    if decoded is not None:
        rows = {**rows, DECODED: decoded}
    values = {row: values_of(scenes, rows[row]) for row in in_turn("scoring", list(rows))}
    highest = ceiling_values(scenes)
    if highest is not None:
        values[CEILING] = highest
    return statistics_of_rows(values)
