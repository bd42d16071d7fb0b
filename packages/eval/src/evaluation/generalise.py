"""How a model trained on one to three objects fares with none to six, and with one colour for all.

The paper shows pictures of this (figures 4 and 8); here are numbers, with baselines beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import UsageError
from scenes.config import ObjectsRoomConfig, condition_config
from scenes.file import FileError, SceneFile
from scenes.progress import progress_bar

from evaluation.baselines import BASELINES
from evaluation.predictions import predict
from evaluation.score import TestScenes, all_to_json, read_scenes, score
from evaluation.statistics import Statistic

if TYPE_CHECKING:
    from monet import Decompositions, Monet

COUNTS = tuple(f"objects_{count}" for count in range(7))
CONDITIONS = ("test", *COUNTS, "identical_color", "four_identical")
"""`test` follows the law of the training scenes: 3 objects placed, 1 to 3 of them in view."""
TRAINED_ON = (1, 3)
"""Objects in view of the training scenes."""
PICTURED = {"test": 2, "objects_0": 1, "objects_6": 2, "identical_color": 2, "four_identical": 1}
"""Scenes of each condition that the picture shows."""


@dataclass(frozen=True)
class Pictured:
    """A few scenes of a condition and what the model makes of them."""

    condition: str
    images: UInt8[np.ndarray, "N H W 3"]
    parts: Decompositions


@dataclass(frozen=True)
class Generalisation:
    """Scores of a model and of the baselines in each condition."""

    num_slots: int
    n: int
    model: Mapping[str, Mapping[str, Statistic]]
    """Condition to score to statistic."""
    baselines: Mapping[str, Mapping[str, Mapping[str, Statistic]]]
    """Name of the baseline, then the same."""
    pictured: tuple[Pictured, ...]

    def as_json(self, checkpoint: Mapping[str, object], seed: int) -> dict[str, object]:
        """Returns what `scores.json` holds; undefined scores are null."""
        return {
            "checkpoint": dict(checkpoint),
            "num_slots": self.num_slots,
            "n": self.n,
            "seed": seed,
            "version": version("evaluation"),
            "interval": "95% bootstrap over images, not over training seeds",
            "conditions": {name: all_to_json(scores) for name, scores in self.model.items()},
            "baselines": {
                name: {condition: all_to_json(scores) for condition, scores in rows.items()}
                for name, rows in self.baselines.items()
            },
        }


def scene_file(
    condition: str, size: int, folder: Path, *, seed: int, n: int, workers: int | None = None
) -> Path:
    """Returns a file with enough scenes of a condition, rendering what is lacking.

    A file `CONDITION.h5` in the folder serves if it is of that condition and seed and its size is
    a multiple; otherwise `CONDITION_SIZEpx.h5` is made or extended.

    Args:
        condition: one of `CONDITIONS`.
        size: side of the model's images, in pixels.
        folder: where the files lie.
        seed: of the scenes; whatever it is, no condition shares scenes with `train`.
        n: number of scenes.
        workers: processes that render; all cores by default.
    """
    config = condition_config(condition, size)
    given = folder / f"{condition}.h5"
    if given.exists() and _serves(given, config, seed, n):
        return given
    made = folder / f"{condition}_{size}px.h5"
    if made.exists() and _serves(made, config, seed, n):
        return made
    from scenes.build import build

    build(config, seed, n, made, workers=workers)
    return made


def _serves(path: Path, config: ObjectsRoomConfig, seed: int, n: int) -> bool:
    try:
        with SceneFile(path) as file:
            held = file.config
            return (
                isinstance(held, ObjectsRoomConfig)
                and held.condition == config.condition
                and file.seed == seed
                and file.n >= n
                and file.image_size % config.size == 0
            )
    except FileError:
        return False


def generalise(
    model: Monet, num_slots: int, folder: Path, *, n: int, seed: int, workers: int | None = None
) -> Generalisation:
    """Scores a model with `num_slots` slots, and the baselines, in every condition.

    Args:
        model: trained on the Objects Room.
        num_slots: slots to use, whatever the training had.
        folder: where test scenes lie or are rendered to.
        n: scenes of each condition.
        seed: of the test scenes.
        workers: processes that render.

    Raises:
        UsageError: `num_slots` is under 2 or `n` under 1.
    """
    if num_slots < 2:
        raise UsageError(f"--slots must be at least 2, got {num_slots}")
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    ours: dict[str, dict[str, Statistic]] = {}
    others: dict[str, dict[str, dict[str, Statistic]]] = {name: {} for name in BASELINES}
    pictured = []
    with progress_bar() as progress:
        task = progress.add_task("scoring", total=len(CONDITIONS), note="")
        for condition in CONDITIONS:
            progress.update(task, note=condition)
            size = model.config.image_size
            path = scene_file(condition, size, folder, seed=seed, n=n, workers=workers)
            scenes = read_scenes(path, n, size)
            ours[condition] = score(scenes, predict(model, scenes.images, num_slots))
            for name, segment in BASELINES.items():
                others[name][condition] = score(scenes, segment(scenes.images))
            if condition in PICTURED:
                pictured.append(_picture(model, num_slots, condition, scenes))
            progress.advance(task)
    return Generalisation(num_slots, n, ours, others, tuple(pictured))


def _picture(model: Monet, num_slots: int, condition: str, scenes: TestScenes) -> Pictured:
    images = scenes.images[: PICTURED[condition]]
    return Pictured(condition, images, model.decompose(images, num_slots))
