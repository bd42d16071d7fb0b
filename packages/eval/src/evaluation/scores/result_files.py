"""Results as JSON files: `to_json` writes any of them, `from_json` reads it back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.v import format_exception
from scenes.atomic import write_whole
from scenes.command_line import CommandError

from evaluation.json_files import parse_json
from evaluation.scores.leaderboard_results import Leaderboard
from evaluation.scores.report_results import Report
from evaluation.scores.results import (
    SCHEMA,
    FileScores,
    Generalisation,
    ModelIdentity,
    Representation,
    Row,
    Statistic,
)

SCORES, REPRESENTATION, REPORT = "scores.json", "representation.json", "report.json"
LEADERBOARD = "leaderboard.json"
Result = FileScores | Generalisation | Representation | Report | Leaderboard
NAMES: dict[type[Result], str] = {
    FileScores: SCORES,
    Generalisation: SCORES,
    Representation: REPRESENTATION,
    Report: REPORT,
    Leaderboard: LEADERBOARD,
}
"""What the file of each is called."""
_TELLING = {
    "conditions": Generalisation,
    "metrics": FileScores,
    "dci": Representation,
    "ranked": Report,
    "tables": Leaderboard,
}
"""Which result has a key that no other has."""
_IF_KNOWN: dict[type, tuple[str, ...]] = {
    ModelIdentity: ("trained_slots", "earlier_steps"),
    FileScores: ("benchmark",),
    Generalisation: ("benchmarks",),
}
"""Keys that are left out where they have their defaults."""


def _converter() -> cattrs.Converter:
    """Returns a converter that writes NaN as null, and takes nothing for another type."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(float, lambda value: None if math.isnan(value) else value)
    converter.register_structure_hook(float, _as_float)
    for kind in (int, str):
        converter.register_structure_hook(kind, _as_it_is)
    for owner, names in _IF_KNOWN.items():
        rules: dict[str, Any] = dict.fromkeys(names, override(omit_if_default=True))
        converter.register_unstructure_hook(
            owner, make_dict_unstructure_fn(owner, converter, **rules)
        )
    return converter


def _as_float(value: Any, _: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {type(value).__name__}")
    return float(value)


def _as_it_is(value: Any, kind: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


_CONVERTER = _converter()


def to_json(result: Result) -> str:
    """Returns a result as JSON, an undefined number as null."""
    return json.dumps(_CONVERTER.unstructure(result), indent=1, allow_nan=False) + "\n"


def rows_to_json(rows: Mapping[str, Row]) -> str:
    """Returns statistics by row and score as JSON on one line, an undefined number as null."""
    return json.dumps(_CONVERTER.unstructure(rows), allow_nan=False)


def rows_from_json(text: str, source: str) -> dict[str, dict[str, Statistic]]:
    """Returns what `rows_to_json` wrote.

    Args:
        text: the JSON.
        source: where it stands, for messages.

    Raises:
        CommandError: it is no such JSON.
    """
    try:
        return _CONVERTER.structure(parse_json(text, source), dict[str, dict[str, Statistic]])
    except cattrs.BaseValidationError as error:
        reasons = cattrs.transform_error(error, path="scores", format_exception=_reason)
        raise CommandError(f"{source}: {'; '.join(reasons)}") from error


def to_plain(result: Any) -> Any:
    """Returns a result, or a part of one, as `to_json` writes it: dicts, lists, words, numbers."""
    return _CONVERTER.unstructure(result)


def from_json(text: str) -> Result:
    """Returns the result that `to_json` wrote.

    Raises:
        ValueError: the text is no JSON, or holds another thing; the message names the key.
    """
    try:
        return from_content(parse_json(text, "text"))
    except CommandError as error:
        raise ValueError(str(error).removeprefix("text: ")) from error


def from_content(content: Any) -> Result:
    """Returns the result that parsed JSON holds.

    Raises:
        ValueError: it holds another thing, or was written by a later version; the message names
            the key.
    """
    kinds = [kind for key, kind in _TELLING.items() if isinstance(content, dict) and key in content]
    if not kinds:
        raise ValueError(f"has none of {', '.join(_TELLING)}: no scores of eval")
    if content.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"has schema {content['schema']!r}; this version reads schema {SCHEMA}")
    try:
        result: Result = _CONVERTER.structure(content, kinds[0])
    except cattrs.BaseValidationError as error:
        reasons = cattrs.transform_error(error, path=kinds[0].__name__, format_exception=_reason)
        raise ValueError("; ".join(reasons)) from error
    return result


def _reason(error: BaseException, kind: Any) -> str:
    """Returns the message of a result's own check, else that of cattrs."""
    return str(error) if type(error) is ValueError else format_exception(error, kind)


def write_result(result: Result, folder: Path) -> Path:
    """Writes a result under its name into a folder, whole or not at all.

    Returns:
        The file's path.
    """
    path = folder / NAMES[type(result)]
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_json(result).encode())
    return path
