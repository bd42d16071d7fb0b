"""Computes the scores that shipped weights carry, when they ship and again in tests.

Beside its config and step, each weights file has three notes. `test` is the config of its test
scenes. `checked` are mean scores of the first few of them, of the model and of its refined masks,
which must stay the same whatever changes in the code. `scores` are the statistics of all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from monet.weights import Weights
from scenes.command_line import UsageError
from scenes.dataset import DatasetConfig
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.serialise import from_json, to_json
from scenes.source_list import DATASETS, other_drawing

from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.batches import predict
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import ROUNDS
from evaluation.scores.labels import REFINED
from evaluation.scores.result_files import rows_to_json
from evaluation.scores.results import Statistic
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import statistics_of_rows, values_of

if TYPE_CHECKING:
    from monet import Monet

SEED = 0
"""Seed of the test scenes."""
CHECKED = 64
"""Number of scenes that tests score again."""
STEADY = ("ari", "ari_fg", "msc", "mse")
"""Scores whose means must stay the same."""
Checked = Mapping[str, Mapping[str, float]]
"""Means by row (the model, or `REFINED`) and score."""


def config_of_tests(weights: Weights, law: str | None = None) -> DatasetConfig:
    """Returns the config of the test scenes that follow the law of a model's training scenes.

    Args:
        weights: the model's.
        law: config of the training scenes as JSON, in which missing keys have their defaults;
            `None` takes the test scenes in the weights' notes, else the law of the training file.

    Raises:
        UsageError: no test scenes of the dataset can be made, `law` is no config of it, or the law
            is unknown because the training file is not here.
    """
    dataset = DATASETS[weights.dataset]
    data = weights.config.data
    if law is not None:
        trained_on = from_json(law, dataset.config)
    elif "test" in weights.notes:
        trained_on = from_json(weights.notes["test"], dataset.config)
    elif data.is_file():
        with SceneFile(data) as file:
            trained_on = file.config
    else:
        raise UsageError(
            f"{weights.path}: its training file {data} is not here; give the law of its scenes, "
            "such as --law '{\"size\": 64}'"
        )
    if dataset.test_config is None:
        raise UsageError(f"no test scenes of {trained_on.dataset} can be made")
    return dataset.test_config(trained_on)


def scenes_of(config: DatasetConfig, n: int, size: int, folder: Path) -> TestScenes:
    """Returns the first test scenes of a config; missing ones are rendered into a folder.

    Raises:
        UsageError: the folder has scenes of another drawing.
    """
    path = folder / f"{config.dataset}_test_{config.size}px.h5"
    build(config, n=n, seed=SEED, out=path)
    with SceneFile(path) as file:
        other = other_drawing(config, file.provenance)
    if other:
        raise UsageError(f"{path}: {other}; delete it, and it is made anew")
    return read_scenes(path, n, size)


def check(weights: Weights, folder: Path) -> tuple[Checked, Checked]:
    """Returns the `checked` scores that weights carry, and the same scores computed anew."""
    config = from_json(weights.notes["test"], DATASETS[weights.dataset].config)
    scenes = scenes_of(config, CHECKED, weights.config.model.image_size, folder)
    predictions = _predictions(weights.model(), scenes)
    anew = {name: values_of(scenes, each) for name, each in predictions.items()}
    return json.loads(weights.notes["checked"]), _steady(anew)


def _predictions(model: Monet, scenes: TestScenes) -> dict[str, Predictions]:
    return {
        "model": predict(model, scenes.images),
        REFINED: predict(model, scenes.images, refine=ROUNDS),
    }


def _steady(
    values: Mapping[str, Mapping[str, Float64[np.ndarray, " N"]]],
) -> dict[str, dict[str, float]]:
    return {
        row: {name: float(np.nanmean(values[row][name][:CHECKED])) for name in STEADY}
        for row in ("model", REFINED)
    }


def notes(
    weights: Weights, config: DatasetConfig, scenes: TestScenes
) -> tuple[dict[str, str], dict[str, dict[str, Statistic]]]:
    """Returns the notes of weights that ship, and the statistics of the model and the baselines.

    Notes that the weights have already, such as how they were made, are kept.

    Args:
        weights: of a run.
        config: of the test scenes.
        scenes: the test scenes, `CHECKED` at least.
    """
    predictions = _predictions(weights.model(), scenes)
    predictions |= {name: segment(scenes.images) for name, segment in BASELINES.items()}
    values = {name: values_of(scenes, each) for name, each in predictions.items()}
    rows = statistics_of_rows(values)
    notes_to_ship = {
        **weights.notes,
        "test": to_json(config),
        "checked": json.dumps(_steady(values)),
        "scores": rows_to_json(rows),
    }
    return notes_to_ship, rows
