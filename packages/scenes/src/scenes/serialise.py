"""Turns frozen config dataclasses into JSON and back, for all three packages."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn
from cattrs.v import format_exception

T = TypeVar("T")

_converter = cattrs.Converter(forbid_extra_keys=True)


def _take(kind: type, accepted: tuple[type, ...], words: str) -> None:
    """Makes the converter refuse values of another type, rather than turn `"64"` into 64."""

    def take(value: Any, _: type) -> Any:
        wrong = isinstance(value, bool) and kind is not bool
        if wrong or not isinstance(value, accepted):
            raise ValueError(f"must be {words}, got {value!r:.80}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"must be a finite number, got {value}")
        return kind(value)

    _converter.register_structure_hook(kind, take)


_take(int, (int,), "a whole number")
_take(float, (int, float), "a number")
_take(str, (str,), "text")
_take(bool, (bool,), "true or false")


@_converter.register_structure_hook_factory(is_dataclass)
def _object_hook(kind: type) -> Callable[[Any, type], Any]:
    fields: Any = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True)

    def from_object(value: Any, _: type) -> Any:
        if not isinstance(value, dict):  # a list would give every field its default
            raise ValueError(f"must be an object with fields, got {value!r:.80}")
        return fields(value, kind)

    return from_object


def to_json(config: Any) -> str:
    """Returns a config as JSON, keys sorted, so that equal configs give equal text."""
    return json.dumps(_converter.unstructure(config), sort_keys=True)


def from_json(text: str, kind: type[T]) -> T:
    """Returns the config of type `kind` that `to_json` wrote.

    Raises:
        ValueError: the text is no JSON, has a key that `kind` lacks, or a value that it refuses;
            the message names the key.
    """
    result: T = _from_json(text, kind, kind.__name__)
    return result


def list_from_json(text: str, kind: type[T]) -> list[T]:
    """Returns the configs of type `kind` that `to_json` wrote as one list.

    Raises:
        ValueError: as from `from_json`.
    """
    result: list[T] = _from_json(text, list[kind], kind.__name__)  # type: ignore[valid-type]
    return result


def parse_json(text: str | bytes) -> Any:
    """Returns the value of a JSON text of any origin.

    Raises:
        ValueError: it is no JSON, or nests too deep for Python's parser (some 1,000 levels).
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError:
        raise ValueError("not JSON that can be read: lists and objects nest too deep") from None


def _from_json(text: str, kind: Any, name: str) -> Any:
    try:
        return _converter.structure(parse_json(text), kind)
    except cattrs.BaseValidationError as error:
        reasons = cattrs.transform_error(error, path=name, format_exception=_reason)
        raise ValueError("; ".join(reasons)) from error


def _reason(error: BaseException, kind: Any) -> str:
    """Returns the message of a config's own check, else that of cattrs."""
    return str(error) if isinstance(error, ValueError) else format_exception(error, kind)
