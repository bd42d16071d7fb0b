"""Scores as HTML tables; every number is the one that scores.json holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evaluation.scores.labels import FURTHER, as_trained, of_slots

COLUMNS = (
    "ari_fg", "ari", "ari_merged", "ari_paper", "msc", "sc", "mbo", "miou", "recall", "count",
    "mse",
)  # fmt: skip
COMPARED = ("ari_fg", "msc", "recall")
DIGITS = {"mse": 4}
"""After the decimal point; 2 for the others."""
KINDS = ("linear", "mlp")
DCI = ("disentanglement", "completeness", "informativeness")
UNDEFINED = "\N{EN DASH}"

Statistic = Mapping[str, float | int | None]
"""As in scores.json: mean, sem, low, high, count."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Returns a table whose first column names its rows; cells are HTML already."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(name: str, statistic: Statistic | None) -> str:
    """Returns a mean and half of its 95% interval; a dash where it is undefined."""
    if statistic is None or statistic.get("mean") is None:
        return f'<span class="none">{UNDEFINED}</span>'
    digits = DIGITS.get(name, 2)
    mean = number(statistic["mean"], digits)
    low, high = statistic.get("low"), statistic.get("high")
    if low is None or high is None:
        return mean
    half = number((high - low) / 2, digits)
    title = (
        f"95% interval {number(low, digits)} to {number(high, digits)}; {statistic['count']} images"
    )
    return f'<span class="value" title="{escape(title)}">{mean} <small>±{half}</small></span>'


def number(value: float | int | None, digits: int = 2) -> str:
    """Returns a number with a real minus sign."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def of_conditions(content: Mapping[str, Any]) -> str:
    """Returns the tables of a scores.json with conditions: the model's, then beside baselines."""
    conditions: Mapping[str, Mapping[str, Statistic]] = content["conditions"]
    names = [name for name in COLUMNS if any(name in row for row in conditions.values())]
    slots = content["num_slots"]
    tables = [
        table(
            ["condition", *names],
            [
                [words(label), *(cell(name, row.get(name)) for name in names)]
                for label, row in conditions.items()
            ],
            f"MONet with {slots} slots, {content['n']} scenes of each condition",
        )
    ]
    for name in COMPARED:
        rows = {of_slots(slots): conditions}
        rows |= {FURTHER[kind]: content[kind] for kind in FURTHER if content.get(kind)}
        trained = content.get("as_trained")
        if trained is not None:
            rows[as_trained(trained["num_slots"])] = trained["conditions"]
        rows |= content.get("baselines", {})
        tables.append(
            table(
                ["", *(words(condition) for condition in conditions)],
                [
                    [escape(label), *(cell(name, row.get(c, {}).get(name)) for c in conditions)]
                    for label, row in rows.items()
                ],
                f"{name} beside segmentations that look at colour or place alone",
            )
        )
    return "".join(tables)


def of_file(content: Mapping[str, Any]) -> str:
    """Returns the table of a scores.json of one file: the model or program, then baselines."""
    rows = {"scored": content["metrics"]}
    rows |= {FURTHER[kind]: content[kind] for kind in FURTHER if content.get(kind)}
    rows |= content.get("baselines", {})
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    return table(
        ["", *names],
        [
            [escape(label), *(cell(name, row.get(name)) for name in names)]
            for label, row in rows.items()
        ],
        f"{content['n']} scenes of {content['data']}",
    )


def of_representation(content: Mapping[str, Any]) -> str:
    """Returns the tables of a representation.json: properties by model, and DCI."""
    properties: Mapping[str, Mapping[str, Mapping[str, float | None]]] = content["properties"]
    first = next(iter(properties.values()))
    counts = content["objects"]
    predicted = table(
        ["property", *(f"{name}: {kind}" for name in properties for kind in KINDS), "chance"],
        [
            [
                escape(factor),
                *(number(row[factor][kind]) for row in properties.values() for kind in KINDS),
                number(first[factor]["chance"]),
            ]
            for factor in first
        ],
        f"{content['checkpoint']['name']}: objects' properties from latents, on scenes not seen; "
        "accuracy of shape, R² of the rest",
    )
    disentangling = table(
        ["latents of", "objects", *DCI],
        [
            [escape(name), f"{counts[name]:,}", *(number(found[kind]) for kind in DCI)]
            for name, found in content["dci"].items()
        ],
        "DCI of the same latents",
    )
    return predicted + disentangling


def words(condition: str) -> str:
    """Returns a condition's name for people."""
    prefix, _, count = condition.rpartition("_")
    if prefix == "objects" and count.isdigit():
        return f"{count} object{'' if count == '1' else 's'}"
    return condition.replace("_", " ").replace("color", "colour")
