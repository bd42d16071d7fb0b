"""Scores against the number of objects."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.style import STYLE
from evaluation.generalise import COUNTS, TRAINED_ON, Generalisation
from evaluation.statistics import Statistic

CURVES = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores of the plot, and the fewest objects for which each is defined."""
BASELINE_DASHES = {"2 x 2 grid": (1.0, 1.5), "k-means on colour": (4.0, 2.0)}


def plot_generalisation(result: Generalisation) -> Figure:
    """Plots scores against the number of objects; bars are 95% intervals over images."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.0 * len(CURVES), 3.1), layout="constrained")
        panels = figure.subplots(1, len(CURVES), sharey=True)
        for index, (axes, (name, fewest)) in enumerate(zip(panels, CURVES.items(), strict=True)):
            axes.axvspan(TRAINED_ON[0] - 0.3, TRAINED_ON[1] + 0.3, color="0.93", lw=0, zorder=0)
            counts = range(fewest, len(COUNTS))
            for label, dashes in BASELINE_DASHES.items():
                means = [result.baselines[label][COUNTS[c]][name].mean for c in counts]
                axes.plot(counts, means, color="0.5", lw=0.9, dashes=dashes, label=label)
            statistics = [result.model[COUNTS[c]][name] for c in counts]
            _curve(axes, list(counts), statistics, f"MONet, {result.num_slots} slots")
            axes.set_title(name)
            axes.set_xlabel("objects in view")
            axes.set_xticks(range(len(COUNTS)))
            axes.set_xlim(-0.4, len(COUNTS) - 0.6)
            axes.set_ylim(-0.04, 1.02)
            if index == 0:
                axes.set_ylabel("score")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _curve(axes: Axes, counts: list[int], statistics: Sequence[Statistic], label: str) -> None:
    means = np.array([s.mean for s in statistics])
    below = means - [s.low for s in statistics]
    above = [s.high for s in statistics] - means
    axes.errorbar(
        counts, means, yerr=np.nan_to_num([below, above]), color="#0072B2", marker="o", ms=3.5,
        lw=1.6, capsize=2, label=label,
    )  # fmt: skip
