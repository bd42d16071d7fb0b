"""Reads JSON that anybody may have written, within bounds of size, depth and numbers."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from scenes.command_line import CommandError

MOST_BYTES = 256 * 2**20
MOST_LEVELS = 64
"""Most objects and lists within each other; files of scores have fewer than ten."""
LARGEST = 1e100
"""Largest number: no score is larger, and sums of larger ones would be infinite."""


def read_text(path: Path) -> str:
    """Returns the text of a regular file of at most `MOST_BYTES`.

    Raises:
        CommandError: there is no such file, or its text is no UTF-8.
    """
    if not path.exists():
        raise CommandError(f"{path}: no such file")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CommandError(f"{path}: is no regular file")
    if status.st_size > MOST_BYTES:
        raise CommandError(f"{path}: has {status.st_size:,} bytes; at most {MOST_BYTES:,} are read")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: is no UTF-8") from error


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file.

    Raises:
        CommandError: as from `read_text` and `parse_json`.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, source: str) -> Any:
    """Returns the content of a JSON text; NaN and infinities, which Python writes, become NaN.

    Args:
        text: the JSON.
        source: its file, and the line where there are several, for the message.

    Raises:
        CommandError: the text is no JSON, too deep, or has numbers or words that cannot be shown.
    """
    try:
        content = json.loads(text, parse_constant=lambda _: math.nan)
    except RecursionError:
        raise CommandError(f"{source}: has more than {MOST_LEVELS} levels") from None
    except ValueError as error:
        raise CommandError(f"{source}: is no JSON") from error
    _check(content, source)
    return content


def _check(content: Any, source: str) -> None:
    """Refuses content that is too deep, numbers that are too large, and lone surrogates."""
    pending = [(content, 1)]
    while pending:
        value, level = pending.pop()
        if level > MOST_LEVELS:
            raise CommandError(f"{source}: has more than {MOST_LEVELS} levels")
        if isinstance(value, dict):
            pending += [(key, level) for key in value]
            pending += [(item, level + 1) for item in value.values()]
        elif isinstance(value, list):
            pending += [(item, level + 1) for item in value]
        elif isinstance(value, int | float) and not abs(value) <= LARGEST and value == value:
            raise CommandError(f"{source}: holds a number beyond {LARGEST:g}")
        elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise CommandError(f"{source}: holds half a character (a lone surrogate)")


def readable(path: str | Path) -> str:
    """Returns a path as text that can be shown; bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
