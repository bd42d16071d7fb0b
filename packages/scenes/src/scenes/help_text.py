"""Makes the `--help` of a command's fields from their docstrings, wrapped to the terminal."""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
import tyro
from tyro.constructors import (
    MISSING_NONPROP,
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

UNPREFIXED = tyro.conf.OmitArgPrefixes
"""Marks a command's field of options: their flags go without the field's name."""
WORDS: dict[Any, str] = {str: "STR", int: "INT", float: "FLOAT", Path: "PATH"}


def registry() -> ConstructorRegistry:
    """Returns the rules by which tyro reads the dataclasses of a command line.

    They differ from tyro's own in two ways: the lines of a field's docstring are joined before they
    are wrapped, and an optional flag shows neither `{None}|` nor `(default: None)`.
    """
    rules = ConstructorRegistry()
    rules.struct_rule(_dataclass)
    return rules


def _dataclass(info: StructTypeInfo) -> StructConstructorSpec | None:
    if not is_dataclass(info.type) or info.type.__module__.startswith("tyro."):
        return None  # tyro wraps commands in generic dataclasses of its own
    hints = get_type_hints(info.type, include_extras=True)
    return StructConstructorSpec(
        instantiate=info.type,
        fields=tuple(
            _flag(field, hints[field.name], info.default, _helps(info.type).get(field.name))
            for field in fields(info.type)
        ),
    )


def _flag(field: Field[Any], kind: Any, of: object, text: str | None) -> StructFieldSpec:
    default = getattr(of, field.name, _own_default(field))
    if default is None:
        kind = Annotated[kind, tyro.conf.arg(metavar=_metavar(kind), help_behavior_hint="")]
    elif default == ():
        kind = Annotated[kind, tyro.conf.arg(help_behavior_hint="")]
    return StructFieldSpec(field.name, kind, default, text)


def _own_default(field: Field[Any]) -> object:
    if field.default is not MISSING:
        return field.default
    return MISSING_NONPROP if field.default_factory is MISSING else field.default_factory()


def _metavar(kind: Any) -> str:
    """Returns the placeholder of a flag's value in `--help`, such as PATH, without `None`."""
    if get_origin(kind) is Annotated:
        return _metavar(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is tuple:
        word = _metavar(get_args(kind)[0])
        return f"{word} [{word} ...]"
    if get_origin(kind) is Literal:
        return f"{{{','.join(map(str, get_args(kind)))}}}"
    return WORDS[kind]


@cache
def _helps(owner: type) -> dict[str, str]:
    """Returns the docstring of each field of a dataclass, in one line; a base's fields too."""
    return {
        part.arg_name: " ".join(part.description.split())
        for each in reversed(owner.__mro__[:-1])
        for part in docstring_parser.parse_from_object(each).params
        if part.description
    }
