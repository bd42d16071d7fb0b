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
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import ScoredModel
from evaluation.report.scene_cards import SceneCard, SceneOutput
from evaluation.scores.conditions import rooms_size, scene_file
from evaluation.scores.results import (
    REPRESENTATION,
    SCORES,
    ModelIdentity,
    Result,
    from_content,
)
from evaluation.scores.scoring import read_scenes
from evaluation.training_log import read_log

OF_EACH_CONDITION = 3
"""Scenes that are shown of each condition."""
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
    earlier_steps: int = 0
    """Steps of the runs that it went on from."""

    @property
    def last(self) -> dict[str, Any]:
        """The last value of everything that it logged."""
        return dict(ChainMap(*reversed(self.rows)))

    def as_json(self) -> dict[str, object]:
        """Returns it for report.json."""
        kept = ("name", "path", "dataset", "step", "config")
        return {key: getattr(self, key) for key in kept} | {"last": self.last}


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

    def as_json(self) -> dict[str, object]:
        """Returns what report.json holds."""
        return {
            "versions": versions(),
            "provenance": self.provenance,
            "runs": [run.as_json() for run in self.runs],
            "scores": [{"path": file.path, **file.content} for file in self.scores],
            "checkpoint": {
                "path": self.model.path,
                "name": self.model.name,
                "step": self.model.step,
                "config": self.config,
            },
            "dataset": self.dataset,
            "num_slots": self.num_slots,
            "metric": self.metric,
            "ranked": self.ranked,
            "scenes": [card.as_json() for card in self.scenes],
        }


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
        UsageError: the model's data are none of the Objects Room and no file is given.
        CommandError: a file that is there cannot be read.
    """
    if data is None and model.dataset not in (None, ObjectsRoomConfig.dataset):
        raise UsageError(
            f"{model.identity.path}: trained on {model.dataset}; give a file of its scenes with "
            "--data"
        )
    listed, scores = tuple(read_runs(runs, model.weights)), tuple(read_scores(results))
    conditions = ["test"] if data else list(TITLES_OF_CONDITIONS)
    cards: list[SceneCard] = []
    with progress_bar() as progress:
        task = progress.add_task("scenes", total=len(conditions), note="")
        for condition in conditions:
            progress.update(task, note=condition)
            first = condition == "test"
            wanted = n if first else OF_EACH_CONDITION
            path = data or scene_file(
                condition,
                rooms_size(model.image_size),
                data_folder,
                seed=seed,
                n=wanted,
                workers=workers,
            )
            size = model.image_size or (None if data else rooms_size(None))
            scenes = read_scenes(path, wanted, size)
            title = "scenes" if data else TITLES_OF_CONDITIONS[condition]
            output = SceneOutput(model, num_slots, cache, scenes, path)
            if first:
                cards += output.extreme_cards(metric)
            cards += output.cards(title, range(min(OF_EACH_CONDITION, wanted)))
            with SceneFile(path) as file:
                provenance = json.loads(file.attributes["provenance"])
            progress.advance(task)
    return ReportContent(
        runs=listed,
        scores=scores,
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
    )


def read_runs(folder: Path, shown: Weights | None) -> list[LoggedRun]:
    """Reads the runs in a folder, and the one that is shown wherever it lies.

    Raises:
        CommandError: a run's files are damaged.
    """
    places = {path.parent for path in folder.glob(f"*/{WEIGHTS}")}
    places |= {folder} if (folder / WEIGHTS).is_file() else set()
    if shown is not None and (shown.path.parent / CONFIG).is_file():
        places.add(shown.path.parent)
    unique = {place.resolve(): place for place in sorted(places)}
    return [_read_run(place) for place in unique.values()]


def _read_run(folder: Path) -> LoggedRun:
    weights = read_weights(folder / WEIGHTS)
    config = json.loads(config_to_json(weights.config))
    rows = read_log(folder / METRICS) if (folder / METRICS).is_file() else ()
    return LoggedRun(
        folder.name,
        str(folder),
        weights.dataset,
        weights.step,
        config,
        rows,
        weights.earlier_steps,
    )


def read_scores(folder: Path) -> list[ScoresFile]:
    """Reads every scores.json and representation.json below a folder, in the order of paths.

    Raises:
        CommandError: one of them is no JSON.
    """
    files = []
    for path in sorted(path for name in (SCORES, REPRESENTATION) for path in folder.rglob(name)):
        try:
            content = json.loads(path.read_text())
        except ValueError as error:
            raise CommandError(f"{path}: is no JSON") from error
        try:
            files.append(ScoresFile(str(path), content, from_content(content)))
        except ValueError as error:
            files.append(ScoresFile(str(path), content, None, str(error)))
    return files
