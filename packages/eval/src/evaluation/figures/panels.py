"""Panels of plots: scores against the number of objects, and losses against steps.

Figures and the report's page draw with these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from evaluation.scores.conditions import COUNTS, TRAINED_ON
from evaluation.scores.results import Generalisation, Row, Statistic
from evaluation.training_log import Curve

PLOTTED = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores that are plotted, and the fewest objects for which each is defined."""
APART = {"identical_color": "one\ncolour", "four_identical": "four\nalike"}
"""Conditions that stand beside the numbers of objects."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
BASELINE_DASHES = {
    "2 x 2 grid": (1.0, 1.5),
    "k-means on colour": (4.0, 2.0),
    "k-means on colour and place": (6.0, 1.5, 1.0, 1.5),
    "felzenszwalb": (8.0, 2.0),
}
SETTLED = 10
"""One step in so many from the beginning is left out of a loss panel's scale: the first steps are
far off the scale of everything after them."""


def color(index: int) -> str:
    """Returns the colour of a curve by its number."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> str:
    """Returns the marker of a curve by its number."""
    return MARKERS[index % len(MARKERS)]


def draw_scores(
    axes: Axes,
    results: Mapping[str, Generalisation],
    score: str,
    *,
    baselines: Sequence[str] = tuple(BASELINE_DASHES),
    apart: Mapping[str, str] = APART,
) -> None:
    """Draws a score against the number of objects in view, with 95% intervals.

    Args:
        axes: where to draw.
        results: by label of their curve; the baselines are those of the first one.
        score: one of `PLOTTED`.
        baselines: which to draw beside.
        apart: conditions that stand beside the numbers of objects, and their labels.
    """
    counts = np.arange(PLOTTED[score], len(COUNTS))
    places = len(COUNTS) + 0.5 + 1.3 * np.arange(len(apart))
    axes.axvspan(
        TRAINED_ON[0] - 0.4, TRAINED_ON[1] + 0.4, color="0.92", lw=0, zorder=0, label="trained on"
    )
    first = next(iter(results.values()))
    for name in baselines:
        rows = first.baselines.get(name, {})
        style: dict[str, Any] = {"color": "0.45", "lw": 0.9, "dashes": BASELINE_DASHES[name]}
        axes.plot(counts, _means(rows, [COUNTS[c] for c in counts], score), label=name, **style)
        for place, mean in zip(places, _means(rows, list(apart), score), strict=True):
            axes.plot([place - 0.5, place + 0.5], [mean, mean], **style)
    for index, (label, result) in enumerate(results.items()):
        shift = 0.14 * (index - (len(results) - 1) / 2)  # so that bars do not hide each other
        for at, conditions, line, name in (
            (counts, [COUNTS[count] for count in counts], "-", label),
            (places, list(apart), "none", "_nolegend_"),
        ):
            row = [_statistic(result.conditions, condition, score) for condition in conditions]
            axes.errorbar(
                at + shift,
                [statistic.mean for statistic in row],
                yerr=interval_bars(row),
                color=color(index),
                marker=marker(index),
                ms=3.5,
                lw=1.5,
                ls=line,
                capsize=2,
                label=name,
            )
    if apart:
        axes.axvline(len(COUNTS) - 0.35, color="0.8", lw=0.8)
    axes.set_title(score)
    axes.set_xlabel("objects in view")
    axes.set_xticks(
        [*range(len(COUNTS)), *places], [*map(str, range(len(COUNTS))), *apart.values()]
    )
    for tick in axes.get_xticklabels()[len(COUNTS) :]:
        tick.set_fontsize(7)
    axes.set_xlim(-0.5, places[-1] + 0.75 if apart else len(COUNTS) - 0.5)
    axes.set_ylim(-0.04, 1.02)


def draw_losses(
    axes: Axes,
    curves: Mapping[str, Curve],
    term: str,
    title: str,
    colors: Mapping[str, str] | None = None,
) -> None:
    """Draws a term of the loss against the steps of each run.

    Args:
        axes: where to draw.
        curves: by label.
        term: which of their values.
        title: of the panel.
        colors: by label; the colours of curves in their order by default.
    """
    later = []
    for index, (label, curve) in enumerate(curves.items()):
        values = curve.values[term]
        own = color(index) if colors is None else colors[label]
        axes.plot(curve.steps, values, color=own, lw=1.4, label=label)
        later.append(values[len(values) // SETTLED :])
    scale = np.concatenate(later) if later else np.empty(0)
    if len(scale):
        space = 0.06 * max(float(np.ptp(scale)), 1e-9)
        axes.set_ylim(scale.min() - space, scale.max() + space)
    axes.set_title(title, loc="left")
    axes.set_xlabel("step")


def interval_bars(row: Sequence[Statistic]) -> np.ndarray:
    """Returns how far the ends of intervals lie below and above the means; 0 where undefined."""
    means = np.array([s.mean for s in row])
    return np.nan_to_num([means - [s.low for s in row], [s.high for s in row] - means])


_UNDEFINED = Statistic(np.nan, np.nan, np.nan, np.nan, 0)


def _statistic(rows: Mapping[str, Row], condition: str, score: str) -> Statistic:
    return rows.get(condition, {}).get(score, _UNDEFINED)


def _means(rows: Mapping[str, Row], conditions: Sequence[str], score: str) -> list[float]:
    return [_statistic(rows, condition, score).mean for condition in conditions]
