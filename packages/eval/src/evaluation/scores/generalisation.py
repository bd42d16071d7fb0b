"""How a model trained on one to three objects fares with none to six, and with one colour for all.

The paper shows pictures of this (figures 4 and 8); here are numbers, with baselines beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import UsageError
from scenes.file.reader import FileError, SceneFile
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import Kind
from scenes.progress import progress_bar

from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ROUNDS, Predictions
from evaluation.scores.intervals import Statistic
from evaluation.scores.labels import DECODED, REFINED
from evaluation.scores.occlusion import ObjectsInView, Occlusion, objects_in_view, occlusion
from evaluation.scores.scoring import (
    TestScenes,
    all_to_json,
    ceiling_values,
    decoded_masks,
    read_scenes,
    statistics_of_rows,
    values_of,
)
from evaluation.scores.slot_use import SlotUse, slot_use

if TYPE_CHECKING:
    from monet import Decompositions, Monet

COUNTS = tuple(f"objects_{count}" for count in range(7))
CONDITIONS = ("test", *COUNTS, "identical_color", "four_identical")
"""`test` follows the law of the training scenes: 3 objects placed, 1 to 3 of them in view."""
HELD = ("held_in", "held_out")
"""As `test`, without the kinds of objects that training held out, and with one in every scene."""
TRAINED_ON = (1, 3)
"""Objects in view of the training scenes."""
COMPARED = {
    "test": "as in training",
    "objects_6": "six objects",
    "identical_color": "one colour",
}
"""Conditions in which the model stands beside the baselines: where colour helps, where more objects
are in view than in training, and where colour does not help."""
_MODEL, _TRAINED, _CEILING = "model", "trained slots", "ceiling"
PICTURED = {"test": 2, "objects_0": 1, "objects_6": 2, "identical_color": 2, "four_identical": 1}
"""Scenes of each condition that the picture shows."""


@dataclass(frozen=True)
class Pictured:
    """A few scenes of a condition and what the model makes of them."""

    condition: str
    images: UInt8[np.ndarray, "N H W 3"]
    parts: Decompositions


Scores = Mapping[str, Mapping[str, Statistic]]
"""Condition to score to statistic."""


@dataclass(frozen=True)
class Generalisation:
    """Scores of a model and of the baselines in each condition."""

    num_slots: int
    n: int
    model: Scores
    trained_slots: int
    trained: Scores
    """With as many slots as in training, in the conditions of `COMPARED`; empty where these are
    `num_slots`."""
    decoded: Scores
    """Of the masks that the model's decoder predicts."""
    refined: Scores
    """Of the masks after `ROUNDS` rounds (`Monet.decompose`), in the conditions of `COMPARED`."""
    baselines: Mapping[str, Scores]
    """By name of the baseline."""
    ceilings: Scores
    """Of a perfect result with walls and sky in one slot, as the paper's."""
    slot_use: Mapping[str, SlotUse]
    """By condition."""
    occlusion: Occlusion
    """Of the objects of `COUNTS` together."""
    occlusion_of_baselines: Mapping[str, Occlusion]
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
            "conditions": _to_json(self.model),
            "as_trained": (
                {"num_slots": self.trained_slots, "conditions": _to_json(self.trained)}
                if self.trained
                else None
            ),
            "decoded_masks": _to_json(self.decoded),
            "refined": _to_json(self.refined),
            "baselines": {name: _to_json(rows) for name, rows in self.baselines.items()},
            "ceilings": _to_json(self.ceilings),
            "slot_use": {name: use.as_json() for name, use in self.slot_use.items()},
            "occlusion": {
                "model": self.occlusion.as_json(),
                "baselines": {
                    name: found.as_json() for name, found in self.occlusion_of_baselines.items()
                },
            },
        }


def _to_json(scores: Scores) -> dict[str, dict[str, dict[str, float | int | None]]]:
    return {condition: all_to_json(row) for condition, row in scores.items()}


def config_of(condition: str, size: int, hold_out: tuple[Kind, ...] = ()) -> ObjectsRoomConfig:
    """Returns the config of a condition's scenes.

    Args:
        condition: one of `CONDITIONS` or of `HELD`.
        size: side of the images, in pixels.
        hold_out: kinds of objects that `HELD` is about.
    """
    if condition not in HELD:
        return condition_config(condition, size)
    return ObjectsRoomConfig(
        split="test", size=size, hold_out=hold_out, only_held_out=condition == "held_out"
    )


def hold_out_of(data: Path) -> tuple[Kind, ...]:
    """Returns the kinds that a training file held out; none where it is no longer there."""
    if not data.is_file():
        return ()
    with SceneFile(data) as file:
        config = file.config
    return config.hold_out if isinstance(config, ObjectsRoomConfig) else ()


