"""What a report is made of: runs, scores, and scenes to look into."""

from __future__ import annotations

import json
import platform
from collections import ChainMap
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monet.config_file import CONFIG, config_to_json
from monet.training.run_log import METRICS
from monet.weights import WEIGHTS, Weights, read_weights
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.progress import progress_bar

from evaluation.figures.decompositions import TITLES_OF_CONDITIONS
from evaluation.json_files import parse_json, read_json
from evaluation.metrics.ari import has_room
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import ScoredModel
from evaluation.report.scene_cards import SceneCard, SceneOutput
from evaluation.scores.conditions import rooms_size, scene_file
from evaluation.scores.result_files import REPRESENTATION, SCORES, Result, from_content
from evaluation.scores.results import ModelIdentity, Report, ReportedModel, ReportedRun
from evaluation.scores.scoring import check_request
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import NAMES
from evaluation.training_log import read_log

OF_EACH_CONDITION = 3
"""Scenes that are shown of each condition."""
OF_ROOMS = ("ari_merged", "ari_paper")
"""Metrics that only scenes with walls have."""
PACKAGES = ("evaluation", "monet", "scenes", "torch", "numpy", "mujoco", "h5py")


@dataclass(frozen=True)
class LoggedRun:
    """A training run as its folder has it."""

    name: str
    path: str
    dataset: str
    step: int
    config: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    """Rows of metrics.jsonl."""

    def summary(self) -> ReportedRun:
        """Returns it with the last value of everything that it logged."""
        last = dict(ChainMap(*reversed(self.rows)))
        return ReportedRun(self.name, self.path, self.dataset, self.step, self.config, last)


@dataclass(frozen=True)
class ScoresFile:
    """A scores.json, a representation.json, or another file of their names."""

    path: str
    content: dict[str, Any]
    """As it was read."""
    result: Result | None
    """What it holds; `None` where `reason` says why this version cannot read it."""
    reason: str = ""


@dataclass(frozen=True)
class ReportContent:
    """Everything that the page shows."""

    runs: tuple[LoggedRun, ...]
    scores: tuple[ScoresFile, ...]
    model: ModelIdentity
    """The model whose scenes can be looked into."""
    config: dict[str, Any] | None
    """Config of its training; `None` for another model than MONet."""
    dataset: str | None
    """What it was trained on, where known."""
    num_slots: int
    image_size: int
    metric: str
    """Orders the worst and the best scenes."""
    ranked: int
    """Number of scenes among which they are the worst and the best."""
    scenes: tuple[SceneCard, ...]
    provenance: dict[str, Any]
    """What rendered the scenes."""
    lacking: str = ""
    """What stands in for what the model does not give."""

    left_out: tuple[str, ...] = ()
    """A line for each file that could not be read."""

    def summary(self) -> Report:
        """Returns what report.json holds."""
        model = self.model
        return Report(
            versions=versions(),
            provenance=self.provenance,
            runs=tuple(run.summary() for run in self.runs),
            scores=tuple({"path": file.path, **file.content} for file in self.scores),
            left_out=self.left_out,
            checkpoint=ReportedModel(model.path, model.name, model.step, self.config),
            dataset=self.dataset,
            num_slots=self.num_slots,
            metric=self.metric,
            ranked=self.ranked,
            scenes=tuple(card.summary for card in self.scenes),
        )


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that made the scores."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def read_content(
    model: ScoredModel,
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
) -> ReportContent:
    """Reads runs and scores, and decomposes the scenes that can be looked into.

    Args:
        model: the model to look into.
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
        UsageError: the model's data are none of the Objects Room and no file is given, or a number
            or the metric is none that could be shown.
        CommandError: the scenes cannot be read, or what the model returns does not fit them.
    """
    check_metric(metric)
    check_request(num_slots, n, fewest=2)
    if data is None and model.dataset not in (None, ObjectsRoomConfig.dataset):
        raise UsageError(
            f"{model.identity.path}: trained on {model.dataset}; give a file of its scenes with "
            "--data"
        )
    left_out: list[str] = []
    logged_runs, scores = read_runs(runs, model.weights, left_out), read_scores(results, left_out)
    conditions = ["test"] if data else list(TITLES_OF_CONDITIONS)
    cards: list[SceneCard] = []
    with progress_bar() as progress:
        task = progress.add_task("scenes", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=condition)
            first = condition == "test"
            count = n if first else OF_EACH_CONDITION
            path = data or scene_file(
                condition,
                rooms_size(model.image_size),
                data_folder,
                seed=seed,
                n=count,
                workers=workers,
            )
            size = model.image_size or (None if data else rooms_size(None))
            scenes = read_scenes(path, count, size)
            check_metric(metric, scenes)
            title = "scenes" if data else TITLES_OF_CONDITIONS[condition]
            output = SceneOutput(model, num_slots, cache, scenes, path)
            if first:
                cards += output.extreme_cards(metric)
            cards += output.cards(title, range(min(OF_EACH_CONDITION, count)))
            with SceneFile(path) as file:
                provenance = parse_json(str(file.attributes["provenance"]), f"{path}: provenance")
            progress.advance(task)
    return ReportContent(
        runs=tuple(logged_runs),
        scores=tuple(scores),
        model=model.identity,
        config=None if model.weights is None else json.loads(config_to_json(model.weights.config)),
        dataset=model.dataset,
        num_slots=num_slots,
        image_size=cards[0].image_size,
        metric=metric,
        ranked=n,
        scenes=tuple(cards),
        provenance=provenance,
        lacking=cards[0].lacking,
        left_out=tuple(left_out),
    )


