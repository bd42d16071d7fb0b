"""Score how well a model takes scenes apart."""

from __future__ import annotations

import sys
from typing import Any

from scenes.command_line import run_one_of
from scenes.memory import keep_freed_memory

from evaluation.commands.figures import Figures
from evaluation.commands.generalise import Generalise
from evaluation.commands.report import Report
from evaluation.commands.represent import Represent
from evaluation.commands.score import Score
from evaluation.commands.traverse import Traverse

COMMANDS: dict[str, Any] = {
    "generalise": Generalise,
    "score": Score,
    "represent": Represent,
    "figures": Figures,
    "traverse": Traverse,
    "report": Report,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `eval`; returns the exit code."""
    return _run("eval", sys.argv[1:] if arguments is None else arguments)


def generalise() -> int:
    """Runs `eval generalise`; the shell's own word `eval` runs this script too."""
    return _run("eval", ["generalise", *sys.argv[1:]])


def score() -> int:
    """Runs `eval score`."""
    return _run("eval", ["score", *sys.argv[1:]])


def figures() -> int:
    """Runs `eval figures`."""
    return _run("eval", ["figures", *sys.argv[1:]])


def traverse() -> int:
    """Runs `eval traverse`."""
    return _run("eval", ["traverse", *sys.argv[1:]])


def report() -> int:
    """Runs `eval report`."""
    return _run("eval", ["report", *sys.argv[1:]])


def represent() -> int:
    """Runs `eval represent`."""
    return _run("eval", ["represent", *sys.argv[1:]])


def _run(program: str, arguments: list[str]) -> int:
    keep_freed_memory()
    return run_one_of(program, COMMANDS, str(__doc__), arguments)


if __name__ == "__main__":
    sys.exit(main())
