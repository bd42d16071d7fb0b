"""The data of a report, which report.json holds and its page shows, pictures apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.scores.results import SCHEMA


@dataclass(frozen=True)
class ReportedRun:
    """A training run as the report lists it."""

    name: str
    path: str
    dataset: str
    step: int
    config: Mapping[str, Any]
    last: Mapping[str, Any]
    """The last value of everything that it logged."""
    earlier_steps: int = 0
    """Steps of the runs that it went on from."""


@dataclass(frozen=True)
class ReportedModel:
    """A model whose scenes the report shows."""

    path: str | None
    name: str
    step: int | None
    config: Mapping[str, Any] | None
    """Config of its training; `None` for other models than MONet."""


@dataclass(frozen=True)
class SlotSummary:
    """The content of a slot in one scene."""

    area: float
    """Share of the image's pixels where its mask is the largest."""
    holds: str | None
    """Entity with the most pixels in the slot; `None` where the slot is empty."""


@dataclass(frozen=True, kw_only=True)
class SceneView:
    """One model's decomposition of a scene that the report shows."""

    scores: Mapping[str, float]
    slots: tuple[SlotSummary, ...]
    refined: Mapping[str, float] = field(default_factory=dict)
    """Scores of the masks after MONet's VAE has corrected them; empty for other models."""


@dataclass(frozen=True, kw_only=True)
class SceneSummary(SceneView):
    """A scene that the report shows, with the first model's decomposition of it."""

    group: str
    source: str
    """Name of its file."""
    index: int
    """Row of the file."""
    beside: tuple[SceneView, ...] = ()
    """The other models' decompositions of it, in the order of the models."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the report's page shows, pictures apart."""

    schema: int = SCHEMA
    versions: Mapping[str, str]
    """Versions of Python and of the packages that made the report."""
    provenance: Mapping[str, Any]
    """The renderer of the scenes, and its versions."""
    runs: tuple[ReportedRun, ...]
    scores: tuple[Mapping[str, Any], ...]
    """Content of the files of scores, each with its `path`."""
    left_out: tuple[str, ...]
    """A line for each file that could not be read."""
    checkpoint: ReportedModel
    """The model whose scores order the scenes."""
    beside: tuple[ReportedModel, ...] = ()
    """The models beside it."""
    dataset: str | None
    """Dataset that this model was trained on, where known."""
    num_slots: int
    metric: str
    """Score that orders the scenes from the worst to the best."""
    ranked: int
    """Number of scenes from which the typical, the worst and the best are taken."""
    scenes: tuple[SceneSummary, ...]
