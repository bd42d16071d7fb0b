"""Shared by the command lines of all three packages: exit codes, and errors of one line."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any, TypeVar

from scenes.notices import tell

T = TypeVar("T")

EXIT_FAILURE = 1
EXIT_USAGE = 2

DEBUG = "--debug"
"""Flag of every command: an error is shown with its traceback."""
DEBUG_HELP = f"With {DEBUG}, an error shows where it comes from."
"""Line about it in `--help`, whose parser never sees it: `run_command` removes it first."""


ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
WIDE = 1000
"""Columns of a terminal that is wide enough for any error on one line."""


class UsageError(Exception):
    """A request that cannot be met as it stands; nothing was changed."""


class CommandError(Exception):
    """A request that failed on the way; the message says what to do."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turns a value that `scenes.limits` refuses into a request that cannot be met.

    Raises:
        UsageError: the block raised a `ValueError`.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from None


def run_command(
    program: str,
    command: Callable[[list[str]], int | None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs a command, and turns every error into one line on stderr.

    `--debug` anywhere among the arguments shows an error's traceback before the line.

    Args:
        program: name that starts the line.
        command: does the work; takes the arguments, and returns an exit code, or `None` for
            success.
        arguments: by default those of the command line.

    Returns:
        0 for success, 2 for a wrong request, 1 for a failure or an error of the program. Where
        stdout is closed before all is written (`scenes show … | head -1`) it is 1, without a line.
    """
    if sys.platform == "win32":
        return _fail(program, "Windows is not supported (locks need fcntl); WSL is", EXIT_USAGE)
    _write_any_text()
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = DEBUG in words
    try:
        code = command([word for word in words if word != DEBUG])
        if sys.stdout is not None:
            sys.stdout.flush()  # a write error can be reported here, but no longer at exit
    except BrokenPipeError:
        _discard_stdout()
        return EXIT_FAILURE
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exception(error)
        message, code = _message_of(error)
        _discard_stdout()
        return _fail(program, message, code)
    return code or 0


def _message_of(error: BaseException) -> tuple[str, int]:
    """Returns an error as a message for the user, and the exit code."""
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
    name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"an error of the program: {name} ({DEBUG} shows where)", EXIT_FAILURE


def _write_any_text() -> None:
    """Makes stdout and stderr write characters that their encoding lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    """Drops what is still to be written to stdout, if it cannot be written.

    Otherwise Python tries once more as it ends, and prints several lines about it.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


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
    """Makes this process write as if the terminal had so many columns."""
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
    """Returns the text of a box up to its rule, without frame, title and colours."""
    text = []
    for line in ESCAPE.sub("", box).splitlines():
        inside = line.strip("│ ").strip()
        if inside and set(inside) == {"─"}:
            break
        if not line.startswith(("╭", "╰")) and inside:
            text.append(inside)
    return " ".join(text)


def in_words(error: OSError) -> str:
    """Returns an error of the system on one line, the file first; other errors unchanged."""
    if not error.strerror:
        return str(error)
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"


def _fail(program: str, error: str, code: int) -> int:
    """Says an error on one line."""
    tell(error, program)
    return code
