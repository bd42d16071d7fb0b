"""What programs say on stderr, a line each: what is worth knowing, and errors."""

from __future__ import annotations

import sys


def tell(line: str, program: str = "scenes") -> None:
    """Says a line on stderr.

    Args:
        line: what to say.
        program: whose line it is.
    """
    if sys.stderr is not None:  # closed: `print` would take stdout instead
        print(f"{program}: {in_one_line(line)}", file=sys.stderr)  # noqa: T201


def in_one_line(text: str) -> str:
    """Returns a text on one line, without the control codes that names of files may bring."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
