"""What the command lines of all three packages share: exit codes and one-line errors."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import TypeVar

T = TypeVar("T")

EXIT_FAILURE = 1
EXIT_USAGE = 2


class UsageError(Exception):
    """What the user asked for cannot be done as asked; nothing was changed."""


class CommandError(Exception):
    """What the user asked for failed; the message says what to do."""


def run_command(program: str, command: Callable[[], int | None]) -> int:
    """Runs a command and turns a user's mistakes into one line on stderr.

    Args:
        program: name that starts the line.
        command: does the work; returns an exit code, or `None` for success.

    Returns:
        0, or 2 where the request is wrong, or 1 where it failed.
    """
    if sys.platform == "win32":
        return _fail(program, "Windows is not supported (locks need fcntl); WSL is", EXIT_USAGE)
    try:
        return command() or 0
    except (UsageError, ValueError) as error:
        return _fail(program, error, EXIT_USAGE)
    except CommandError as error:
        return _fail(program, error, EXIT_FAILURE)
    except OSError as error:
        return _fail(program, in_words(error), EXIT_FAILURE)
    except KeyboardInterrupt as interrupt:
        message = str(interrupt) or "interrupted; run the same command again to continue"
        return _fail(program, message, EXIT_FAILURE)


def parse(command_line: Callable[[], T]) -> T:
    """Runs tyro, and turns its errors, which fill a box, into one line.

    Raises:
        UsageError: tyro refused the arguments.
        SystemExit: help was asked for and printed.
    """
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            return command_line()
    except SystemExit as end:
        if not end.code:
            raise
        raise UsageError(_unboxed(box.getvalue())) from None


def _unboxed(box: str) -> str:
    """Returns the text of a box without its frame, its title and what follows its rule."""
    text = []
    for line in box.splitlines():
        inside = line.strip("│ ").strip()
        if inside and set(inside) == {"─"}:
            break
        if not line.startswith(("╭", "╰")) and inside:
            text.append(inside)
    return " ".join(text)


def in_words(error: OSError) -> str:
    """Returns an error of the system in one line, the file first; other errors as they are."""
    if not error.strerror:
        return str(error)
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"


def _fail(program: str, error: object, code: int) -> int:
    print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
    return code
