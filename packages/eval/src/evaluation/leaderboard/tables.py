"""A leaderboard's tables as rows of words; its Markdown and its page show the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.leaderboard.standings import shown_columns
from evaluation.report.tables import DIGITS, UNDEFINED, Cell, cell, number
from evaluation.scores.labels import CEILING, FURTHER
from evaluation.scores.leaderboard_results import BenchmarkTable, OverSeeds, Standing


@dataclass(frozen=True)
class ShownRow:
    """A row of a table."""

    name: str
    """The model's, which anybody chose, or a baseline's."""
    what: str
    """Which masks of the model's, in words; empty for its own."""
    slots: str
    seeds: str
    scores: tuple[Cell, ...]


@dataclass(frozen=True)
class ShownTable:
    """A benchmark's table."""

    columns: tuple[str, ...]
    """Scores."""
    models: tuple[ShownRow, ...]
    bars: tuple[ShownRow, ...]
    """Baselines and the ceiling."""


def shown(table: BenchmarkTable) -> ShownTable:
    """Returns a benchmark's table in words."""
    columns = shown_columns([standing.scores for standing in table.standings])
    return ShownTable(
        tuple(columns),
        tuple(_model_row(standing, columns) for standing in table.standings),
        tuple(_bar_rows(table, columns)),
    )


def _model_row(standing: Standing, columns: Sequence[str]) -> ShownRow:
    seeds = len(standing.seeds)
    return ShownRow(
        standing.model,
        FURTHER.get(standing.masks, ""),
        str(standing.num_slots),
        f"n = {seeds}",
        tuple(score(name, standing.scores.get(name), seeds) for name in columns),
    )


def _bar_rows(table: BenchmarkTable, columns: Sequence[str]) -> Iterator[ShownRow]:
    ceiling = {} if table.ceiling is None else {CEILING: table.ceiling}
    for name, row in {**table.baselines, **ceiling}.items():
        scores = tuple(cell(column, row.get(column)) for column in columns)
        yield ShownRow(name, "", "", "", scores)


def score(name: str, mean: OverSeeds | None, seeds: int) -> Cell:
    """Returns a cell: a mean over seeds, and half of each of its intervals.

    Args:
        name: of the score, which decides the digits.
        mean: the score; `None` where the model has none.
        seeds: of the row; where fewer count, their number stands behind.
    """
    if mean is None or not mean.count:
        return Cell(UNDEFINED)
    digits = DIGITS.get(name, 2)
    text = number(mean.mean, digits)
    if mean.count < seeds:
        text += f" (n = {mean.count})"
    images = "" if math.isnan(mean.half_over_images) else number(mean.half_over_images, digits)
    if mean.count == 1:
        return Cell(text, images, "one seed: no interval over seeds")
    low, high = number(mean.low, digits), number(mean.high, digits)
    half = number((mean.high - mean.low) / 2, digits)
    return Cell(text, images, f"95% t interval over {mean.count} seeds {low} to {high}", half)
