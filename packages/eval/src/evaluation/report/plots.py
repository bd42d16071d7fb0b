"""Plots of the page, each a small SVG of its own, so that they wrap on a narrow screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.style import STYLE, to_svg
from evaluation.report.gather import Run, Scores
from evaluation.scores.generalisation import COUNTS, TRAINED_ON

CURVES = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores, and the fewest objects for which each is defined."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
BASELINE = "k-means on colour"
TERMS = {
    "nll": "negative log-likelihood",
    "kl_latent": "KL of the latents",
    "kl_mask": "KL of the masks",
}
SIZE = (3.3, 2.5)


def generalisation(scores: Sequence[Scores]) -> list[str]:
    """Plots scores against the number of objects, a curve for each scores.json.

    Bars are 95% intervals over images; the shaded range is the training's.
    """
    return [
        _svg(lambda axes, name=name, fewest=fewest: _curves(axes, scores, name, fewest))
        for name, fewest in CURVES.items()
    ]


def label(scores: Scores, among: Sequence[Scores]) -> str:
    """Returns a name for a curve, the shortest that tells it from the others."""
    content = scores.content
    name = f"{content['checkpoint'].get('name', scores.path)}, {content['num_slots']} slots"
    same = [
        other
        for other in among
        if (other.content["checkpoint"].get("name"), other.content["num_slots"])
        == (content["checkpoint"].get("name"), content["num_slots"])
    ]
    return name if len(same) == 1 else f"{name} ({scores.path})"


def color(index: int) -> str:
    """Returns the colour of a curve."""
    return COLORS[index % len(COLORS)]


def _curves(axes: Axes, scores: Sequence[Scores], name: str, fewest: int) -> None:
    counts = np.arange(fewest, len(COUNTS))
    axes.axvspan(TRAINED_ON[0] - 0.3, TRAINED_ON[1] + 0.3, color="0.93", lw=0, zorder=0)
    baseline = scores[0].content.get("baselines", {}).get(BASELINE)
    if baseline is not None:
        mean, _ = _values(baseline, name, counts)
        axes.plot(counts, mean, color="0.45", lw=1, dashes=(4, 2))
    for index, one in enumerate(scores):
        mean, bars = _values(one.content["conditions"], name, counts)
        shift = 0.12 * (index - (len(scores) - 1) / 2)  # so that bars do not hide each other
        axes.errorbar(
            counts + shift, mean, yerr=bars, color=color(index), lw=1.6, capsize=2, ms=4,
            marker=MARKERS[index % len(MARKERS)],
        )  # fmt: skip
    axes.set_title(name, loc="left", fontweight="bold")
    axes.set_xlabel("objects in view")
    axes.set_xticks(range(len(COUNTS)))
    axes.set_xlim(-0.5, len(COUNTS) - 0.5)
    axes.set_ylim(-0.04, 1.04)


def _values(
    conditions: Mapping[str, Mapping[str, Any]], name: str, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns means, and how far the ends of their intervals are below and above."""
    rows = [conditions[COUNTS[count]].get(name, {}) for count in counts]
    mean, low, high = (
        np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)
        for key in ("mean", "low", "high")
    )
    return mean, np.nan_to_num([mean - low, high - mean])


def training(runs: Sequence[Run]) -> list[str]:
    """Plots the terms of the loss over the steps, a curve for each run that logged any."""
    return [
        _svg(lambda axes, term=term, name=name: _losses(axes, runs, term, name))
        for term, name in TERMS.items()
    ]


def _losses(axes: Axes, runs: Sequence[Run], term: str, name: str) -> None:
    later = []
    for index, run in enumerate(runs):
        rows = [row for row in run.metrics if term in row]
        values = [row[term] for row in rows]
        axes.plot([row["step"] for row in rows], values, color=color(index), lw=1.4)
        later += values[len(values) // 20 :]
    if later:  # the first steps are far off the scale of everything after them
        space = 0.06 * max(max(later) - min(later), 1e-9)
        axes.set_ylim(min(later) - space, max(later) + space)
    axes.set_title(name, loc="left", fontweight="bold")
    axes.set_xlabel("step")


def _svg(draw: Any) -> str:
    with mpl.rc_context({**STYLE, "font.family": "sans-serif"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.subplots())
        return to_svg(figure)
