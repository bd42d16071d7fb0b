"""Checks of values where they are declared; an error is one line that names the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuses a value that is not a whole number within a range.

    Args:
        name: of the value, such as `--objects`.
        value: of any type, as a file or a caller has it.
        low: the least that is allowed.
        high: the most that is allowed.

    Raises:
        ValueError: the value is refused.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuses a value that is not one of some names.

    Raises:
        ValueError: the value is refused.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_seed(seed: Any) -> None:
    """Refuses a seed that is not a whole number from 0 to 2^63 - 1.

    Raises:
        ValueError: the seed is refused.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 63:
        raise ValueError(f"--seed must be from 0 to 2^63 - 1, got {seed!r}")


def narrowed(values: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
    """Converts values to another type, which must be able to hold them.

    Args:
        values: numbers.
        dtype: the new type. Whole numbers must stay the same; floats may be rounded.
        name: of the values, for the message.

    Raises:
        ValueError: a value does not fit.
    """
    if np.can_cast(values.dtype, dtype, "safe"):
        return values.astype(dtype, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        result = values.astype(dtype)
    if dtype.kind == "f":
        lost = np.isinf(result) & np.isfinite(values)
    else:
        lost = result.astype(values.dtype) != values
    if lost.any():
        raise ValueError(f"{name}: {values[lost].ravel()[0]} does not fit into {dtype}")
    return result
