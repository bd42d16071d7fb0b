"""Plots of how a model generalises: scores, what slots hold, and objects partly hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.decompositions import draw_decompositions
from evaluation.figures.panels import (
    BASELINE_DASHES,
    PLOTTED,
    color,
    draw_scores,
    interval_bars,
    marker,
)
from evaluation.figures.style import STYLE, save
from evaluation.scores.generalisation import Pictured
from evaluation.scores.labels import of_slots
from evaluation.scores.results import Generalisation, write_result

KIND_COLORS = {
    "sky": "#56B4E9",
    "walls": "#E69F00",
    "floor": "#8A8A8A",
    "background": "#8A8A8A",
    "objects": "#009E73",
}
SHOWN_USE = {
    "objects_0": "no object",
    "objects_3": "three objects",
    "objects_6": "six objects",
    "identical_color": "one colour",
}


def write_generalisation(
    results: Sequence[Generalisation], pictured: Sequence[Sequence[Pictured]], out: Path
) -> list[Path]:
    """Writes scores.json, pictures and plots of one model, those that its conditions suffice for.

    Args:
        results: each with another number of slots; where there are several, each has its folder.
        pictured: scenes and what the model makes of them, for each result.
        out: folder to write.

    Returns:
        Paths of the files.
    """
    written = []
    for result, scenes in zip(results, pictured, strict=True):
        folder = out if len(results) == 1 else out / f"slots_{result.num_slots}"
        written.append(write_result(result, folder))
        if scenes:
            written += save(draw_decompositions(scenes), folder / "decompositions")
        if SHOWN_USE.keys() & result.slot_use.keys():
            written += save(plot_slot_use(result), folder / "slot_use")
    written += save(plot_generalisation(results), out / "generalisation")
    written += save(plot_occlusion(results), out / "occlusion")
    return written


def plot_generalisation(results: Sequence[Generalisation]) -> Figure:
    """Plots scores against the number of objects, with the conditions of one colour beside.

    Args:
        results: of one model, each with another number of slots.
    """
    curves = {of_slots(result.checkpoint, result.num_slots): result for result in results}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(PLOTTED), 3.3), layout="constrained")
        panels = figure.subplots(1, len(PLOTTED), sharey=True)
        for axes, score in zip(panels, PLOTTED, strict=True):
            draw_scores(axes, curves, score)
        panels[0].set_ylabel("score, 95% intervals")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def plot_slot_use(result: Generalisation) -> Figure:
    """Plots which share of all pixels each slot takes, and of what."""
    shown = {c: title for c, title in SHOWN_USE.items() if c in result.slot_use}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(shown), 2.9), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        highest = 0.0
        for axes, (condition, title) in zip(panels, shown.items(), strict=True):
            use = result.slot_use[condition]
            numbers, below = np.arange(1, len(use) + 1), np.zeros(len(use))
            for kind in use[0].area:
                area = np.array([slot.area[kind] for slot in use])
                axes.bar(numbers, area, bottom=below, color=KIND_COLORS[kind], label=kind, lw=0)
                below += area
            for number, slot, top in zip(numbers, use, below, strict=True):
                words = f"{slot.used:.0%}"
                axes.text(number, top + 0.01, words, ha="center", fontsize=6, color="0.3")
            axes.set_title(title)
            axes.set_xlabel("slot")
            axes.set_xticks(numbers)
            highest = max(highest, below.max())
        panels[0].set_ylim(0, 1.12 * highest)
        panels[0].set_ylabel("share of all pixels;\nabove: scenes that use the slot")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def plot_occlusion(results: Sequence[Generalisation]) -> Figure:
    """Plots the share of objects found against how much of them is in view, and completion."""
    bins = results[0].occlusion.model.recall
    middles = [(recall.above + recall.to) / 2 for recall in bins]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for label, dashes in BASELINE_DASHES.items():
            means = [recall.mean for recall in results[0].occlusion.baselines[label].recall]
            left.plot(middles, means, color="0.45", lw=0.9, dashes=dashes, label=label)
        for index, result in enumerate(results):
            row = result.occlusion.model.recall
            left.errorbar(
                middles,
                [recall.mean for recall in row],
                yerr=interval_bars(row),
                color=color(index),
                marker=marker(index),
                ms=3.5,
                lw=1.5,
                capsize=2,
                label=of_slots(result.checkpoint, result.num_slots),
            )
        for recall in bins[:-1]:
            left.axvline(recall.to, color="0.9", lw=0.8, zorder=0)
        left.set_title("objects found")
        left.set_xlabel("share of the object in view")
        left.set_ylabel("recall, 95% intervals")
        left.set_xlim(0, 1)
        left.set_ylim(-0.04, 1.02)
        _draw_completion(right, results)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_completion(axes: Axes, results: Sequence[Generalisation]) -> None:
    """Draws how far masks overlap the full extents; nothing for a model that decodes no masks."""
    names = {
        "visible_fraction": "part in\nview",
        "attention_iou": "attention\nmask",
        "largest_iou": "decoded,\nlargest",
        "decoded_iou": "decoded,\nby itself",
    }
    places = np.arange(len(names))
    width = 0.7 / len(results)
    for index, result in enumerate(results):
        if not result.occlusion.model.completion:
            continue
        row = [result.occlusion.model.completion[name] for name in names]
        shift = width * (index - (len(results) - 1) / 2)
        axes.bar(
            places + shift,
            [statistic.mean for statistic in row],
            width * 0.9,
            yerr=interval_bars(row),
            capsize=2,
            color=color(index),
        )
    hidden = results[0].occlusion.model.completion_of_visible_fraction_to
    axes.set_title(f"objects at most {hidden:.0%} in view, and found")
    axes.set_ylabel("IoU with the full extent")
    axes.set_xticks(places, list(names.values()))
    axes.set_ylim(0, 1.02)
