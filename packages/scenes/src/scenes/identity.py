"""The identity of a file's scenes: all that decides them, and no path.

For generated scenes these are dataset, config, seed and the drawing's version; for scenes that were
read from other files, the checksums of those files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from scenes.dataset import DatasetConfig
from scenes.serialise import from_json, parse_json, to_json
from scenes.source_list import DATASETS

RENDERER_KEYS = ("gl_vendor", "gl_renderer", "gl_version", "mujoco")
"""Keys of a provenance that name the renderer; the other keys name the drawing's version."""


def identity_of(config: DatasetConfig, seed: int, provenance: str = "{}") -> str:
    """Returns the identity of scenes, as one line of JSON.

    Args:
        config: of the dataset.
        seed: of the scenes.
        provenance: the file's attribute, which has the drawing's version; by default any version.
    """
    return identity_of_json(config.dataset, to_json(config), seed, provenance)


def identity_of_json(dataset: str, config: str, seed: int, provenance: str) -> str:
    """Returns the identity of scenes, as one line of JSON, from the attributes of their file."""
    stored = parse_json(provenance)
    drawing = {key: value for key, value in stored.items() if key not in RENDERER_KEYS}
    content = _content(dataset, config)
    whole = {"dataset": dataset, "config": content, "seed": seed, "drawing": drawing}
    return json.dumps(whole, sort_keys=True)


def same_scenes(one: str, other: str) -> bool:
    """Whether two identities are of the same scenes, as far as both of them say.

    Args:
        one: an identity of this version, or of an earlier one, which held paths as they were typed.
        other: another such identity.
    """
    first, second = _parsed(one), _parsed(other)
    if first is None or second is None:
        return one == other
    if (first["dataset"], first["seed"]) != (second["dataset"], second["seed"]):
        return False
    drawings = first.get("drawing"), second.get("drawing")
    if all(drawings) and drawings[0] != drawings[1]:
        return False
    configs = first["config"], second["config"]
    # A checksum of the content, where both have it, replaces one of names and lengths, which is all
    # that an earlier version stored.
    skipped = "items" if all(config.get("content") for config in configs) else "content"
    plain = [{key: config[key] for key in config if key != skipped} for config in configs]
    return plain[0] == plain[1]


def _content(dataset: str, config: str) -> dict[str, Any]:
    """Returns a config as a dict, in which a path is only true or false: there is one or none."""
    kind = DATASETS.get(dataset)
    if kind is None:
        return parse_json(config)
    whole = parse_json(to_json(from_json(config, kind.config)))  # every default written out
    return {key: value is not None if key in kind.places else value for key, value in whole.items()}


def _defaults(dataset: str) -> dict[str, Any]:
    """Returns what a config's fields are where an earlier version had none of them."""
    kind = DATASETS.get(dataset)
    if kind is None:
        return {}
    defaults = {
        field.name: field.default is not None if field.name in kind.places else field.default
        for field in fields(kind.config)
        if field.default is not MISSING
    }
    return dict(parse_json(json.dumps(defaults)))  # tuples are lists there


def _parsed(identity: str) -> Mapping[str, Any] | None:
    try:
        if identity.startswith("{"):
            whole = parse_json(identity)
            defaults = _defaults(whole["dataset"])
            whole["config"] = {**defaults, **whole["config"]}
            return whole if {"dataset", "seed"} <= whole.keys() else None
        earlier = re.fullmatch(r"(\S+) (\{.*\}) seed (\d+)\s*", identity)
        if earlier is None:
            return None
        dataset, config, seed = earlier.groups()
        return {"dataset": dataset, "config": _content(dataset, config), "seed": int(seed)}
    except (ValueError, KeyError, TypeError):  # no identity of ours
        return None
