"""Writes the report as one HTML file that needs nothing else, and report.json beside it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from monet.step_count import steps_in_words
from monet.weights import SHIPPED
from scenes.atomic import write_whole
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.pictures.web_page import render_page

from evaluation.figures.colors import as_hex
from evaluation.report import plots, tables
from evaluation.report.content import ReportContent, ShownModel, versions
from evaluation.report.scene_cards import (
    SHOWN_SCORES,
    SLOT_ROW,
    TOP_ROW,
    VIEW_ROW,
    View,
    as_webp,
)
from evaluation.report.side_by_side import compare, results_of
from evaluation.report.sources import ScoresFile
from evaluation.scores.meanings import MEANINGS
from evaluation.scores.result_files import to_plain, write_result
from evaluation.scores.results import FileScores, Generalisation, ModelIdentity, Representation, Row

PAGE = "report.html"
ASSETS = "evaluation/report/assets"
LEADING = (
    ("test", "ari_fg", "On scenes as in training"),
    ("objects_6", "ari_fg", "With six objects in view"),
    ("identical_color", "ari_fg", "Where all objects have one colour"),
)
"""Condition, score and words of the sentences that the page begins with."""
BASELINE = "k-means on colour"
"""The baseline of those sentences."""
EXPLAINED = ("ari_fg", "ari", "ari_merged", "ari_paper", "msc", "recall", "count", "mse")
"""Scores in the page's legend; the others are explained where the pointer rests on them."""
LAST = ("loss", "nll", "ari", "ari_fg")
"""Last values of the log that the table of runs shows."""


@dataclass(frozen=True)
class Sentence:
    """One of the sentences that the page begins with: a score beside the baseline's."""

    model: str
    where: str
    slots: int
    name: str
    own: tables.Cell
    beside: tables.Cell | None


@dataclass(frozen=True)
class Fold:
    """A file of scores, folded until it is clicked."""

    path: str
    tables: Sequence[tables.PageTable] = ()
    text: str = ""
    """Text to show below the tables."""
    reason: str = ""
    """Why there are no tables."""


def write_report(content: ReportContent, folder: Path) -> list[Path]:
    """Writes the page and the JSON; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    write_whole(page, to_html(content).encode(errors="backslashreplace"))
    return [page, write_result(content.summary(), folder)]


def to_html(content: ReportContent) -> str:
    """Returns the page."""
    conditions = [
        (file, file.result) for file in content.scores if isinstance(file.result, Generalisation)
    ]
    labels = _labels(conditions)
    curves = dict(zip(labels, (result for _, result in conditions), strict=True))
    with_losses = [run for run in content.runs if any("nll" in row for row in run.rows)]
    others = [file for file in content.scores if not isinstance(file.result, Generalisation)]
    datasets = {model.dataset for model in content.models}
    words = {
        "content": content,
        "lacking": {m.name: m.lacking for m in content.models if m.lacking},
        "sentences": [one for model in content.models for one in _sentences(content, model)],
        "unscored": [
            model.name for model in content.models if not any(results_of(content.scores, model))
        ],
        "of_rooms": datasets <= {None, ObjectsRoomConfig.dataset},
        "checkpoint": _named(content.models[0].identity),
        "baseline": BASELINE,
        "side_by_side": compare(content),
        "indented": _indented,
        "meanings_of_all": MEANINGS,
        "meanings": {name: MEANINGS[name] for name in EXPLAINED},
        "score_legend": plots.score_legend(labels),
        "of_conditions": [Fold(f.path, tables.of_conditions(result)) for f, result in conditions],
        "other_scores": [_fold(file) for file in others],
        "score_plots": plots.plot_scores(curves),
        "loss_plots": plots.plot_losses(with_losses),
        "loss_legend": plots.loss_legend([run.summary.path for run in with_losses]),
        "runs": _table_of_runs(content),
        "versions": {"versions": versions(), "scenes rendered by": content.provenance},
        "refines": any(view.refines for card in content.scenes for view in card.views),
    }
    return render_page(
        f"{ASSETS}/{PAGE}",
        title=_title(content.models),
        styles=(
            "evaluation/assets/base.css",
            "evaluation/assets/document.css",
            f"{ASSETS}/report.css",
        ),
        scripts=(f"{ASSETS}/report.js",),
        data=_browsable(content),
        words=words,
    )


def _indented(content: object) -> str:
    return json.dumps(to_plain(content), indent=1)


def _browsable(content: ReportContent) -> dict[str, Any]:
    """Returns the data for the page's script: scenes, and their sheets as data addresses."""
    return {
        "size": max(len(card.sheet) for card in content.scenes),
        "models": [model.name for model in content.models],
        "meanings": {name: MEANINGS[name] for name in SHOWN_SCORES},
        "topRow": TOP_ROW,
        "scenes": [
            {
                "group": card.summary.group,
                "source": card.summary.source,
                "index": card.summary.index,
                "sheet": _address(card.sheet),
                "views": [_browsable_view(view) for view in card.views],
            }
            for card in content.scenes
        ],
    }


