"""Scores of predictions on a file, as numbers with intervals, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scenes.atomic import write_whole
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.segmentation import contingency, images_at, segmentation_at

from evaluation.metrics import metrics_of_tables
from evaluation.metrics.ari import has_room, walls_and_sky_in_one_slot
from evaluation.metrics.reconstruction import mse
from evaluation.predictions.contract import Predictions
from evaluation.scores.intervals import Statistic, statistics

BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class TestScenes:
    """Scenes whose truth is known, at the size at which they are scored."""

    __test__ = False  # no test of pytest's

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"]
    entities: tuple[str, ...]
    num_background: int
    amodal: Bool[np.ndarray, "N O H W"] | None = None
    """Each object's full extent, as if nothing hid it; `None` where the file does not know it."""


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
            amodal=_amodal_at(file["amodal"][rows], size) if file.has("amodal") else None,
        )


def _amodal_at(extents: Bool[np.ndarray, "N O H W"], size: int) -> Bool[np.ndarray, "N O S S"]:
    """Reduces extents to `size` pixels: where at least half of the area is covered."""
    scenes, objects, height, _ = extents.shape
    if size == height:
        return extents
    factor = height // size
    blocks = extents.reshape(scenes, objects, size, factor, size, factor)
    return blocks.mean((3, 5), dtype=np.float32) >= 0.5


def values_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every score of every scene, by name; NaN where undefined."""
    table = contingency(scenes.segmentation, predictions.segmentation)
    values = metrics_of_tables(table, scenes.entities, scenes.num_background)
    used = table.any(1).sum(1).astype(np.float64)
    values["slots_used"], values["slots_empty"] = used, predictions.num_slots - used
    if predictions.reconstruction is not None:
        values["mse"] = mse(scenes.images, predictions.reconstruction)
    return {**values, **predictions.terms}


def score(scenes: TestScenes, predictions: Predictions) -> dict[str, Statistic]:
    """Returns the statistic of every score over the scenes."""
    return statistics_of_rows({"": values_of(scenes, predictions)})[""]


def decoded_masks(predictions: Predictions) -> Predictions | None:
    """Returns the masks that the decoder predicts as predictions of their own, if there are any."""
    if predictions.decoded is None:
        return None
    return Predictions(predictions.decoded, predictions.num_slots)


def ceiling_values(scenes: TestScenes) -> dict[str, Float64[np.ndarray, " N"]] | None:
    """Returns every score of a perfect result with walls and sky in one slot, as the paper's.

    They are computed from the truth alone: what a model that does exactly what the paper says
    would score on these scenes. `None` where there are no walls and sky.
    """
    if not has_room(scenes.entities):
        return None
    table = contingency(scenes.segmentation, scenes.segmentation)
    perfect = walls_and_sky_in_one_slot(table, scenes.entities)
    return metrics_of_tables(perfect, scenes.entities, scenes.num_background)


def statistics_of_rows(
    rows: Mapping[str, Mapping[str, Float64[np.ndarray, " N"]]],
) -> dict[str, dict[str, Statistic]]:
    """Returns the statistics of several models' scores on the same scenes, by model and score.

    All are resampled together, which costs as much as one model alone.
    """
    flat = {(row, name): v for row, values in rows.items() for name, v in values.items()}
    named = {str(index): values for index, values in enumerate(flat.values())}
    found = statistics(named, np.random.default_rng(BOOTSTRAP_SEED)).values()
    result: dict[str, dict[str, Statistic]] = {row: {} for row in rows}
    for (row, name), statistic in zip(flat, found, strict=True):
        result[row][name] = statistic
    return result


def to_json(statistic: Statistic) -> dict[str, float | int | None]:
    """Returns a statistic for JSON, which knows no NaN: undefined is null."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(statistic).items()
    }


def finite_or_null(content: object) -> object:
    """Returns nested dictionaries for JSON, with null for NaN."""
    if isinstance(content, Mapping):
        return {key: finite_or_null(value) for key, value in content.items()}
    return None if isinstance(content, float) and math.isnan(content) else content


def all_to_json(scores: Mapping[str, Statistic]) -> dict[str, dict[str, float | int | None]]:
    """Returns statistics by name for JSON."""
    return {name: to_json(statistic) for name, statistic in scores.items()}


def write_json(path: Path, content: object) -> None:
    """Writes JSON, the folder too, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
