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
from scenes.objects_room.kinds import Kind, parse_kind
from scenes.progress import in_turn, progress_bar

from evaluation.folders import check_writable
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
from evaluation.scores.benchmark_scenes import benchmark_scenes
from evaluation.scores.conditions import (
    COMPARED,
    CONDITIONS,
    COUNTS,
    DATA_FOLDER,
    HELD,
    TestRooms,
    hold_out_of,
    rooms_size,
    title_of,
)
from evaluation.scores.labels import DECODED, REFINED
from evaluation.scores.occlusion import ObjectsInView, objects_in_view, occlusion
from evaluation.scores.results import (
    AsTrained,
    BenchmarkScenes,
    Generalisation,
    ModelIdentity,
    OcclusionScores,
    SlotUse,
    Statistic,
)
from evaluation.scores.scoring import check_request
from evaluation.scores.slot_use import slot_use
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import ceiling_values, decoded_masks, statistics_of_rows, values_of

_MODEL, _TRAINED, _CEILING = "model", "trained slots", "ceiling"
SHOWN = {"test": 2, "objects_0": 1, "objects_6": 2, "identical_color": 2, "four_identical": 1}
"""Scenes of each condition that the picture shows."""


def generalise(
    model: Model | ScoredModel,
    slots: int = 9,
    *,
    n: int = 320,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: Sequence[Kind | str] | None = (),
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
        hold_out: kinds of objects that training held out, such as "shape=sphere"; they add the
            conditions `HELD`. `None` takes those of the training file, where it is still there.
        out: folder into which scores.json, pictures and plots are written; nothing is by default.
        workers: processes that render; one per core by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: there cannot be so many slots, `n` is under 1, or a condition is none.
        CommandError: what the model returns does not fit the images.
    """
    if out is not None:
        check_writable(Path(out))
    subject, cache = scored_model(model), cache or Cache(None)
    (result,) = generalise_each(
        subject,
        (slots,),
        n=n,
        seed=seed,
        data_folder=data_folder,
        conditions=conditions,
        hold_out=hold_out,
        workers=workers,
        cache=cache,
    )
    if out is not None:
        from evaluation.figures.condition_plots import write_generalisation

        write_generalisation(subject, [result], Path(out), Path(data_folder), cache)
    return result


def generalise_each(
    model: ScoredModel,
    slots: Sequence[int],
    *,
    n: int = 320,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: Sequence[Kind | str] | None = (),
    workers: int | None = None,
    cache: Cache,
) -> list[Generalisation]:
    """Scores a model with each of several numbers of slots; see `generalise`.

    Raises:
        UsageError: as from `generalise`, or a number of slots is named twice.
    """
    if not slots or len(set(slots)) < len(slots):
        raise UsageError("--slots must name different numbers")
    for number in slots:
        check_request(number, n)
    kinds = (
        hold_out_of(model.data)
        if hold_out is None
        else tuple(parse_kind(kind) if isinstance(kind, str) else kind for kind in hold_out)
    )
    for condition in conditions:
        if condition not in CONDITIONS:
            raise UsageError(f"conditions are {', '.join(CONDITIONS)}, got {condition!r}")
    if not set(conditions) & set(COUNTS):
        raise UsageError(f"one condition at least must be of {', '.join(COUNTS)}")
    return [
        _generalise(
            model,
            number,
            (*conditions, *(HELD if kinds else ())),
            TestRooms(Path(data_folder), seed, n, rooms_size(model.image_size), workers, kinds),
            cache,
        )
        for number in slots
    ]


def _generalise(
    model: ScoredModel, slots: int, conditions: Sequence[str], rooms: TestRooms, cache: Cache
) -> Generalisation:
    scores = _ScoredConditions()
    with progress_bar() as progress:
        task = progress.add_task(f"{slots} slots", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=f"rendering: {title_of(condition)}")
            path = rooms.file(condition)
            progress.update(task, note=f"scoring: {title_of(condition)}")
            scenes = read_scenes(path, rooms.n, rooms.size)
            scores.add(condition, scenes, model, slots, cache)
            scores.benchmarks[condition] = benchmark_scenes(path, scenes)
            progress.advance(task)
    return scores.result(with_trained_slots(model), slots, rooms.n, rooms.seed)


@dataclass(frozen=True)
class ExampleScenes:
    """A few scenes of a condition and what a model makes of them."""

    condition: str
    images: UInt8[np.ndarray, "N H W 3"]
    output: ModelOutput


def example_scenes(
    model: ScoredModel, result: Generalisation, folder: Path, cache: Cache
) -> tuple[ExampleScenes, ...]:
    """Decomposes the first scenes of the conditions of `SHOWN` that were scored.

    Args:
        model: that was scored.
        result: its scores.
        folder: where the scenes lie that were scored.
        cache: where what the model makes of images is kept.
    """
    rooms = TestRooms(folder, result.seed, result.n, rooms_size(model.image_size))
    examples = []
    for condition in result.conditions:
        if condition in SHOWN:
            count = min(rooms.n, SHOWN[condition])
            images = read_scenes(rooms.file(condition), count, rooms.size).images
            output = cache.decompositions(model, images, result.num_slots)
            examples.append(ExampleScenes(condition, images, output))
    return tuple(examples)


@dataclass
class _ScoredConditions:
    """What has been scored so far: by row (the model and its kind, a baseline), then condition."""

    rows: dict[str, dict[str, dict[str, Statistic]]] = field(default_factory=dict)
    slot_use: dict[str, tuple[SlotUse, ...]] = field(default_factory=dict)
    objects: dict[str, list[ObjectsInView]] = field(default_factory=dict)
    benchmarks: dict[str, BenchmarkScenes | None] = field(default_factory=dict)

    def add(
        self,
        condition: str,
        scenes: TestScenes,
        model: ScoredModel,
        slots: int,
        cache: Cache,
    ) -> None:
        predictions = cache.of_model(model, scenes.images, slots)
        rows = {_MODEL: predictions}
        for name in in_turn("baselines", list(BASELINES)):
            rows[name] = cache.of_baseline(name, BASELINES[name], scenes.images)
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
            benchmarks={name: known for name, known in self.benchmarks.items() if known},
        )
