"""How a model trained on one to three objects fares with none to six, and with one colour for all.

The paper shows pictures of this (figures 4 and 8); here are numbers, with baselines beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import UsageError
from scenes.objects_room.kinds import Kind
from scenes.progress import progress_bar

from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput
from evaluation.predictions.models import (
    ROUNDS,
    Model,
    ScoredModel,
    scored_model,
    with_trained_slots,
)
from evaluation.scores.conditions import (
    COMPARED,
    CONDITIONS,
    COUNTS,
    DATA_FOLDER,
    HELD,
    rooms_size,
    scene_file,
)
from evaluation.scores.labels import DECODED, REFINED
from evaluation.scores.occlusion import ObjectsInView, objects_in_view, occlusion
from evaluation.scores.results import (
    AsTrained,
    Generalisation,
    ModelIdentity,
    OcclusionScores,
    SlotUse,
    Statistic,
)
from evaluation.scores.scoring import (
    TestScenes,
    ceiling_values,
    decoded_masks,
    read_scenes,
    statistics_of_rows,
    values_of,
)
from evaluation.scores.slot_use import slot_use

_MODEL, _TRAINED, _CEILING = "model", "trained slots", "ceiling"
PICTURED = {"test": 2, "objects_0": 1, "objects_6": 2, "identical_color": 2, "four_identical": 1}
"""Scenes of each condition that the picture shows."""


def generalise(
    model: Model | ScoredModel,
    slots: int = 9,
    *,
    n: int = 320,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: tuple[Kind, ...] = (),
    out: str | Path | None = None,
    workers: int | None = None,
    cache: Cache | None = None,
) -> Generalisation:
    """Scores a model with `slots` slots, and the baselines, in each condition.

    Example:
        >>> import evaluation
        >>> result = evaluation.generalise(
        ...     model, slots=5, n=2, data_folder="rooms", conditions=("test", "objects_6")
        ... )
        >>> result.conditions["objects_6"]["ari_fg"].count
        2
        >>> sorted(result.baselines)[0]
        '2 x 2 grid'

    Args:
        model: any `Model`; one that was trained on the Objects Room knows what it sees.
        slots: slots to use, whatever the training had.
        n: scenes of each condition.
        seed: of the test scenes; none of them is ever a training scene.
        data_folder: where test scenes lie; those that lack are rendered into it.
        conditions: some of `CONDITIONS`, with one of `COUNTS` at least.
        hold_out: kinds of objects that training held out; they add the conditions `HELD`.
        out: folder into which scores.json, pictures and plots are written; nothing is by default.
        workers: processes that render; one per core by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: `slots` is under 2 or `n` under 1.
        CommandError: what the model returns does not fit the images.
    """
    subject, cache, folder = scored_model(model), cache or Cache(None), Path(data_folder)
    slots = subject.slots(slots)
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    size = rooms_size(subject.image_size)
    scored = _ScoredConditions()
    conditions = (*conditions, *(HELD if hold_out else ()))
    with progress_bar() as progress:
        task = progress.add_task(f"{slots} slots", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=f"rendering {condition}")
            path = scene_file(
                condition, size, folder, seed=seed, n=n, workers=workers, hold_out=hold_out
            )
            progress.update(task, note=f"scoring {condition}")
            scored.add(condition, read_scenes(path, n, size), subject, slots, cache)
            progress.advance(task)
    result = scored.result(with_trained_slots(subject), slots, n, seed)
    if out is not None:
        from evaluation.figures.generalisation import write_generalisation

        pictured = read_pictured(
            subject, slots, folder, n=n, seed=seed, cache=cache, conditions=conditions
        )
        write_generalisation([result], [pictured], Path(out))
    return result


@dataclass(frozen=True)
class Pictured:
    """A few scenes of a condition and what a model makes of them."""

    condition: str
    images: UInt8[np.ndarray, "N H W 3"]
    output: ModelOutput


def read_pictured(
    model: ScoredModel,
    slots: int,
    folder: Path,
    *,
    n: int,
    seed: int,
    cache: Cache,
    conditions: Sequence[str] = CONDITIONS,
) -> tuple[Pictured, ...]:
    """Decomposes the first scenes of the conditions of `PICTURED`, which have been scored.

    Args:
        model: that was scored.
        slots: that it used.
        folder: where its test scenes lie.
        n: scenes of each condition.
        seed: of the test scenes.
        cache: where what the model makes of images is kept.
        conditions: that were scored.
    """
    size = rooms_size(model.image_size)
    pictured = []
    for condition in conditions:
        if condition in PICTURED:
            path = scene_file(condition, size, folder, seed=seed, n=n)
            images = read_scenes(path, min(n, PICTURED[condition]), size).images
            output = cache.decompositions(model, images, slots)
            pictured.append(Pictured(condition, images, output))
    return tuple(pictured)


@dataclass
class _ScoredConditions:
    """What has been scored so far: by row (the model and its kind, a baseline), then condition."""

    rows: dict[str, dict[str, dict[str, Statistic]]] = field(default_factory=dict)
    slot_use: dict[str, tuple[SlotUse, ...]] = field(default_factory=dict)
    objects: dict[str, list[ObjectsInView]] = field(default_factory=dict)

    def add(
        self,
        condition: str,
        scenes: TestScenes,
        model: ScoredModel,
        slots: int,
        cache: Cache,
    ) -> None:
        predictions = cache.of_model(model, scenes.images, slots)
        rows = {_MODEL: predictions} | {
            name: cache.of_baseline(name, segment, scenes.images)
            for name, segment in BASELINES.items()
        }
        if condition in COUNTS:
            for row, each in rows.items():
                self.objects.setdefault(row, []).append(objects_in_view(scenes, each))
        if condition in COMPARED and model.refines:
            rows[REFINED] = cache.of_model(model, scenes.images, slots, ROUNDS)
        if condition in COMPARED and model.num_slots not in (None, slots):
            rows[_TRAINED] = cache.of_model(model, scenes.images, model.num_slots)
        decoded = decoded_masks(predictions)
        if decoded is not None:
            rows[DECODED] = decoded
        values = {row: values_of(scenes, each) for row, each in rows.items()}
        ceiling = ceiling_values(scenes)
        if ceiling is not None:
            values[_CEILING] = ceiling
        for row, scores in statistics_of_rows(values).items():
            self.rows.setdefault(row, {})[condition] = scores
        self.slot_use[condition] = slot_use(
            scenes.segmentation, predictions.segmentation, scenes.entities, predictions.num_slots
        )

    def result(self, model: ModelIdentity, num_slots: int, n: int, seed: int) -> Generalisation:
        trained = self.rows.get(_TRAINED)
        as_trained = None
        if trained is not None and model.trained_slots is not None:
            as_trained = AsTrained(model.trained_slots, trained)
        return Generalisation(
            checkpoint=model,
            num_slots=num_slots,
            n=n,
            seed=seed,
            conditions=self.rows[_MODEL],
            as_trained=as_trained,
            decoded_masks=self.rows.get(DECODED, {}),
            refined=self.rows.get(REFINED, {}),
            baselines={name: self.rows[name] for name in BASELINES},
            ceilings=self.rows.get(_CEILING, {}),
            slot_use=self.slot_use,
            occlusion=OcclusionScores(
                occlusion(self.objects[_MODEL]),
                {name: occlusion(self.objects[name]) for name in BASELINES},
            ),
        )
