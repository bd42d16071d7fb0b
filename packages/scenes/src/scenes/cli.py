"""The command `scenes`: makes scenes, reads and writes other formats, shows, verifies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from scenes.command_line import run_one_of
from scenes.commands.benchmark import Benchmark
from scenes.commands.clevr import Clevr, ClevrLike
from scenes.commands.conversion import Export, Import
from scenes.commands.doctor import Doctor
from scenes.commands.images import Images
from scenes.commands.render import Render
from scenes.commands.show import Show
from scenes.commands.split import Split
from scenes.commands.sprites import Sprites
from scenes.commands.verify import Verify

COMMANDS: dict[str, Callable[..., Any]] = {
    "render": Render,
    "sprites": Sprites,
    "clevr": Clevr,
    "clevr-like": ClevrLike,
    "images": Images,
    "import": Import,
    "export": Export,
    "split": Split,
    "show": Show,
    "verify": Verify,
    "benchmark": Benchmark,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `scenes`; returns the exit code."""
    return run_one_of("scenes", COMMANDS, str(__doc__), arguments)


if __name__ == "__main__":
    sys.exit(main())
