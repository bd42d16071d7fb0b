"""Plots how a model generalises: scores, slot use, and objects that are partly hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.decompositions import draw_decompositions
from evaluation.figures.panels import (
    KIND_COLORS,
    PLOTTED,
    draw_completion,
    draw_recall_in_view,
    draw_scores,
    draw_slot_use,
)
from evaluation.figures.style import STYLE, save
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import ScoredModel
from evaluation.scores.conditions import title_of
from evaluation.scores.example_scenes import example_scenes
from evaluation.scores.labels import of_slots
from evaluation.scores.predicted_conditions import PredictedConditions
from evaluation.scores.result_files import write_result
from evaluation.scores.results import Generalisation

SHOWN_USE = ("objects_0", "objects_3", "objects_6", "identical_color")
"""Conditions whose slots are plotted."""


def write_generalisation(
    model: ScoredModel | PredictedConditions,
    results: Sequence[Generalisation],
    out: Path,
    data_folder: Path,
    cache: Cache,
) -> list[Path]:
    """Writes scores.json, pictures and plots of one model, as far as its conditions suffice.

    Args:
        model: that was scored, or the masks.
        results: each with another number of slots; several get a folder each.
        out: folder to write.
        data_folder: folder of the scenes that were scored.
        cache: keeps the model's decompositions.

    Returns:
        Paths of the files.
    """
    paths = []
    for result in results:
        folder = out if len(results) == 1 else out / f"slots_{result.num_slots}"
        paths.append(write_result(result, folder))
        scenes = example_scenes(model, result, data_folder, cache)
        if scenes:
            title = f"{result.checkpoint.title}, {result.num_slots} slots"
            paths += save(draw_decompositions(scenes, title), folder / "decompositions")
        if set(SHOWN_USE) & result.slot_use.keys():
            paths += save(plot_slot_use(result), folder / "slot_use")
    paths += save(plot_generalisation(results), out / "generalisation")
    paths += save(plot_occlusion(results), out / "occlusion")
    return paths


def plot_generalisation(results: Sequence[Generalisation]) -> Figure:
    """Plots scores against the number of objects, with the conditions of one colour beside.

    Args:
        results: of one model, each with another number of slots.
    """
    curves = _labelled(results)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(PLOTTED), 3.3), layout="constrained")
        panels = figure.subplots(1, len(PLOTTED), sharey=True)
        for axes, score in zip(panels, PLOTTED, strict=True):
            draw_scores(axes, curves, score)
        panels[0].set_ylabel("score, 95% intervals")
        _add_legend(figure, panels[-1], 4)
    return figure


def plot_slot_use(result: Generalisation) -> Figure:
    """Plots the share of all pixels that each slot takes, by kind of entity."""
    shown = [condition for condition in SHOWN_USE if condition in result.slot_use]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(shown), 2.9), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        highest = max(
            draw_slot_use(axes, result.slot_use[condition], title_of(condition))
            for axes, condition in zip(panels, shown, strict=True)
        )
        panels[0].set_ylim(0, 1.12 * highest)
        panels[0].set_ylabel("share of all pixels;\nabove: scenes that use the slot")
        _add_legend(figure, panels[-1], len(KIND_COLORS))
    return figure


def plot_occlusion(results: Sequence[Generalisation]) -> Figure:
    """Plots the share of objects found against how much of them is in view, and completion.

    Completion is left out where no model decodes masks, or no object is both hidden and found.
    """
    curves = _labelled(results)
    beside = any(result.occlusion.model.tells_completion for result in results)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.3) if beside else (5.6, 3.6), layout="constrained")
        if beside:
            recall, overlaps = figure.subplots(1, 2, width_ratios=(3, 2))
            draw_completion(overlaps, curves)
        else:
            recall = figure.subplots()
        draw_recall_in_view(recall, curves)
        _add_legend(figure, recall, 4 if beside else 2)
    return figure


def _labelled(results: Sequence[Generalisation]) -> dict[str, Generalisation]:
    return {of_slots(result.checkpoint, result.num_slots): result for result in results}


def _add_legend(figure: Figure, panel: Axes, columns: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