def check_metric(metric: str, scenes: TestScenes | None = None) -> None:
    """Refuses what no scene has a score of.

    Args:
        metric: the name of a score.
        scenes: those to be scored, where they are known already.

    Raises:
        UsageError: there is no such metric, or none of these scenes.
    """
    if metric not in NAMES:
        raise UsageError(f"--metric is one of {', '.join(sorted(NAMES))}, got {metric!r}")
    if metric in OF_ROOMS and scenes is not None and not has_room(scenes.entities):
        raise UsageError(
            f"--metric {metric} is of scenes with walls and a sky, which these are not"
        )


def read_runs(folder: Path, shown: Weights | None, left_out: list[str]) -> list[LoggedRun]:
    """Reads the runs in a folder, and the one that is shown wherever it lies.

    Args:
        folder: with run folders in it; or one itself.
        shown: weights of the model that is shown.
        left_out: gets a line for each run whose files cannot be read.
    """
    places = {path.parent for path in folder.glob(f"*/{WEIGHTS}")}
    places |= {folder} if (folder / WEIGHTS).is_file() else set()
    if shown is not None and (shown.path.parent / CONFIG).is_file():
        places.add(shown.path.parent)
    unique = {place.resolve(): place for place in sorted(places)}
    runs = []
    for place in unique.values():
        try:
            runs.append(_read_run(place))
        except (CommandError, UsageError) as error:
            left_out.append(str(error))
    return runs


def _read_run(folder: Path) -> LoggedRun:
    weights = read_weights(folder / WEIGHTS)
    config = json.loads(config_to_json(weights.config))
    rows = read_log(folder / METRICS) if (folder / METRICS).exists() else ()
    return LoggedRun(folder.name, str(folder), weights.dataset, weights.step, config, rows)


def read_scores(folder: Path, left_out: list[str]) -> list[ScoresFile]:
    """Reads every scores.json and representation.json below a folder, in the order of paths.

    Args:
        folder: below which they lie.
        left_out: gets a line for each that is none.
    """
    files = []
    for path in sorted(path for name in (SCORES, REPRESENTATION) for path in folder.rglob(name)):
        try:
            content = read_json(path)
            if not isinstance(content, dict):
                raise CommandError(f"{path}: expected an object, got {type(content).__name__}")
        except CommandError as error:
            left_out.append(str(error))
            continue
        try:
            files.append(ScoresFile(str(path), content, from_content(content)))
        except ValueError as error:
            files.append(ScoresFile(str(path), content, None, str(error)))
    return files
