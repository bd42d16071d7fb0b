"""Plots of the page, each a small SVG of its own, so that they wrap on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.panels import PLOTTED, draw_losses, draw_scores
from evaluation.figures.style import STYLE, to_svg
from evaluation.report.content import LoggedRun
from evaluation.scores.results import Generalisation
from evaluation.training_log import curve_of

BASELINE = "k-means on colour"
TERMS = {
    "nll": "negative log-likelihood",
    "kl_latent": "KL of the latents",
    "kl_mask": "KL of the masks",
}
SIZE = (3.3, 2.5)


def plot_scores(results: Mapping[str, Generalisation]) -> dict[str, str]:
    """Returns SVGs of scores against the number of objects, by what they show.

    Args:
        results: by label; each is a curve, and the baseline is that of the first one.
    """
    return {f"{score} against objects": _svg(_scores(results, score)) for score in PLOTTED}


def plot_losses(runs: Sequence[LoggedRun]) -> dict[str, str]:
    """Returns SVGs of the terms of the loss over the steps, by what they show.

    Args:
        runs: each is a curve.
    """
    return {f"{name} over the steps": _svg(_losses(runs, term)) for term, name in TERMS.items()}


def _scores(results: Mapping[str, Generalisation], score: str) -> Callable[[Axes], None]:
    return partial(draw_scores, results=results, score=score, baselines=(BASELINE,), apart={})


def _losses(runs: Sequence[LoggedRun], term: str) -> Callable[[Axes], None]:
    curves = {run.path: curve_of(run.rows, (term,)) for run in runs}
    return partial(draw_losses, curves=curves, term=term, title=TERMS[term])


def _svg(draw: Callable[[Axes], None]) -> str:
    """Draws one panel; what an SVG inside a page does not need is left out."""
    with mpl.rc_context({**STYLE, "font.family": "sans-serif"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.subplots())
        svg = to_svg(figure)
    spare = r'<metadata>.*?</metadata>| xmlns(:\w+)?="[^"]*"| id="[A-Za-z.\d]+_\d+"'
    return re.sub(spare, "", svg, flags=re.S)