def scene_file(
    condition: str,
    size: int,
    folder: Path,
    *,
    seed: int,
    n: int,
    workers: int | None = None,
    hold_out: tuple[Kind, ...] = (),
) -> Path:
    """Returns a file with enough scenes of a condition, rendering what is lacking.

    A file `CONDITION.h5` in the folder serves if it is of that condition and seed, its size is a
    multiple and it holds full extents; otherwise `CONDITION_SIZEpx.h5` is made or extended, or
    `CONDITION_SIZEpx_seedSEED.h5` for another seed than 0.

    Args:
        condition: one of `CONDITIONS` or of `HELD`.
        size: side of the model's images, in pixels.
        folder: where the files lie.
        seed: of the scenes; whatever it is, no condition shares scenes with `train`.
        n: number of scenes.
        workers: processes that render; all cores by default.
        hold_out: kinds of objects that `HELD` is about; their files' names tell them apart.
    """
    config = config_of(condition, size, hold_out)
    if condition in HELD:
        condition = f"{condition}_{hashlib.sha256(repr(hold_out).encode()).hexdigest()[:8]}"
    given = folder / f"{condition}.h5"
    if given.exists() and _serves(given, config, seed, n):
        return given
    made = folder / f"{condition}_{size}px{f'_seed{seed}' if seed else ''}.h5"
    if made.exists() and _serves(made, config, seed, n):
        return made
    from scenes.driver import build

    build(config, n=n, seed=seed, out=made, workers=workers)
    return made


def _serves(path: Path, config: ObjectsRoomConfig, seed: int, n: int) -> bool:
    try:
        with SceneFile(path) as file:
            held = file.config
            return (
                isinstance(held, ObjectsRoomConfig)
                and held.condition == config.condition
                and held.hold_out == config.hold_out
                and file.seed == seed
                and file.n >= n
                and file.image_size % config.size == 0
                and file.has("amodal")
            )
    except FileError:
        return False


def generalise(
    model: Monet,
    num_slots: int,
    folder: Path,
    *,
    n: int,
    seed: int,
    workers: int | None = None,
    cache: Cache,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: tuple[Kind, ...] = (),
) -> Generalisation:
    """Scores a model with `num_slots` slots, and the baselines, in each condition.

    Args:
        model: trained on the Objects Room.
        num_slots: slots to use, whatever the training had.
        folder: where test scenes lie or are rendered to.
        n: scenes of each condition.
        seed: of the test scenes.
        workers: processes that render.
        cache: where predictions are kept.
        conditions: some of `CONDITIONS`, with one of `COUNTS` at least.
        hold_out: kinds of objects that training held out; they add the conditions `HELD`.

    Raises:
        UsageError: `num_slots` is under 2 or `n` under 1.
    """
    if num_slots < 2:
        raise UsageError(f"--slots must be at least 2, got {num_slots}")
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    found, trained_slots = _Found(), model.config.num_slots
    conditions = (*conditions, *(HELD if hold_out else ()))
    with progress_bar() as progress:
        task = progress.add_task(f"{num_slots} slots", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=f"rendering {condition}")
            size = model.config.image_size
            path = scene_file(
                condition, size, folder, seed=seed, n=n, workers=workers, hold_out=hold_out
            )
            scenes = read_scenes(path, n, size)
            progress.update(task, note=f"scoring {condition}")
            given = cache.of_model(model, scenes.images, num_slots)
            compared = {}
            if condition in COMPARED:
                compared[REFINED] = cache.of_model(model, scenes.images, num_slots, ROUNDS)
                if num_slots != trained_slots:
                    compared[_TRAINED] = cache.of_model(model, scenes.images, trained_slots)
            made = {
                name: cache.of_baseline(name, segment, scenes.images)
                for name, segment in BASELINES.items()
            }
            found.add(condition, scenes, given, compared, made)
            if condition in PICTURED:
                images = scenes.images[: PICTURED[condition]]
                parts = cache.decompositions(model, images, num_slots)
                found.pictured.append(Pictured(condition, images, parts))
            progress.advance(task)
    return found.result(num_slots, trained_slots, n)


@dataclass
class _Found:
    """What has been scored so far: by row (the model and its kind, a baseline), then condition."""

    rows: dict[str, dict[str, dict[str, Statistic]]] = field(default_factory=dict)
    slot_use: dict[str, SlotUse] = field(default_factory=dict)
    objects: dict[str, list[ObjectsInView]] = field(default_factory=dict)
    pictured: list[Pictured] = field(default_factory=list)

    def add(
        self,
        condition: str,
        scenes: TestScenes,
        given: Predictions,
        compared: Mapping[str, Predictions],
        baselines: Mapping[str, Predictions],
    ) -> None:
        predictions = {_MODEL: given, **baselines}
        if condition in COUNTS:
            for row, made in predictions.items():
                self.objects.setdefault(row, []).append(objects_in_view(scenes, made))
        predictions |= compared
        decoded = decoded_masks(given)
        if decoded is not None:
            predictions[DECODED] = decoded
        values = {row: values_of(scenes, made) for row, made in predictions.items()}
        ceiling = ceiling_values(scenes)
        if ceiling is not None:
            values[_CEILING] = ceiling
        for row, scores in statistics_of_rows(values).items():
            self.rows.setdefault(row, {})[condition] = scores
        self.slot_use[condition] = slot_use(
            scenes.segmentation, given.segmentation, scenes.entities, given.num_slots
        )

    def result(self, num_slots: int, trained_slots: int, n: int) -> Generalisation:
        return Generalisation(
            num_slots=num_slots,
            n=n,
            model=self.rows[_MODEL],
            trained_slots=trained_slots,
            trained=self.rows.get(_TRAINED, {}),
            decoded=self.rows.get(DECODED, {}),
            refined=self.rows.get(REFINED, {}),
            baselines={name: self.rows[name] for name in BASELINES},
            ceilings=self.rows.get(_CEILING, {}),
            slot_use=self.slot_use,
            occlusion=occlusion(self.objects[_MODEL]),
            occlusion_of_baselines={name: occlusion(self.objects[name]) for name in BASELINES},
            pictured=tuple(self.pictured),
        )
