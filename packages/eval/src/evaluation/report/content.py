"""What a report is made of: runs, scores, and scenes to look into."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monet.config_file import config_to_json
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.progress import in_turn

from evaluation.json_files import parse_json
from evaluation.metrics.ari import has_room
from evaluation.predictions.cache import Cache
from evaluation.predictions.model_choice import check_has_scenes
from evaluation.predictions.models import ScoredModel
from evaluation.report.scene_cards import SceneCard, ShownScenes
from evaluation.report.sources import LoggedRun, ScoresFile, read_runs, read_scores
from evaluation.scores.conditions import TestRooms, rooms_size, title_of
from evaluation.scores.report_results import Report, ReportedModel
from evaluation.scores.result_files import rows_from_json
from evaluation.scores.results import ModelIdentity, Row
from evaluation.scores.scoring import check_request
from evaluation.scores.values import NAMES

OF_EACH_CONDITION = 3
"""Scenes that are shown of each condition."""
FIRST = "test"
"""The condition in which scenes are typical, the worst and the best."""
CONDITIONS = (FIRST, "objects_0", "objects_6", "identical_color", "four_identical")
"""Whose scenes are shown."""
OF_ROOMS = ("ari_merged", "ari_paper")
"""Metrics that only scenes with walls have."""
PACKAGES = ("evaluation", "monet", "scenes", "torch", "numpy", "mujoco", "h5py")


@dataclass(frozen=True)
class ShownModel:
    """One of the models whose scenes can be looked into, side by side."""

    identity: ModelIdentity
    image_size: int | None
    """Pixels that its images have; `None` where it takes any."""
    num_slots: int | None
    """Slots of its training, where known."""
    dataset: str | None
    """What it was trained on, where known."""
    config: dict[str, Any] | None
    """Config of its training; `None` for another model than MONet."""
    recorded: Mapping[str, Row]
    """Scores that came with its weights, by row; empty where none did."""
    lacking: str = ""
    """What stands in for what the model does not give."""

    def reported(self) -> ReportedModel:
        """Returns what report.json holds of it."""
        model = self.identity
        return ReportedModel(model.path, model.name, model.step, self.config)


@dataclass(frozen=True)
class ReportContent:
    """Everything that the page shows."""

    runs: tuple[LoggedRun, ...]
    scores: tuple[ScoresFile, ...]
    models: tuple[ShownModel, ...]
    """Side by side; the scores of the first order the scenes."""
    num_slots: int
    metric: str
    """Orders the scenes from the worst to the best."""
    ranked: int
    """Number of scenes among which they are typical, the worst and the best."""
    scenes: tuple[SceneCard, ...]
    provenance: dict[str, Any]
    """What rendered the scenes."""
    left_out: tuple[str, ...] = ()
    """A line for each file that could not be read."""

    def summary(self) -> Report:
        """Returns what report.json holds."""
        first, *others = self.models
        return Report(
            versions=versions(),
            provenance=self.provenance,
            runs=tuple(run.summary() for run in self.runs),
            scores=tuple({"path": file.path, **file.content} for file in self.scores),
            left_out=self.left_out,
            checkpoint=first.reported(),
            beside=tuple(model.reported() for model in others),
            dataset=first.dataset,
            num_slots=self.num_slots,
            metric=self.metric,
            ranked=self.ranked,
            scenes=tuple(card.summary for card in self.scenes),
        )


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that made the scores."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def read_content(
    models: Sequence[ScoredModel],
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
        models: to look into, side by side; the first one's scores order the scenes.
        runs: folder with run folders in it; or one itself.
        results: folder below which the scores lie.
        data: file whose scenes to show; by default the Objects Room's test scenes.
        data_folder: where those lie or are rendered to.
        num_slots: slots to use.
        n: scenes among which the typical ones, the worst and the best are found.
        metric: what makes them so.
        seed: of the test scenes.
        cache: where decompositions are kept.
        workers: processes that render.

    Raises:
        UsageError: the data of a model are none of the Objects Room and no file is given, or a
            number or the metric is none that could be shown.
        CommandError: the scenes cannot be read, or what a model returns does not fit them.
    """
    check_metric(metric)
    check_request(num_slots, n, fewest=2)
    for model in models:
        check_has_scenes(model, data)
    if data is not None:
        with SceneFile(data) as file:
            check_metric(metric, file.entities)
    left_out: list[str] = []
    weights = [model.weights for model in models if model.weights is not None]
    logged_runs, scores = read_runs(runs, weights, left_out), read_scores(results, left_out)
    rooms = TestRooms(data_folder, seed, n, rooms_size(_common_size(models)), workers)
    cards: list[SceneCard] = []
    provenance: dict[str, Any] = {}
    for condition in in_turn("scenes", [FIRST] if data else CONDITIONS):
        count = n if condition == FIRST else OF_EACH_CONDITION
        path = data or replace(rooms, n=count).file(condition)
        size = _common_size(models) if data else rooms.size
        shown = ShownScenes(models, num_slots, cache, path, count, size)
        if condition == FIRST:
            cards += shown.ranked_cards(metric)
        title = "scenes" if data else title_of(condition)
        cards += shown.cards(title, range(min(OF_EACH_CONDITION, count)))
        with SceneFile(path) as file:
            provenance = parse_json(str(file.attributes["provenance"]), f"{path}: provenance")
    return ReportContent(
        runs=tuple(logged_runs),
        scores=tuple(scores),
        models=tuple(
            _shown(model, view.lacking) for model, view in zip(models, cards[0].views, strict=True)
        ),
        num_slots=num_slots,
        metric=metric,
        ranked=n,
        scenes=tuple(cards),
        provenance=provenance,
        left_out=tuple(left_out),
    )


def _common_size(models: Sequence[ScoredModel]) -> int | None:
    """Returns the side of images that average down to each model's; `None` where all take any."""
    sizes = [model.image_size for model in models if model.image_size is not None]
    return math.lcm(*sizes) if sizes else None


def _shown(model: ScoredModel, lacking: str) -> ShownModel:
    weights = model.weights
    recorded: Mapping[str, Row] = {}
    if weights is not None and "scores" in weights.notes:
        recorded = rows_from_json(weights.notes["scores"], f"{weights.path}: scores")
    return ShownModel(
        identity=model.identity,
        image_size=model.image_size,
        num_slots=model.num_slots,
        dataset=model.dataset,
        config=None if weights is None else json.loads(config_to_json(weights.config)),
        recorded=recorded,
        lacking=lacking,
    )


def check_metric(metric: str, entities: Sequence[str] | None = None) -> None:
    """Refuses what no scene has a score of.

    Args:
        metric: the name of a score.
        entities: names of those of the scenes, where they are known already.

    Raises:
        UsageError: there is no such metric, or none of these scenes.
    """
    if metric not in NAMES:
        raise UsageError(f"--metric is one of {', '.join(sorted(NAMES))}, got {metric!r}")
    if metric in OF_ROOMS and entities is not None and not has_room(entities):
        raise UsageError(
            f"--metric {metric} is of scenes with walls and a sky, which these are not"
        )
