"""Plots of how a model generalises: scores, what slots hold, and objects partly hidden."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures import STYLE
from evaluation.scores.generalisation import COUNTS, TRAINED_ON, Generalisation
from evaluation.scores.intervals import Statistic
from evaluation.scores.labels import of_slots
from evaluation.scores.occlusion import EDGES, PARTLY_HIDDEN

CURVES = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores of the plot, and the fewest objects for which each is defined."""
APART = {"identical_color": "one\ncolour", "four_identical": "four\nalike"}
"""Conditions that stand beside the numbers of objects."""
MODEL_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
MODEL_MARKERS = ("o", "s", "^", "D", "v")
BASELINE_DASHES = {
    "2 x 2 grid": (1.0, 1.5),
    "k-means on colour": (4.0, 2.0),
    "k-means on colour and place": (6.0, 1.5, 1.0, 1.5),
    "felzenszwalb": (8.0, 2.0),
}
KIND_COLORS = {
    "sky": "#56B4E9", "walls": "#E69F00", "floor": "#8A8A8A", "background": "#8A8A8A",
    "objects": "#009E73",
}  # fmt: skip
SHOWN_USE = {
    "objects_0": "no object",
    "objects_3": "three objects",
    "objects_6": "six objects",
    "identical_color": "one colour",
}


