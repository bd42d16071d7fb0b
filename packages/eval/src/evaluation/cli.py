"""Score how well a model takes scenes apart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from scenes.command_line import run_one_of
from scenes.memory import keep_freed_memory

from evaluation.commands.conditions import Conditions
from evaluation.commands.decompose import Decompose
from evaluation.commands.explore import Explore
from evaluation.commands.figures import Figures
from evaluation.commands.generalise import Generalise
from evaluation.commands.leaderboard import Leaderboard
from evaluation.commands.report import Report
from evaluation.commands.represent import Represent
from evaluation.commands.score import Score
from evaluation.commands.traverse import Traverse

COMMANDS: dict[str, Any] = {
    "decompose": Decompose,
    "generalise": Generalise,
    "conditions": Conditions,
    "score": Score,
    "represent": Represent,
    "figures": Figures,
    "traverse": Traverse,
    "report": Report,
    "explore": Explore,
    "leaderboard": Leaderboard,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `eval`, or one of its commands where the script has that name; returns the exit code.

    `eval` is a word of the shell, which runs its arguments as a command: hence a script for each.
    """
    program = Path(sys.argv[0]).stem
    if arguments is None:
        arguments = [program, *sys.argv[1:]] if program in COMMANDS else sys.argv[1:]

    keep_freed_memory()
    return run_one_of("eval", COMMANDS, str(__doc__), arguments)


if __name__ == "__main__":
    sys.exit(main())
