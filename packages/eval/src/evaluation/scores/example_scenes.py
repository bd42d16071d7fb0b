"""A few scenes of each condition, and what was made of them, for the picture beside the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput
from evaluation.predictions.models import ScoredModel
from evaluation.scores.conditions import TestRooms, rooms_size
from evaluation.scores.predicted_conditions import PredictedConditions
from evaluation.scores.results import Generalisation
from evaluation.scores.subjects import ModelInSlots, Subject
from evaluation.scores.truth import read_scenes

SHOWN = {"test": 2, "objects_0": 1, "objects_6": 2, "identical_color": 2, "four_identical": 1}
"""Scenes of each condition that the picture shows."""


@dataclass(frozen=True)
class ExampleScenes:
    """A few scenes of a condition and what a model makes of them."""

    condition: str
    images: UInt8[np.ndarray, "N H W 3"]
    output: ModelOutput


def example_scenes(
    model: ScoredModel | PredictedConditions, result: Generalisation, folder: Path, cache: Cache
) -> tuple[ExampleScenes, ...]:
    """Returns the first scenes of the conditions of `SHOWN` that were scored.

    Args:
        model: that was scored, or the masks.
        result: the scores.
        folder: where the scenes lie that were scored.
        cache: where what the model makes of images is kept.
    """
    subject: Subject = (
        ModelInSlots(model, result.num_slots, cache) if isinstance(model, ScoredModel) else model
    )
    rooms = TestRooms(folder, result.seed, result.n, rooms_size(model.image_size))
    examples = []
    for condition in result.conditions:
        if condition in SHOWN:
            count = min(rooms.n, SHOWN[condition])
            images = read_scenes(rooms.file(condition), count, rooms.size).images
            examples.append(ExampleScenes(condition, images, subject.output(condition, images)))
    return tuple(examples)
