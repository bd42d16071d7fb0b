"""Scores of predictions on a file, as numbers with intervals, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from scenes.command_line import UsageError
from scenes.file import SceneFile, images_at, segmentation_at

from evaluation.metrics import metrics_of_images
from evaluation.metrics.reconstruction import mse
from evaluation.predictions import Predictions
from evaluation.statistics import Statistic, statistics

BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class TestScenes:
    """Scenes whose truth is known, at the size at which they are scored."""

    __test__ = False  # no test of pytest's

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"]
    entities: tuple[str, ...]
    num_background: int


def read_scenes(path: Path, n: int | None = None, size: int | None = None) -> TestScenes:
    """Reads the first scenes of a file.

    Args:
        path: a file of this project's.
        n: number of scenes; all by default.
        size: pixels to average down to; the file's own by default.

    Raises:
        UsageError: the file has fewer scenes or another size.
        FileError: it cannot be read, or its scenes have no truth.
    """
    with SceneFile(path) as file:
        if n is not None and n > file.n:
            raise UsageError(f"{path}: has {file.n} scenes, fewer than --n {n}")
        size = file.image_size if size is None else size
        if file.image_size % size:
            raise UsageError(
                f"{path}: images of {file.image_size} pixels cannot be averaged down to the "
                f"model's {size}"
            )
        rows = slice(0, n)
        return TestScenes(
            images=images_at(file["image"][rows], size),
            segmentation=segmentation_at(file["segmentation"][rows], size),
            entities=file.entities,
            num_background=file.num_background,
        )


def values_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every score of every scene, by name; NaN where undefined."""
    values = metrics_of_images(
        scenes.segmentation, predictions.segmentation, scenes.entities, scenes.num_background
    )
    values["slots_used"] = np.array(
        [float(len(np.unique(image))) for image in predictions.segmentation]
    )
    if predictions.reconstruction is not None:
        values["mse"] = mse(scenes.images, predictions.reconstruction)
    return {**values, **predictions.terms}


def score(scenes: TestScenes, predictions: Predictions) -> dict[str, Statistic]:
    """Returns the statistic of every score over the scenes."""
    return statistics(values_of(scenes, predictions), np.random.default_rng(BOOTSTRAP_SEED))


def to_json(statistic: Statistic) -> dict[str, float | int | None]:
    """Returns a statistic for JSON, which knows no NaN: undefined is null."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(statistic).items()
    }


def all_to_json(scores: Mapping[str, Statistic]) -> dict[str, dict[str, float | int | None]]:
    """Returns statistics by name for JSON."""
    return {name: to_json(statistic) for name, statistic in scores.items()}


def write_json(path: Path, content: object) -> None:
    """Writes JSON under a temporary name and renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    temporary.replace(path)
