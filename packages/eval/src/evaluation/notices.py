"""What is worth saying on stderr, and no error."""

from __future__ import annotations

import sys

from scenes.command_line import in_one_line


def tell(line: str) -> None:
    """Says a line on stderr."""
    print(f"eval: {in_one_line(line)}", file=sys.stderr)  # noqa: T201
