"""Checks of a config's fields where they are declared: one line names the field and its value."""

from __future__ import annotations

import math
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

MOST_SLOTS = 1024
"""Slots that a model runs; each is another pass of the attention, and of memory."""
MOST_STEPS = 10**15
MOST_LAYERS, MOST_CHANNELS = 16, 4096
MOST_WEIGHTS = 1 << 28
"""Weights of one layer: 1 GiB of float32."""


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Checks an integer.

    Raises:
        ValueError: the value is no integer from `low` to `high`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}")
    if value > high:
        raise ValueError(f"{name} must be at most {high:,}, got {value}")


def check_number(
    name: str, value: object, *, low: float = 0.0, high: float = math.inf, positive: bool = False
) -> None:
    """Checks a number, which must be finite.

    Args:
        name: of the field.
        value: its value.
        low: the least that it may be.
        high: the most that it may be.
        positive: whether it must be more than 0.

    Raises:
        ValueError: the value is no finite number of that range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value}")
    if positive and value <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    if value < low:
        raise ValueError(f"{name} must be at least {low:g}, got {value}")
    if value > high:
        raise ValueError(f"{name} must be at most {high:g}, got {value}")


def check_widths(name: str, widths: tuple[int, ...], fewest: int = 1) -> None:
    """Checks the widths of a network's layers.

    Raises:
        ValueError: there are too few or too many widths, or one is not from 1 to `MOST_CHANNELS`.
    """
    if not fewest <= len(widths) <= MOST_LAYERS:
        raise ValueError(f"{name} must be {fewest} to {MOST_LAYERS} widths, got {len(widths)}")
    for width in widths:
        check_integer(name, width, 1, MOST_CHANNELS)


def check_text(name: str, text: object) -> None:
    """Checks a name or path.

    Raises:
        ValueError: the text is no string, empty, longer than a path can be, or has characters that
            cannot be shown.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} must be of type str, got {text!r:.80}")
    if not text or len(text) > 4096 or not text.isprintable():
        raise ValueError(f"{name} must be 1 to 4,096 printable characters, got {text[:80]!r}")


def check_folder_name(name: str, text: object) -> None:
    """Checks the name of a folder, which must not lead into another one.

    Raises:
        ValueError: the text is `.` or `..`, has a slash, or fails `check_text`.
    """
    check_text(name, text)
    if text in (".", "..") or "/" in str(text) or "\\" in str(text):
        raise ValueError(f"{name} must be the name of one folder, without slashes, got {text!r}")


def check_kinds(config: Any) -> None:
    """Checks a config's choices, switches, paths, tuples and parts against their type hints.

    Numbers and texts have checks of their own, which know the range too.

    Raises:
        ValueError: a field is of another type, or not one of its choices.
    """
    for name, kind in get_type_hints(type(config)).items():
        value, origin = getattr(config, name), get_origin(kind)
        if origin is Literal:
            if value not in get_args(kind):
                words = ", ".join(get_args(kind))
                raise ValueError(f"{name} must be one of {words}, got {value!r}")
            continue
        expected = origin or kind
        is_checked = expected in (bool, Path, tuple) or is_dataclass(expected)
        if is_checked and not isinstance(value, expected):
            raise ValueError(f"{name} must be of type {expected.__name__}, got {value!r:.80}")