def plot_generalisation(results: Sequence[Generalisation]) -> Figure:
    """Plots scores against the number of objects, with the conditions of one colour beside.

    Args:
        results: of one model, each with another number of slots.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(CURVES), 3.3), layout="constrained")
        panels = figure.subplots(1, len(CURVES), sharey=True)
        for index, (axes, (name, fewest)) in enumerate(zip(panels, CURVES.items(), strict=True)):
            _panel(axes, results, name, fewest)
            if index == 0:
                axes.set_ylabel("score, 95% intervals")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _panel(axes: Axes, results: Sequence[Generalisation], name: str, fewest: int) -> None:
    conditions = [*COUNTS[fewest:], *APART]
    counts = np.arange(fewest, len(COUNTS))
    apart = len(COUNTS) + 0.5 + 1.3 * np.arange(len(APART))
    axes.axvspan(
        TRAINED_ON[0] - 0.4, TRAINED_ON[1] + 0.4, color="0.92", lw=0, zorder=0, label="trained on"
    )
    for label, dashes in BASELINE_DASHES.items():
        rows = results[0].baselines[label]
        means = [rows[condition][name].mean for condition in conditions]
        axes.plot(counts, means[: len(counts)], color="0.45", lw=0.9, dashes=dashes, label=label)
        for place, mean in zip(apart, means[len(counts) :], strict=True):
            axes.plot([place - 0.5, place + 0.5], [mean, mean], color="0.45", lw=0.9, dashes=dashes)
    for index, result in enumerate(results):
        color = MODEL_COLORS[index % len(MODEL_COLORS)]
        marker = MODEL_MARKERS[index % len(MODEL_MARKERS)]
        shift = 0.14 * (index - (len(results) - 1) / 2)  # so that bars do not hide each other
        scored = [result.model[condition][name] for condition in conditions]
        for places, row, line, label in (
            (counts, scored[: len(counts)], "-", of_slots(result.num_slots)),
            (apart, scored[len(counts) :], "none", "_nolegend_"),
        ):
            axes.errorbar(
                places + shift, [s.mean for s in row], yerr=_bars(row), color=color, marker=marker,
                ms=3.5, lw=1.5, ls=line, capsize=2, label=label,
            )  # fmt: skip
    axes.axvline(len(COUNTS) - 0.35, color="0.8", lw=0.8)
    axes.set_title(name)
    axes.set_xlabel("objects in view")
    axes.set_xticks([*range(len(COUNTS)), *apart], [*map(str, range(len(COUNTS))), *APART.values()])
    for tick in axes.get_xticklabels()[len(COUNTS) :]:
        tick.set_fontsize(7)
    axes.set_xlim(-0.5, apart[-1] + 0.75)
    axes.set_ylim(-0.04, 1.02)


def _bars(row: Sequence[Statistic]) -> np.ndarray:
    means = np.array([s.mean for s in row])
    return np.nan_to_num([means - [s.low for s in row], [s.high for s in row] - means])


def plot_slot_use(result: Generalisation) -> Figure:
    """Plots which share of all pixels each slot takes, and of what."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(SHOWN_USE), 2.9), layout="constrained")
        panels = figure.subplots(1, len(SHOWN_USE), sharey=True)
        numbers = np.arange(1, result.num_slots + 1)
        for axes, (condition, title) in zip(panels, SHOWN_USE.items(), strict=True):
            use = result.slot_use[condition]
            below = np.zeros(result.num_slots)
            for kind, area in zip(use.kinds, use.area.T, strict=True):
                axes.bar(numbers, area, bottom=below, color=KIND_COLORS[kind], label=kind, lw=0)
                below += area
            for number, used, top in zip(numbers, use.used, below, strict=True):
                axes.text(number, top + 0.01, f"{used:.0%}", ha="center", fontsize=6, color="0.3")
            axes.set_title(title)
            axes.set_xlabel("slot")
            axes.set_xticks(numbers)
        highest = max(result.slot_use[c].area.sum(1).max() for c in SHOWN_USE)
        panels[0].set_ylim(0, 1.12 * highest)
        panels[0].set_ylabel("share of all pixels;\nabove: scenes that use the slot")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def plot_occlusion(results: Sequence[Generalisation]) -> Figure:
    """Plots the share of objects found against how much of them is in view, and completion."""
    middles = (np.array(EDGES[:-1]) + EDGES[1:]) / 2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for label, dashes in BASELINE_DASHES.items():
            recall = [s.mean for s in results[0].occlusion_of_baselines[label].recall]
            left.plot(middles, recall, color="0.45", lw=0.9, dashes=dashes, label=label)
        for index, result in enumerate(results):
            color = MODEL_COLORS[index % len(MODEL_COLORS)]
            left.errorbar(
                middles, [s.mean for s in result.occlusion.recall],
                yerr=_bars(result.occlusion.recall), color=color,
                marker=MODEL_MARKERS[index % len(MODEL_MARKERS)], ms=3.5, lw=1.5, capsize=2,
                label=of_slots(result.num_slots),
            )  # fmt: skip
        for edge in EDGES[1:-1]:
            left.axvline(edge, color="0.9", lw=0.8, zorder=0)
        left.set_title("objects found")
        left.set_xlabel("share of the object in view")
        left.set_ylabel("recall, 95% intervals")
        left.set_xlim(0, 1)
        left.set_ylim(-0.04, 1.02)
        _completion(right, results)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4,
                      frameon=False)  # fmt: skip
    return figure


def _completion(axes: Axes, results: Sequence[Generalisation]) -> None:
    names = {
        "visible_fraction": "part in\nview",
        "attention_iou": "attention\nmask",
        "largest_iou": "decoded,\nlargest",
        "decoded_iou": "decoded,\nby itself",
    }
    places = np.arange(len(names))
    width = 0.7 / len(results)
    for index, result in enumerate(results):
        row = [result.occlusion.completion[name] for name in names]
        shift = width * (index - (len(results) - 1) / 2)
        axes.bar(
            places + shift, [s.mean for s in row], width * 0.9, yerr=_bars(row), capsize=2,
            color=MODEL_COLORS[index % len(MODEL_COLORS)],
        )  # fmt: skip
    axes.set_title(f"objects at most {PARTLY_HIDDEN:.0%} in view, and found")
    axes.set_ylabel("IoU with the full extent")
    axes.set_xticks(places, list(names.values()))
    axes.set_ylim(0, 1.02)
