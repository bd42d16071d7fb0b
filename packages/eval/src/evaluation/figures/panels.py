"""Draws panels of plots: scores over numbers of objects, slot use, occlusion, losses over steps.

Figures and the report's page use these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from evaluation.scores.conditions import COUNTS, TITLES, TRAINED_ON
from evaluation.scores.results import Generalisation, Row, SlotUse, Statistic
from evaluation.training_log import Curve

PLOTTED = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores to plot, and the fewest objects for which each is defined."""
APART = ("identical_color", "four_identical")
"""Conditions that are plotted beside those with a number of objects."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)))
"""Styles of lines without markers: the losses of runs."""
BASELINES = {
    "2 x 2 grid": ((1.0, 1.5), "s"),
    "k-means on colour": ((4.0, 2.0), "x"),
    "k-means on colour and place": ((6.0, 1.5, 1.0, 1.5), "+"),
    "felzenszwalb": ((8.0, 2.0), "d"),
}
"""Dashes and marker of each baseline's grey line, which differ without colour."""
KIND_COLORS = {
    "sky": "#56B4E9",
    "walls": "#E69F00",
    "floor": "#8A8A8A",
    "background": "#8A8A8A",
    "objects": "#009E73",
}
"""Colours of kinds of entities."""
COMPLETION = {
    "visible_fraction": "part in\nview",
    "attention_iou": "attention\nmask",
    "largest_iou": "decoded,\nlargest",
    "decoded_iou": "decoded,\nby itself",
}
SETTLED = 10
"""The first tenth of a loss curve is left out of its panel's scale, because the first losses are so
much larger than all later ones."""


def color(index: int) -> str:
    """Returns the colour of a curve by its number."""
    return COLORS[index % len(COLORS)]


def curve_style(index: int) -> dict[str, Any]:
    """Returns the plot style of a model's curve by its number."""
    return {"color": color(index), "marker": MARKERS[index % len(MARKERS)], "ms": 3.5, "lw": 1.5}


def baseline_style(name: str) -> dict[str, Any]:
    """Returns the plot style of a baseline's curve."""
    dashes, shape = BASELINES[name]
    return {
        "color": "0.4",
        "lw": 0.9,
        "dashes": dashes,
        "marker": shape,
        "ms": 4,
        "markerfacecolor": "white",
        "mew": 0.8,
    }


def loss_style(index: int) -> dict[str, Any]:
    """Returns the plot style of a run's loss by its number."""
    return {"color": color(index), "ls": LINES[index % len(LINES)], "lw": 1.4}


def draw_scores(
    axes: Axes,
    results: Mapping[str, Generalisation],
    score: str,
    *,
    apart: Sequence[str] = APART,
) -> None:
    """Draws a score against the number of objects in view, with 95% intervals.

    Args:
        axes: to draw on.
        results: by label of their curve; the baselines are those of the first result.
        score: one of `PLOTTED`.
        apart: conditions to plot beside those with a number of objects.
    """
    counts = np.arange(PLOTTED[score], len(COUNTS))
    places = len(COUNTS) + 0.5 + 1.3 * np.arange(len(apart))
    axes.axvspan(
        TRAINED_ON[0] - 0.4, TRAINED_ON[1] + 0.4, color="0.92", lw=0, zorder=0, label="trained on"
    )
    first = next(iter(results.values()))
    for name in BASELINES:
        rows = first.baselines.get(name, {})
        style = baseline_style(name)
        axes.plot(counts, _means(rows, [COUNTS[c] for c in counts], score), label=name, **style)
        for place, mean in zip(places, _means(rows, list(apart), score), strict=True):
            axes.plot([place - 0.5, place, place + 0.5], [mean] * 3, **{**style, "markevery": [1]})
    for index, (label, result) in enumerate(results.items()):
        shift = 0.14 * (index - (len(results) - 1) / 2)  # bars must not hide each other
        for at, conditions, line, name in (
            (counts, [COUNTS[count] for count in counts], "-", label),
            (places, list(apart), "none", "_nolegend_"),
        ):
            row = [_statistic(result.conditions, condition, score) for condition in conditions]
            _draw_curve(axes, at + shift, row, index, name, line)
    if apart:
        axes.axvline(len(COUNTS) - 0.35, color="0.8", lw=0.8)
    axes.set_title(score)
    axes.set_xlabel("objects in view")
    axes.set_xticks(
        [*range(len(COUNTS)), *places],
        [*map(str, range(len(COUNTS))), *(TITLES[each].replace(" ", "\n") for each in apart)],
    )
    for tick in axes.get_xticklabels()[len(COUNTS) :]:
        tick.set_fontsize(7)
    axes.set_xlim(-0.5, places[-1] + 0.75 if apart else len(COUNTS) - 0.5)
    axes.set_ylim(-0.04, 1.02)


