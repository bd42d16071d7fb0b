"""The scores of whoever is scored, and of the baselines, in several conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from scenes.progress import progress_bar

from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.scores.benchmark_scenes import benchmark_scenes
from evaluation.scores.conditions import COUNTS, TestRooms, title_of
from evaluation.scores.labels import CEILING, DECODED, MODEL, REFINED, TRAINED
from evaluation.scores.occlusion import ObjectsInView, objects_in_view, occlusion
from evaluation.scores.results import (
    AsTrained,
    BenchmarkScenes,
    Generalisation,
    OcclusionScores,
    SlotUse,
    Statistic,
)
from evaluation.scores.rows import of_baselines, scores_of
from evaluation.scores.slot_use import slot_use
from evaluation.scores.subjects import Subject
from evaluation.scores.truth import TestScenes, read_scenes


def score_conditions(
    subject: Subject, conditions: Sequence[str], rooms: TestRooms, cache: Cache
) -> Generalisation:
    """Scores a subject and the baselines in each condition, rendering the scenes that lack.

    Args:
        subject: whoever is scored.
        conditions: with one of `COUNTS` at least.
        rooms: the scenes.
        cache: where what baselines make of images is kept.
    """
    scores = _ScoredConditions()
    with progress_bar() as progress:
        task = progress.add_task(f"{subject.num_slots} slots", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=f"rendering: {title_of(condition)}")
            path = rooms.file(condition)
            progress.update(task, note=f"scoring: {title_of(condition)}")
            scenes = scores.add(condition, read_scenes(path, rooms.n, rooms.size), subject, cache)
            scores.benchmarks[condition] = benchmark_scenes(path, scenes)
            progress.advance(task)
    return scores.result(subject, rooms)


@dataclass
class _ScoredConditions:
    """What has been scored so far: by row (the subject's own, a baseline), then condition."""

    rows: dict[str, dict[str, dict[str, Statistic]]] = field(default_factory=dict)
    slot_use: dict[str, tuple[SlotUse, ...]] = field(default_factory=dict)
    objects: dict[str, list[ObjectsInView]] = field(default_factory=dict)
    benchmarks: dict[str, BenchmarkScenes | None] = field(default_factory=dict)

    def add(self, condition: str, scenes: TestScenes, subject: Subject, cache: Cache) -> TestScenes:
        """Scores one condition; returns its scenes, with the pixels that were left out of them."""
        own = subject.rows(condition, scenes)
        predictions = own[MODEL]
        beside = of_baselines(scenes.images, cache)
        scenes = replace(scenes, ignored=predictions.ignored)
        if condition in COUNTS:
            for row, each in {MODEL: predictions, **beside}.items():
                self.objects.setdefault(row, []).append(objects_in_view(scenes, each))
        for row, scores in scores_of(scenes, own | beside).items():
            self.rows.setdefault(row, {})[condition] = scores
        self.slot_use[condition] = slot_use(
            scenes.counted, predictions.segmentation, scenes.entities, predictions.num_slots
        )
        return scenes

    def result(self, subject: Subject, rooms: TestRooms) -> Generalisation:
        """Returns the scores of all conditions."""
        trained, slots = self.rows.get(TRAINED), subject.identity.trained_slots
        return Generalisation(
            checkpoint=subject.identity,
            num_slots=subject.num_slots,
            n=rooms.n,
            seed=rooms.seed,
            conditions=self.rows[MODEL],
            as_trained=None if trained is None or slots is None else AsTrained(slots, trained),
            decoded_masks=self.rows.get(DECODED, {}),
            refined=self.rows.get(REFINED, {}),
            baselines={name: self.rows[name] for name in BASELINES},
            ceilings=self.rows.get(CEILING, {}),
            slot_use=self.slot_use,
            occlusion=OcclusionScores(
                occlusion(self.objects[MODEL]),
                {name: occlusion(self.objects[name]) for name in BASELINES},
            ),
            benchmarks={name: known for name, known in self.benchmarks.items() if known},
        )
