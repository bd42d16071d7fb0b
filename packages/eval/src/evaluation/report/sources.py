"""Reads the runs and files of scores of a report, and notes a line for each unreadable one."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monet.config_file import CONFIG, config_to_json
from monet.training.run_log import METRICS
from monet.weights import WEIGHTS, Weights, read_weights
from scenes.command_line import CommandError, UsageError

from evaluation.json_files import read_json
from evaluation.scores.report_results import ReportedRun
from evaluation.scores.result_files import REPRESENTATION, SCORES, Result, from_content
from evaluation.training_log import read_log


@dataclass(frozen=True)
class LoggedRun:
    """A training run as its folder describes it."""

    summary: ReportedRun
    """Its entry in report.json."""
    rows: tuple[dict[str, Any], ...]
    """Rows of metrics.jsonl."""


@dataclass(frozen=True)
class ScoresFile:
    """A file with the name scores.json or representation.json."""

    path: str
    content: dict[str, Any]
    """Its JSON."""
    result: Result | None
    """The result that it holds; `None` where this version cannot read it."""
    reason: str = ""
    """Why it cannot be read; empty where it can."""


def read_runs(folder: Path, shown: Sequence[Weights], left_out: list[str]) -> list[LoggedRun]:
    """Reads the runs in a folder, and those whose models are shown, wherever they lie.

    Args:
        folder: a folder of run folders, or a run folder itself.
        shown: weights of the models that are shown.
        left_out: gets a line for each run whose files cannot be read.
    """
    places = {path.parent for path in folder.glob(f"*/{WEIGHTS}")}
    places |= {folder} if (folder / WEIGHTS).is_file() else set()
    parents = {weights.path.parent for weights in shown}
    places |= {parent for parent in parents if (parent / CONFIG).is_file()}
    unique = {place.resolve(): place for place in sorted(places)}
    runs = []
    for place in unique.values():
        try:
            runs.append(_read_run(place))
        except (CommandError, UsageError) as error:
            left_out.append(str(error))
    return runs


def _read_run(folder: Path) -> LoggedRun:
    weights = read_weights(folder / WEIGHTS)
    config = json.loads(config_to_json(weights.config))
    rows = read_log(folder / METRICS) if (folder / METRICS).exists() else ()
    summary = ReportedRun(
        folder.name,
        str(folder),
        weights.dataset,
        weights.step,
        config,
        last=dict(ChainMap(*reversed(rows))),
        earlier_steps=weights.earlier_steps,
    )
    return LoggedRun(summary, rows)


def read_scores(folder: Path, left_out: list[str]) -> list[ScoresFile]:
    """Reads every scores.json and representation.json below a folder, in the order of paths.

    Args:
        folder: the folder below which they lie.
        left_out: gets a line for each file that is no JSON object.
    """
    files = []
    for path in sorted(path for name in (SCORES, REPRESENTATION) for path in folder.rglob(name)):
        try:
            content = read_json(path)
            if not isinstance(content, dict):
                raise CommandError(f"{path}: expected an object, got {type(content).__name__}")
        except CommandError as error:
            left_out.append(str(error))
            continue
        try:
            files.append(ScoresFile(str(path), content, from_content(content)))
        except ValueError as error:
            files.append(ScoresFile(str(path), content, None, str(error)))
    return files
