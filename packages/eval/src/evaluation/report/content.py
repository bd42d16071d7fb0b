"""Gathers the content of a report: runs, scores, and scenes to look into."""

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
from monet.weights import WEIGHTS
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.progress import in_turn

from evaluation.metrics.ari import has_room
from evaluation.predictions.cache import Cache
from evaluation.predictions.model_choice import check_has_scenes
from evaluation.predictions.models import ScoredModel
from evaluation.report.scene_cards import SceneCard, ShownScenes
from evaluation.report.sources import LoggedRun, ScoresFile, read_runs, read_scores
from evaluation.room_folder import RoomFolder
from evaluation.scores.conditions import rooms_in, rooms_size, title_of
from evaluation.scores.report_results import Report, ReportedModel
from evaluation.scores.result_files import rows_from_json
from evaluation.scores.results import ModelIdentity, Row
from evaluation.scores.scoring import check_request
from evaluation.scores.values import NAMES

OF_EACH_CONDITION = 3
"""Number of scenes that are shown of each condition."""
FIRST = "test"
"""The condition of which typical scenes, the worst and the best are shown."""
CONDITIONS = (FIRST, "objects_0", "objects_6", "identical_color", "four_identical")
"""Conditions whose scenes are shown."""
OF_ROOMS = ("ari_merged", "ari_paper")
"""Metrics of scenes with walls alone."""
PACKAGES = ("evaluation", "monet", "scenes", "torch", "numpy", "mujoco", "h5py")


@dataclass(frozen=True)
class ShownModel:
    """One of the models whose scenes can be looked into, side by side."""

    identity: ModelIdentity
    name: str
    """What the page calls it: its name, with its path where another has the same name."""
    image_size: int | None
    """Side in pixels of its images; `None` where it takes any."""
    num_slots: int | None
    """Slots of its training, where known."""
    dataset: str | None
    """Dataset that it was trained on, where known."""
    config: dict[str, Any] | None
    """Config of its training; `None` for other models than MONet."""
    recorded: Mapping[str, Row]
    """Scores that came with its weights, by row; empty where none did."""
    lacking: str = ""
    """Names the stand-ins for what the model does not give (`Drawable.note`)."""

    @property
    def title(self) -> str:
        """Its name, and training steps where they are known."""
        return replace(self.identity, name=self.name).title

    def has_scores(self, scored: ModelIdentity) -> bool:
        """Whether scores of `scored` are this model's, at its present step."""
        own = self.identity
        same = (scored.name, scored.step) == (own.name, own.step)
        return same and (self.name == own.name or scored.path == own.path)

    def reported(self) -> ReportedModel:
        """Returns the model's entry in report.json."""
        model = self.identity
        return ReportedModel(model.path, model.name, model.step, self.config)


@dataclass(frozen=True)
class ReportContent:
    """Everything that the page shows."""

    runs: tuple[LoggedRun, ...]
    scores: tuple[ScoresFile, ...]
    models: tuple[ShownModel, ...]
    """Models side by side; the first one's scores order the scenes."""
    num_slots: int
    metric: str
    """Score that orders the scenes from the worst to the best."""
    ranked: int
    """Number of scenes from which the typical, the worst and the best are taken."""
    scenes: tuple[SceneCard, ...]
    provenance: dict[str, Any]
    """The renderer of the scenes, and its versions."""
    left_out: tuple[str, ...] = ()
    """A line for each file that could not be read."""

    def summary(self) -> Report:
        """Returns the content of report.json."""
        first, *others = self.models
        return Report(
            versions=versions(),
            provenance=self.provenance,
            runs=tuple(run.summary for run in self.runs),
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
    """Returns the versions of Python and of packages on which scores depend."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def read_content(
    models: Sequence[ScoredModel],
    *,
    runs: Path,
    results: Path,
    data: Path | None,
    rooms: RoomFolder,
    num_slots: int,
    n: int,
    metric: str,
    cache: Cache,
) -> ReportContent:
    """Reads runs and scores, and decomposes the scenes that can be looked into.

    Args:
        models: models to look into, side by side; the first one's scores order the scenes.
        runs: a folder of run folders, or a run folder itself.
        results: folder below which files of scores lie.
        data: file whose scenes to show; by default the Objects Room's test scenes.
        rooms: folder of the Objects Room's test scenes.
        num_slots: slots to use.
        n: number of scenes from which the typical, the worst and the best are taken.
        metric: score that orders the scenes.
        cache: keeps decompositions.

    Raises:
        UsageError: a model was trained on other data than the Objects Room and `data` is missing,
            or a number or the metric is refused.
        CommandError: the scenes cannot be read, or a model's output does not fit them.
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
    test_scenes = rooms_in(rooms, n, rooms_size(_common_size(models)))
    cards: list[SceneCard] = []
    for condition in in_turn("scenes", [FIRST] if data else CONDITIONS):
        count = n if condition == FIRST else OF_EACH_CONDITION
        path = data or replace(test_scenes, n=count).file(condition)
        size = _common_size(models) if data else test_scenes.size
        shown = ShownScenes(models, num_slots, cache, path, count, size)
        if condition == FIRST:
            cards += shown.ranked_cards(metric)
        title = "scenes" if data else title_of(condition)
        cards += shown.cards(title, range(min(OF_EACH_CONDITION, count)))
    return ReportContent(
        runs=tuple(logged_runs),
        scores=tuple(scores),
        models=tuple(
            _shown(model, name, view.lacking)
            for model, name, view in zip(models, _names(models), cards[0].views, strict=True)
        ),
        num_slots=num_slots,
        metric=metric,
        ranked=n,
        scenes=tuple(cards),
        provenance=_provenance_of(path),
        left_out=tuple(left_out),
    )


def _provenance_of(path: Path) -> dict[str, Any]:
    with SceneFile(path) as file:
        provenance: dict[str, Any] = json.loads(file.provenance)
    return provenance


def _common_size(models: Sequence[ScoredModel]) -> int | None:
    """Returns a side of images that average down to every model's size; `None` if all take any."""
    sizes = [model.image_size for model in models if model.image_size is not None]
    return math.lcm(*sizes) if sizes else None


def _names(models: Sequence[ScoredModel]) -> list[str]:
    """Returns what the page calls each model."""
    names = [model.identity.name for model in models]
    return [
        name
        if names.count(name) == 1
        else f"{name} ({model.identity.path})".replace(f"/{WEIGHTS})", ")")
        for name, model in zip(names, models, strict=True)
    ]


def _shown(model: ScoredModel, name: str, lacking: str) -> ShownModel:
    weights = model.weights
    recorded: Mapping[str, Row] = {}
    if weights is not None and "scores" in weights.notes:
        recorded = rows_from_json(weights.notes["scores"], f"{weights.path}: scores")
    return ShownModel(
        identity=model.identity,
        name=name,
        image_size=model.image_size,
        num_slots=model.num_slots,
        dataset=model.dataset,
        config=None if weights is None else json.loads(config_to_json(weights.config)),
        recorded=recorded,
        lacking=lacking,
    )


def check_metric(metric: str, entities: Sequence[str] | None = None) -> None:
    """Refuses a metric that the scenes cannot have.

    Args:
        metric: the name of a score.
        entities: the scenes' entities, where they are known already.

    Raises:
        UsageError: there is no such metric, or these scenes have none of that name.
    """
    if metric not in NAMES:
        raise UsageError(f"--metric is one of {', '.join(sorted(NAMES))}, got {metric!r}")
    if metric in OF_ROOMS and entities is not None and not has_room(entities):
        raise UsageError(
            f"--metric {metric} is of scenes with walls and a sky, which these are not"
        )
