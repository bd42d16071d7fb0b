"""What the command lines of all three packages share: exit codes and one-line errors."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any, TypeVar

T = TypeVar("T")

EXIT_FAILURE = 1
EXIT_USAGE = 2

DEBUG = "--debug"
"""Flag of every command: an error is shown with its traceback."""
DEBUG_HELP = f"With {DEBUG}, an error shows where it comes from."
"""What `--help` says of it: `run_command` takes it away before the arguments are read."""


ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
WIDE = 1000
"""Columns in which no line of an error is wrapped."""


class UsageError(Exception):
    """What the user asked for cannot be done as asked; nothing was changed."""


class CommandError(Exception):
    """What the user asked for failed; the message says what to do."""


def run_command(
    program: str,
    command: Callable[[list[str]], int | None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs a command, and turns whatever goes wrong into one line on stderr.

    `--debug` among the arguments, wherever it stands, shows an error's traceback before the line.

    Args:
        program: name that starts the line.
        command: does the work; takes the arguments, and returns an exit code, or `None` for
            success.
        arguments: those of the command line by default.

    Returns:
        0, or 2 where the request is wrong, or 1 where it failed, an error of the program included.
        Where stdout is closed before all is written (`scenes show … | head -1`) it is 1, and
        nothing is said.
    """
    if sys.platform == "win32":
        return _fail(program, "Windows is not supported (locks need fcntl); WSL is", EXIT_USAGE)
    _write_any_text()
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = DEBUG in words
    try:
        code = command([word for word in words if word != DEBUG])
        if sys.stdout is not None:
            sys.stdout.flush()  # here an error of writing can still be told; at exit it cannot
    except BrokenPipeError:
        _discard_stdout()
        return EXIT_FAILURE
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exception(error)
        message, code = _told(error)
        _discard_stdout()
        return _fail(program, message, code)
    return code or 0


def _told(error: BaseException) -> tuple[str, int]:
    """Returns what to tell the user of an error, and the exit code."""
    if isinstance(error, (UsageError, ValueError)):
        return str(error), EXIT_USAGE
    if isinstance(error, CommandError):
        return str(error), EXIT_FAILURE
    if isinstance(error, OSError):
        return in_words(error), EXIT_FAILURE
    if isinstance(error, KeyboardInterrupt):
        message = str(error) or "interrupted; run the same command again to continue"
        return message, EXIT_FAILURE
    if isinstance(error, MemoryError):
        return f"out of memory{': ' if str(error) else ''}{error}", EXIT_FAILURE
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"an error of the program: {what} ({DEBUG} shows where)", EXIT_FAILURE


def _write_any_text() -> None:
    """Has characters that a terminal's encoding lacks written as escapes, not raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    """Sends what is still to be written nowhere, if it cannot be written.

    Otherwise Python tries once more as it ends, and says so in several lines.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def run_one_of(
    program: str,
    commands: Mapping[str, Callable[..., Any]],
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs the command that the first argument names.

    Args:
        program: name of the program.
        commands: dataclasses with a method `run`, by name.
        description: what the program is for.
        arguments: as in `run_command`.

    Returns:
        An exit code, as `run_command` does.
    """
    # Not at the top: whoever raises one of the errors above needs no parser.
    import tyro

    from scenes.help_text import registry

    def command(words: list[str]) -> int | None:
        fields = parse(
            lambda: tyro.extras.subcommand_cli_from_dict(
                dict(commands),
                args=words,
                prog=program,
                description=f"{description}\n\n{DEBUG_HELP}",
                registry=registry(),
            ),
            f"{program} {words[0]}" if words and words[0] in commands else program,
        )
        return fields.run()

    return run_command(program, command, arguments)


def parse(command_line: Callable[[], T], program: str) -> T:
    """Runs tyro, and turns its errors, which fill a box, into one line.

    Args:
        command_line: calls tyro.
        program: name of the command, whose `--help` the line names.

    Raises:
        UsageError: tyro refused the arguments.
        SystemExit: help was asked for and printed.
    """
    try:
        with redirect_stderr(io.StringIO()):
            return command_line()
    except SystemExit as end:
        if not end.code:
            raise
    # Once more, since a box as narrow as the terminal breaks words.
    box = io.StringIO()
    with redirect_stderr(box), _columns(WIDE):
        try:
            return command_line()
        except SystemExit:
            mistake = _unboxed(box.getvalue()).rstrip(".")
            raise UsageError(f"{mistake}; see {program} --help") from None


@contextmanager
def _columns(count: int) -> Iterator[None]:
    """Has this process write as if the terminal had so many columns."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _unboxed(box: str) -> str:
    """Returns the text of a box: no frame, title or colours, and nothing that follows its rule."""
    text = []
    for line in ESCAPE.sub("", box).splitlines():
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


def in_one_line(text: str) -> str:
    """Returns a text on one line, without the control codes that names of files may bring."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _fail(program: str, error: object, code: int) -> int:
    """Says what went wrong."""
    if sys.stderr is not None:  # closed: `print` would take stdout instead
        print(f"{program}: {in_one_line(str(error))}", file=sys.stderr)  # noqa: T201
    return code
