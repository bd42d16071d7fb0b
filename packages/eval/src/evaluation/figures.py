"""Figures in one style: vector text, and colours that the colour-blind can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monet.picture import to_uint8
from scenes.gallery import slot_palette

from evaluation.generalise import COUNTS, TRAINED_ON, Generalisation, Pictured
from evaluation.statistics import Statistic

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
CURVES = {"ari_fg": 2, "msc": 1, "recall": 1, "ari_paper": 0, "count": 0}
"""Scores of the plot, and the fewest objects for which each is defined."""
BASELINE_DASHES = {"2 x 2 grid": (1.0, 1.5), "k-means on colour": (4.0, 2.0)}
CELL_INCH = 0.72
GROUPS = {
    "test": "as in training",
    "objects_0": "no object",
    "objects_6": "six objects",
    "identical_color": "one colour",
    "four_identical": "four alike",
}


def save(figure: Figure, stem: Path) -> list[Path]:
    """Saves a figure as PNG for the eye and PDF for print; returns their paths."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(suffix) for suffix in (".png", ".pdf")]
    for path in paths:
        figure.savefig(path, dpi=160)
    return paths


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


def draw_decompositions(pictured: Sequence[Pictured]) -> Figure:
    """Draws scenes as columns (paper, figures 3, 4 and 8).

    Rows: input, reconstruction, segmentation, and each slot's component under its mask; the
    segmentation's colour of a slot marks its row.
    """
    slots = pictured[0].parts.masks.shape[1]
    palette = slot_palette(slots)
    rows = ["input", "reconstruction", "segmentation", *(f"slot {k + 1}" for k in range(slots))]
    total = sum(len(group.images) for group in pictured)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=((total + 1.5) * CELL_INCH, (len(rows) + 0.5) * CELL_INCH))
        grid = figure.subplots(
            len(rows), total, squeeze=False,
            gridspec_kw={
                "left": 1.42 / (total + 1.5), "right": 0.995, "bottom": 0.005,
                "top": 1 - 0.46 / (len(rows) + 0.5), "wspace": 0.05, "hspace": 0.05,
            },
        )  # fmt: skip
        column = 0
        for group in pictured:
            for index in range(len(group.images)):
                cells = _cells(group, index, palette)
                for axes, picture in zip(grid[:, column], cells, strict=True):
                    axes.imshow(picture, interpolation="nearest")
                    axes.set_xticks([])
                    axes.set_yticks([])
                    for spine in axes.spines.values():
                        spine.set(visible=True, color="0.75", linewidth=0.5)
                column += 1
            first = grid[0, column - len(group.images)]
            first.set_title(GROUPS[group.condition], loc="left", fontsize=8, pad=3)
        for k, name in enumerate(rows):
            color = "black" if k < 3 else palette[k - 3] / 255
            grid[k, 0].set_ylabel(
                name, rotation=0, ha="right", va="center", labelpad=6, color="black"
            )
            if k >= 3:
                grid[k, 0].spines["left"].set(color=color, linewidth=4)
    return figure


def _cells(group: Pictured, index: int, palette: np.ndarray) -> list[np.ndarray]:
    parts = group.parts
    masks = parts.masks[index][..., None]  # (K, H, W, 1)
    shown = to_uint8(parts.components[index] * masks + (1 - masks))
    segmentation = palette[parts.masks[index].argmax(axis=0)]
    return [group.images[index], to_uint8(parts.reconstruction[index]), segmentation, *shown]
