"""Draws the plots of the page, each as a small SVG, so that they wrap on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scenes.progress import in_turn

from evaluation.figures.panels import (
    BASELINES,
    PLOTTED,
    baseline_style,
    curve_style,
    draw_losses,
    draw_scores,
    loss_style,
)
from evaluation.figures.style import STYLE, to_svg
from evaluation.report.sources import LoggedRun
from evaluation.scores.meanings import MEANINGS
from evaluation.scores.results import Generalisation
from evaluation.training_log import curve_of

TERMS = {
    "nll": "negative log-likelihood",
    "kl_latent": "KL of the latents",
    "kl_mask": "KL of the masks",
}
SIZE = (3.9, 2.9)
SAMPLE = (0.5, 0.16)


@dataclass(frozen=True)
class Plot:
    """A plot as SVG, with its title and the meaning of its score."""

    title: str
    svg: str
    meaning: str = ""


@dataclass(frozen=True)
class Sample:
    """An entry of a legend: a piece of the curve, and its name."""

    svg: str
    label: str


def plot_scores(results: Mapping[str, Generalisation]) -> list[Plot]:
    """Returns plots of scores against the number of objects.

    Args:
        results: by label; each gives a curve, and the first one the baselines.
    """
    return [
        Plot(f"{score} against objects", _svg(_scores(results, score)), MEANINGS[score])
        for score in in_turn("plotting", list(PLOTTED) if results else [])
    ]


def plot_losses(runs: Sequence[LoggedRun]) -> list[Plot]:
    """Returns plots of the terms of the loss over the steps.

    Args:
        runs: each gives a curve.
    """
    return [
        Plot(f"{name} over the steps", _svg(_losses(runs, term)), MEANINGS[term])
        for term, name in TERMS.items()
        if runs
    ]


def score_legend(labels: Sequence[str]) -> list[Sample]:
    """Returns the legend of `plot_scores`: its curves by label, then the baselines."""
    curves = [Sample(_sample(curve_style(index)), label) for index, label in enumerate(labels)]
    return curves + [Sample(_sample(baseline_style(name)), name) for name in BASELINES]


def loss_legend(labels: Sequence[str]) -> list[Sample]:
    """Returns the legend of `plot_losses`."""
    return [Sample(_sample(loss_style(index)), label) for index, label in enumerate(labels)]


def _scores(results: Mapping[str, Generalisation], score: str) -> Callable[[Axes], None]:
    return partial(draw_scores, results=results, score=score, apart=())


def _losses(runs: Sequence[LoggedRun], term: str) -> Callable[[Axes], None]:
    curves = {run.summary.path: curve_of(run.rows, (term,)) for run in runs}
    return partial(draw_losses, curves=curves, term=term, title=TERMS[term])


def _sample(style: Mapping[str, Any]) -> str:
    """Draws a piece of a curve, with its marker in the middle."""

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.set_xlim(0, 2)
        axes.set_ylim(-1, 1)
        axes.plot([0, 1, 2], [0, 0, 0], markevery=[1], **style)

    return _svg(draw, SAMPLE)


def _svg(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    """Draws one panel as SVG, without what an SVG needs only in a file of its own."""
    with mpl.rc_context({**STYLE, "font.family": "sans-serif"}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        svg = to_svg(figure)
    spare = r'<metadata>.*?</metadata>| xmlns(:\w+)?="[^"]*"| id="[A-Za-z.\d]+_\d+"'
    return re.sub(spare, "", svg, flags=re.S)
