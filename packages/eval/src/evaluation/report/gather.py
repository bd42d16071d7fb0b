"""What a report is made of: runs, scores, and scenes to look into."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monet.training.run_log import METRICS
from monet.weights import CONFIG, WEIGHTS, Weights, read_weights
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar
from scenes.serialise import to_json

from evaluation.figures.decompositions import TITLES_OF_CONDITIONS
from evaluation.predictions.cache import Cache
from evaluation.report.browse import SceneCard, browse, worst_and_best
from evaluation.scores.generalisation import scene_file
from evaluation.scores.scoring import read_scenes, values_of

SCORES = ("scores.json", "representation.json")
EXTREMES = 4
"""Worst scenes, and best ones."""
OF_EACH_CONDITION = 3
PACKAGES = ("evaluation", "monet", "scenes", "torch", "numpy", "mujoco", "h5py")


@dataclass(frozen=True)
class Run:
    """A training run as its folder has it."""

    name: str
    path: str
    dataset: str
    step: int
    config: dict[str, Any]
    metrics: tuple[dict[str, Any], ...]
    """Rows of metrics.jsonl."""

    def as_json(self) -> dict[str, object]:
        """Returns it for report.json, with the last value of everything that it logged."""
        last: dict[str, Any] = {}
        for row in self.metrics:
            last.update(row)
        return {
            "name": self.name, "path": self.path, "dataset": self.dataset, "step": self.step,
            "config": self.config, "last": last,
        }  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """A scores.json, or another file of scores."""

    path: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    runs: tuple[Run, ...]
    scores: tuple[Scores, ...]
    checkpoint: dict[str, Any]
    """The model whose scenes can be looked into."""
    dataset: str
    """What it was trained on."""
    num_slots: int
    image_size: int
    metric: str
    """Orders the worst and the best scenes."""
    ranked: int
    """Number of scenes among which they are the worst and the best."""
    scenes: tuple[SceneCard, ...]
    provenance: dict[str, Any]
    """What rendered the scenes."""

    def as_json(self) -> dict[str, object]:
        """Returns what report.json holds."""
        return {
            "versions": {"python": platform.python_version()}
            | {package: version(package) for package in PACKAGES},
            "provenance": self.provenance,
            "runs": [run.as_json() for run in self.runs],
            "scores": [{"path": s.path, **s.content} for s in self.scores],
            "checkpoint": self.checkpoint,
            "dataset": self.dataset,
            "num_slots": self.num_slots,
            "metric": self.metric,
            "ranked": self.ranked,
            "scenes": [card.as_json() for card in self.scenes],
        }


def gather(
    weights: Weights,
    *,
    runs: Path,
    results: Path,
    data: Path | None,
    data_folder: Path,
    num_slots: int,
    n: int,
    metric: str,
    seed: int,
    cache: Cache,
    workers: int | None = None,
) -> Report:
    """Gathers runs and scores, and decomposes the scenes that can be looked into.

    Args:
        weights: the model to look into.
        runs: folder with run folders in it; or one itself.
        results: folder below which the scores lie.
        data: file whose scenes to show; by default the Objects Room's test scenes.
        data_folder: where those lie or are rendered to.
        num_slots: slots to use.
        n: scenes of which the worst and the best are shown.
        metric: what makes them so.
        seed: of the test scenes.
        cache: where decompositions are kept.
        workers: processes that render.

    Raises:
        UsageError: the model's data are none of the Objects Room and no file is given.
        CommandError: a file that is there cannot be read.
    """
    if data is None and weights.dataset != "objects_room":
        raise UsageError(
            f"{weights.path}: trained on {weights.dataset}; give a file of its scenes with --data"
        )
    listed, scores = tuple(read_runs(runs, weights)), tuple(read_scores(results))
    model = weights.model()
    size = model.config.image_size
    conditions = ["test"] if data else list(TITLES_OF_CONDITIONS)
    cards: list[SceneCard] = []
    with progress_bar() as progress:
        task = progress.add_task("scenes", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=condition)
            first = condition == "test"
            wanted = n if first else OF_EACH_CONDITION
            path = data or scene_file(
                condition, size, data_folder, seed=seed, n=wanted, workers=workers
            )
            scenes = read_scenes(path, wanted, size)
            title = "scenes" if data else TITLES_OF_CONDITIONS[condition]
            values = values_of(scenes, cache.of_model(model, scenes.images, num_slots))
            if metric not in values:
                raise UsageError(f"--metric is one of {', '.join(sorted(values))}, got {metric!r}")
            if first:
                worst, best = worst_and_best(metric, values[metric], EXTREMES)
                for label, rows in (("worst", worst), ("best", best)):
                    cards += browse(cache, model, num_slots, label, path.name, scenes, values, rows)
            few = range(min(OF_EACH_CONDITION, wanted))
            cards += browse(cache, model, num_slots, title, path.name, scenes, values, few)
            with SceneFile(path) as file:
                provenance = json.loads(file.attributes["provenance"])
            progress.advance(task)
    return Report(
        runs=listed,
        scores=scores,
        checkpoint={
            "path": str(weights.path), "name": weights.name, "step": weights.step,
            "config": json.loads(to_json(weights.config)),
        },
        dataset=weights.dataset,
        num_slots=num_slots,
        image_size=size,
        metric=metric,
        ranked=n,
        scenes=tuple(cards),
        provenance=provenance,
    )  # fmt: skip


def read_runs(folder: Path, shown: Weights) -> list[Run]:
    """Reads the runs in a folder, and the one that is shown wherever it lies.

    Raises:
        CommandError: a run's files are damaged.
    """
    places = {path.parent for path in folder.glob(f"*/{WEIGHTS}")}
    places |= {folder} if (folder / WEIGHTS).is_file() else set()
    places |= {shown.path.parent} if (shown.path.parent / CONFIG).is_file() else set()
    unique = {place.resolve(): place for place in sorted(places)}
    return [_read_run(place) for place in unique.values()]


def _read_run(folder: Path) -> Run:
    weights = read_weights(folder / WEIGHTS)
    config = json.loads(to_json(weights.config))
    metrics = _rows(folder / METRICS) if (folder / METRICS).is_file() else []
    return Run(folder.name, str(folder), weights.dataset, weights.step, config, tuple(metrics))


def _rows(path: Path) -> Sequence[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise CommandError(f"{path}: line {number} is no JSON") from error
    return rows


def read_scores(folder: Path) -> list[Scores]:
    """Reads every scores.json and representation.json below a folder, in the order of paths.

    Raises:
        CommandError: one of them is no JSON.
    """
    found = []
    for path in sorted(path for name in SCORES for path in folder.rglob(name)):
        try:
            found.append(Scores(str(path), json.loads(path.read_text())))
        except ValueError as error:
            raise CommandError(f"{path}: is no JSON") from error
    return found