def draw_slot_use(axes: Axes, use: Sequence[SlotUse], title: str) -> float:
    """Draws each slot's share of all pixels, by kind of entity, and the share of scenes using it.

    Returns:
        The highest share.
    """
    numbers, below = np.arange(1, len(use) + 1), np.zeros(len(use))
    for kind in use[0].area:
        area = np.array([slot.area[kind] for slot in use])
        axes.bar(numbers, area, bottom=below, color=KIND_COLORS[kind], label=kind, lw=0)
        below += area
    for number, slot, top in zip(numbers, use, below, strict=True):
        axes.text(
            float(number), top + 0.01, f"{slot.used:.0%}", ha="center", fontsize=6, color="0.3"
        )
    axes.set_title(title)
    axes.set_xlabel("slot")
    axes.set_xticks(numbers)
    return float(below.max())


def draw_recall_in_view(axes: Axes, results: Mapping[str, Generalisation]) -> None:
    """Draws the share of objects found against how much of them is in view.

    Args:
        axes: to draw on.
        results: by label of their curve; the baselines are those of the first result.
    """
    occlusion = next(iter(results.values())).occlusion
    bins = occlusion.model.recall
    middles = np.array([(recall.above + recall.to) / 2 for recall in bins])
    for label in BASELINES:
        means = [recall.mean for recall in occlusion.baselines[label].recall]
        axes.plot(middles, means, label=label, **baseline_style(label))
    for index, (label, result) in enumerate(results.items()):
        _draw_curve(axes, middles, result.occlusion.model.recall, index, label)
    for recall in bins[:-1]:
        axes.axvline(recall.to, color="0.9", lw=0.8, zorder=0)
    axes.set_title("objects found")
    axes.set_xlabel("share of the object in view")
    axes.set_ylabel("recall, 95% intervals")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.04, 1.02)


def draw_completion(axes: Axes, results: Mapping[str, Generalisation]) -> None:
    """Draws how far masks overlap objects' full extents; a model without decoded masks has no bar.

    Args:
        axes: to draw on.
        results: by label of their curve.
    """
    places, width = np.arange(len(COMPLETION)), 0.7 / len(results)
    for index, result in enumerate(results.values()):
        if not result.occlusion.model.tells_completion:
            continue
        row = [result.occlusion.model.completion[name] for name in COMPLETION]
        axes.bar(
            places + width * (index - (len(results) - 1) / 2),
            [statistic.mean for statistic in row],
            width * 0.9,
            yerr=interval_bars(row),
            capsize=2,
            color=color(index),
        )
    hidden = next(iter(results.values())).occlusion.model.completion_of_visible_fraction_to
    axes.set_title(f"objects at most {hidden:.0%} in view, and found")
    axes.set_ylabel("IoU with the full extent")
    axes.set_xticks(places, list(COMPLETION.values()))
    axes.set_ylim(0, 1.02)


def draw_losses(
    axes: Axes,
    curves: Mapping[str, Curve],
    term: str,
    title: str,
    colors: Mapping[str, str] | None = None,
) -> None:
    """Draws a term of the loss against the steps of each run.

    Args:
        axes: to draw on.
        curves: by label.
        term: name of the term.
        title: of the panel.
        colors: by label; by default each curve's colour by its number.
    """
    later = []
    for index, (label, curve) in enumerate(curves.items()):
        values = curve.values[term]
        own = {} if colors is None else {"color": colors[label]}
        axes.plot(curve.steps, values, label=label, **{**loss_style(index), **own})
        settled = values[len(values) // SETTLED :]
        later.append(settled[np.isfinite(settled)])
    scale = np.concatenate(later) if later else np.empty(0)
    if len(scale):
        space = 0.06 * max(float(np.ptp(scale)), 1e-9)
        axes.set_ylim(scale.min() - space, scale.max() + space)
    axes.set_title(title, loc="left")
    axes.set_xlabel("step")


def _draw_curve(
    axes: Axes,
    at: np.ndarray,
    row: Sequence[Statistic],
    index: int,
    label: str,
    line: str = "-",
) -> None:
    """Draws the means of a curve with its number's colour and marker, and 95% intervals."""
    axes.errorbar(
        at,
        [statistic.mean for statistic in row],
        yerr=interval_bars(row),
        ls=line,
        capsize=2,
        label=label,
        **curve_style(index),
    )


def interval_bars(row: Sequence[Statistic]) -> np.ndarray:
    """Returns the distances of intervals' ends below and above the means; 0 where undefined."""
    means = np.array([s.mean for s in row])
    return np.nan_to_num([means - [s.low for s in row], [s.high for s in row] - means])


_UNDEFINED = Statistic(np.nan, np.nan, np.nan, np.nan, 0)


def _statistic(rows: Mapping[str, Row], condition: str, score: str) -> Statistic:
    return rows.get(condition, {}).get(score, _UNDEFINED)


def _means(rows: Mapping[str, Row], conditions: Sequence[str], score: str) -> list[float]:
    return [_statistic(rows, condition, score).mean for condition in conditions]
