"""Compares the scores of a report's models, from files of scores or from the models' weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluation.figures.panels import BASELINES
from evaluation.report.content import ReportContent, ShownModel
from evaluation.report.sources import ScoresFile
from evaluation.report.tables import PageTable, beside_each_other
from evaluation.scores.labels import FURTHER, REFINED
from evaluation.scores.results import Conditions, FileScores, Generalisation, Row

CONDITION = "test"
RECORDED = "recorded with the weights"


def results_of(
    scores: Sequence[ScoresFile], model: ShownModel
) -> Iterator[Generalisation | FileScores]:
    """Yields the results in files of scores that are of a model at its present step."""
    for file in scores:
        result = file.result
        if not isinstance(result, Generalisation | FileScores) or result.checkpoint is None:
            continue
        if model.has_scores(result.checkpoint):
            yield result


def compare(content: ReportContent) -> PageTable | None:
    """Returns the models' scores side by side, baselines below them for each size of images.

    `None` where there are no scores, or one model alone whose files of scores the page has anyway.
    """
    first, *others = content.models
    if not others and any(results_of(content.scores, first)):
        return None
    rows: dict[str, Row] = {}
    baselines: dict[str, Row] = {}
    for model in content.models:
        own, beside = _rows(model, content.scores)
        rows |= own
        baselines |= beside
    return beside_each_other(rows | baselines) if rows else None


def _rows(model: ShownModel, scores: Sequence[ScoresFile]) -> tuple[dict[str, Row], dict[str, Row]]:
    """Returns a model's rows, and those of baselines.

    They are of its first generalisation, else as recorded with its weights.
    """
    pixels = "" if model.image_size is None else f", {model.image_size} pixels"
    for result in results_of(scores, model):
        if isinstance(result, Generalisation) and CONDITION in result.conditions:
            baselines = {
                f"{name}{pixels}": conditions[CONDITION]
                for name, conditions in result.baselines.items()
                if name in BASELINES and CONDITION in conditions
            }
            return _rows_of(result, model.name), baselines
    label = f"{model.name}, {model.num_slots} slots"
    titles = {"model": label, REFINED: f"{label}: {FURTHER[REFINED]}"}
    own = {
        f"{title} ({RECORDED})": model.recorded[row]
        for row, title in titles.items()
        if row in model.recorded
    }
    return own, {
        f"{name}{pixels}": model.recorded[name] for name in BASELINES if name in model.recorded
    }


def _rows_of(result: Generalisation, name: str) -> dict[str, Row]:
    """Returns a model's rows: with the slots that were scored, refined, and as in training."""
    label = f"{name}, {result.num_slots} slots"
    every: dict[str, Conditions] = {
        label: result.conditions,
        f"{label}: {FURTHER[REFINED]}": result.refined,
    }
    trained = result.as_trained
    if trained is not None:
        every[f"{name}, {trained.num_slots} slots as in training"] = trained.conditions
    return {name: rows[CONDITION] for name, rows in every.items() if CONDITION in rows}
