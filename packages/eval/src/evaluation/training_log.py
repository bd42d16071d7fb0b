"""Reads the log of a training run, metrics.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from scenes.command_line import CommandError

from evaluation.json_files import parse_json, read_text


@dataclass(frozen=True)
class Curve:
    """Values that a run logged, by step."""

    steps: Integer[np.ndarray, " L"]
    values: Mapping[str, Float[np.ndarray, " L"]]
    """By name of the term, in nats for each image."""


def read_log(path: Path) -> tuple[dict[str, Any], ...]:
    """Reads the rows of a metrics.jsonl: a step, and numbers by name.

    Raises:
        CommandError: there is no such file, or one of its lines is no such row.
    """
    if not path.exists():
        raise CommandError(f"{path}: no such file; monet-train writes it beside the weights")
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            rows.append(_read_row(line, f"{path}: line {number}"))
    return tuple(rows)


def _read_row(line: str, source: str) -> dict[str, Any]:
    row = parse_json(line, source)
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        raise CommandError(f"{source}: is no row with a step")
    for name, value in row.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise CommandError(f"{source}: {name}: expected a number, got {type(value).__name__}")
    return {name: math.nan if value is None else value for name, value in row.items()}


def curve_of(rows: Sequence[Mapping[str, Any]], terms: Sequence[str]) -> Curve:
    """Returns the curve of some terms of the loss, at the steps that logged all of them."""
    whole = [row for row in rows if all(term in row for term in terms)]
    return Curve(
        np.array([row["step"] for row in whole], dtype=np.int64),
        {term: np.array([row[term] for row in whole], dtype=np.float64) for term in terms},
    )


def read_curve(path: Path, terms: Sequence[str]) -> Curve:
    """Reads the curve of some terms of the loss from a run's metrics.jsonl.

    Raises:
        CommandError: there is no such file, or no row with these terms in it.
    """
    curve = curve_of(read_log(path), terms)
    if not len(curve.steps):
        raise CommandError(f"{path}: holds no {' and '.join(terms)}; train for longer")
    return curve
