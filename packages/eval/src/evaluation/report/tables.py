"""Makes the page's tables of scores, with the numbers of scores.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.scores.conditions import title_of
from evaluation.scores.labels import FURTHER, as_trained, of_slots
from evaluation.scores.results import (
    Conditions,
    FileScores,
    Generalisation,
    Representation,
    Row,
    Statistic,
)

COLUMNS = (
    "ari_fg",
    "ari",
    "ari_merged",
    "ari_paper",
    "msc",
    "sc",
    "mbo",
    "miou",
    "recall",
    "count",
    "mse",
)
SIDE_BY_SIDE = ("ari_fg", "ari_merged", "msc", "recall", "count", "mse")
BESIDE_BASELINES = ("ari_fg", "msc", "recall")
DIGITS = {"mse": 4}
"""Digits after the decimal point; 2 for the others."""
KINDS = ("linear", "mlp")
DCI = ("disentanglement", "completeness", "informativeness")
UNDEFINED = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    half: str = ""
    """Half of the 95% interval over images; empty where there is none."""
    title: str = ""
    """Text where the pointer rests."""
    over_seeds: str = ""
    """Half of the 95% interval over training seeds; empty where there is none."""


@dataclass(frozen=True)
class PageTable:
    """A table whose first column names its rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def table_of(
    caption: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell | str]]]
) -> PageTable:
    """Returns a table; a cell may be a plain text."""
    return PageTable(
        caption,
        tuple(head),
        tuple(
            (label, tuple(Cell(cell) if isinstance(cell, str) else cell for cell in cells))
            for label, cells in rows
        ),
    )


def cell(name: str, statistic: Statistic | None) -> Cell:
    """Returns a mean and half of its 95% interval; a dash where it is undefined."""
    if statistic is None or math.isnan(statistic.mean):
        return Cell(UNDEFINED)
    digits = DIGITS.get(name, 2)
    mean, low, high = (
        number(value, digits) for value in (statistic.mean, statistic.low, statistic.high)
    )
    if math.isnan(statistic.low):
        return Cell(mean)
    half = number((statistic.high - statistic.low) / 2, digits)
    return Cell(mean, half, f"95% interval {low} to {high}; {statistic.count} images")


def number(value: float | None, digits: int = 2) -> str:
    """Returns a number with a real minus sign; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def of_conditions(result: Generalisation) -> list[PageTable]:
    """Returns a table of a model's scores in every condition, then tables with the baselines."""
    conditions = result.conditions
    names = _columns(conditions.values())
    caption = (
        f"{result.checkpoint.label} with {result.num_slots} slots, {result.n} scenes of each "
        "condition"
    )
    own = [
        (title_of(label), [cell(name, row.get(name)) for name in names])
        for label, row in conditions.items()
    ]
    rows: dict[str, Conditions] = {of_slots(result.checkpoint, result.num_slots): conditions}
    further = {kind: getattr(result, kind) for kind in FURTHER}
    rows |= {FURTHER[kind]: scores for kind, scores in further.items() if scores}
    if result.as_trained is not None:
        label = as_trained(result.checkpoint, result.as_trained.num_slots)
        rows[label] = result.as_trained.conditions
    rows |= result.baselines
    return [
        table_of(caption, ["condition", *names], own),
        *(
            table_of(
                f"{name} beside segmentations that look at colour or place alone",
                ["", *(title_of(condition) for condition in conditions)],
                [
                    (label, [cell(name, scores.get(c, {}).get(name)) for c in conditions])
                    for label, scores in rows.items()
                ],
            )
            for name in BESIDE_BASELINES
        ),
    ]


def of_file(result: FileScores) -> PageTable:
    """Returns a table of the scores on one file: the model or predictions, then baselines."""
    rows: dict[str, Row] = {"scored": result.metrics}
    further = {kind: getattr(result, kind) for kind in FURTHER}
    rows |= {FURTHER[kind]: row for kind, row in further.items() if row}
    rows |= result.baselines
    names = _columns(rows.values())
    return table_of(
        f"{result.n} scenes of {result.data}",
        ["", *names],
        [(label, [cell(name, row.get(name)) for name in names]) for label, row in rows.items()],
    )


def of_representation(result: Representation) -> list[PageTable]:
    """Returns a table of how well latents predict properties, and one of DCI."""
    first = next(iter(result.properties.values()))
    properties = table_of(
        f"{result.checkpoint.name}: objects' properties from latents, on scenes not seen; accuracy "
        "of shape, R² of the rest",
        ["property", *(f"{row}: {kind}" for row in result.properties for kind in KINDS), "chance"],
        [
            (
                factor,
                [
                    *(
                        number(getattr(row[factor], kind))
                        for row in result.properties.values()
                        for kind in KINDS
                    ),
                    number(first[factor].chance),
                ],
            )
            for factor in first
        ],
    )
    disentangling = table_of(
        "DCI of the same latents",
        ["latents of", "objects", *DCI],
        [
            (row, [f"{result.objects[row]:,}", *(number(getattr(dci, kind)) for kind in DCI)])
            for row, dci in result.dci.items()
        ],
    )
    return [properties, disentangling]


def beside_each_other(rows: Mapping[str, Row]) -> PageTable:
    """Returns a table of models and baselines on scenes as in training, by label of the row."""
    present = _columns(rows.values())
    names = [name for name in SIDE_BY_SIDE if name in present]
    return table_of(
        "side by side, on test scenes as in training",
        ["", *names],
        [(label, [cell(name, row.get(name)) for name in names]) for label, row in rows.items()],
    )


def _columns(rows: Iterable[Row]) -> list[str]:
    """Returns the scores that any of the rows has, in the order of `COLUMNS`."""
    names = {name for row in rows for name in row}
    return [name for name in COLUMNS if name in names]