def _browsable_view(view: View) -> dict[str, Any]:
    summary = view.summary
    return {
        "scores": to_plain(summary.scores),
        "refined": to_plain(summary.refined),
        "slots": to_plain(summary.slots),
        "colors": as_hex(view.colors),
        "row": VIEW_ROW if view.refines else VIEW_ROW[:-1],
        "slotRow": SLOT_ROW if view.refines else SLOT_ROW[:-1],
        "sheet": _address(view.sheet),
    }


def _address(picture: UInt8[np.ndarray, "Y X 3"]) -> str:
    return "data:image/webp;base64," + b64encode(as_webp(picture)).decode()


def _title(models: Sequence[ShownModel]) -> str:
    """Returns the page's heading: the models that stand side by side."""
    label = models[0].identity.label
    if len(models) == 1 and label != models[0].name:
        return f"{label}: {models[0].name}"
    return " beside ".join(model.name for model in models)


def _sentences(content: ReportContent, model: ShownModel) -> list[Sentence]:
    """Returns the sentences on the scores of a shown model at its present step."""
    sentences, name = [], model.name
    own = list(results_of(content.scores, model))
    rooms = next((result for result in own if isinstance(result, Generalisation)), None)
    if rooms is not None:
        baseline = rooms.baselines.get(BASELINE, {})
        for condition, score, where in LEADING:
            row, beside = rooms.conditions.get(condition, {}), baseline.get(condition)
            sentences.append(_sentence(name, where, rooms.num_slots, score, row, beside))
    for result in own:
        if isinstance(result, FileScores):
            where = f"On {result.n:,} scenes of {result.data}"
            beside = result.baselines.get(BASELINE)
            sentences.append(
                _sentence(name, where, result.num_slots, "ari_fg", result.metrics, beside)
            )
    return sentences


def _sentence(
    model: str, where: str, slots: int, name: str, row: Row, beside: Row | None
) -> Sentence:
    baseline = None if beside is None else tables.cell(name, beside.get(name))
    return Sentence(model, where, slots, name, tables.cell(name, row.get(name)), baseline)


def _named(model: ModelIdentity) -> str:
    """Returns the value of `--checkpoint` for a model: a name of shipped weights, or a path."""
    if model.path is None or Path(model.path).parent == SHIPPED:
        return model.name
    return model.path


def _labels(conditions: Sequence[tuple[ScoresFile, Generalisation]]) -> list[str]:
    """Returns a name for each curve, with its path only where another has the same name."""
    names = [f"{result.checkpoint.name}, {result.num_slots} slots" for _, result in conditions]
    return [
        name if names.count(name) == 1 else f"{name} ({file.path})"
        for name, (file, _) in zip(names, conditions, strict=True)
    ]


def _fold(file: ScoresFile) -> Fold:
    if isinstance(file.result, FileScores):
        return Fold(file.path, [tables.of_file(file.result)])
    if isinstance(file.result, Representation):
        return Fold(file.path, tables.of_representation(file.result))
    return Fold(file.path, text=_indented(file.content), reason=file.reason)


def _table_of_runs(content: ReportContent) -> tables.PageTable | None:
    if not content.runs:
        return None
    return tables.table_of(
        "runs, and the last values that each logged of itself",
        ["run", "data", "trained for", *LAST],
        [
            (
                run.path,
                [
                    run.dataset,
                    steps_in_words(run.step, run.earlier_steps),
                    *(tables.number(run.last.get(k)) for k in LAST),
                ],
            )
            for run in (logged.summary for logged in content.runs)
        ],
    )
