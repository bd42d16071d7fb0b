"""Tables of scores on the terminal, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evaluation.generalise import Generalisation
from evaluation.statistics import Statistic

COLUMNS = ("ari_fg", "ari_merged", "msc", "recall", "count", "mse")
COMPARED = ("test", "identical_color")
COMPARED_COLUMNS = ("ari_fg", "ari_merged", "msc")
WIDTH = 118


def console() -> Console:
    """Returns a console wide enough for the tables where there is no terminal."""
    found = Console()
    return found if found.is_terminal and found.width >= WIDTH else Console(width=WIDTH)


def score_table(title: str, rows: Mapping[str, Mapping[str, Statistic]]) -> Table:
    """Returns one row for each entry, with the scores that any of them has."""
    names = [name for name in COLUMNS if any(name in scores for scores in rows.values())]
    table = _table(title)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for label, scores in rows.items():
        table.add_row(label, *(cell(name, scores.get(name)) for name in names))
    return table


def comparison_table(result: Generalisation) -> Table:
    """Returns the model beside the baselines, where colour helps and where it does not."""
    table = _table("beside segmentations that look at colour or place alone")
    for condition in COMPARED:
        for name in COMPARED_COLUMNS:
            table.add_column(f"{condition}\n{name}", justify="right", no_wrap=True)
    rows = {f"MONet, {result.num_slots} slots": result.model, **result.baselines}
    for label, conditions in rows.items():
        table.add_row(
            label,
            *(cell(name, conditions[c].get(name)) for c in COMPARED for name in COMPARED_COLUMNS),
        )
    return table


def cell(name: str, statistic: Statistic | None) -> str:
    """Writes a score for a table: mean and half the 95% interval's width; - where undefined."""
    if statistic is None or math.isnan(statistic.mean):
        return "-"
    digits = 4 if name == "mse" else 2
    if math.isnan(statistic.low):
        return f"{statistic.mean:.{digits}f}"
    half = (statistic.high - statistic.low) / 2
    return f"{statistic.mean:.{digits}f} ±{half:.{digits}f}"


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="", box=SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    return table


def verdict(result: Generalisation) -> str:
    """Says in words whether the model beat k-means on colour, from the numbers of this run."""
    model = result.model["test"]["ari_fg"].mean
    colour = result.baselines["k-means on colour"]["test"]["ari_fg"].mean
    same = result.model["identical_color"]["ari_fg"].mean
    colour_same = result.baselines["k-means on colour"]["identical_color"]["ari_fg"].mean
    if model > colour:
        first = f"MONet's ari_fg of {model:.2f} is above that of k-means on colour, {colour:.2f}."
    else:
        first = (
            f"k-means on colour has the higher ari_fg, {colour:.2f} to {model:.2f}: minutes of "
            "training do not show more than colour gives. Longer runs do; `tools/demo --minutes "
            "60` goes on from here."
        )
    return (
        f"{first} Where all objects have one colour, k-means has {colour_same:.2f} and MONet "
        f"{same:.2f}."
    )
