"""Configs as JSON, in today's form and in that of version 0.1.0, which people still have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenes.atomic import write_whole
from scenes.command_line import CommandError
from scenes.serialise import from_json, list_from_json, parse_json, to_json

from monet.config import TrainConfig
from monet.seal import DAMAGED, SealError, digest, read_regular

CONFIG = "config.json"

VERSION = 2
"""Version of the JSON's form; version 1, which package 0.1.0 wrote, carries no number."""
MOST_TEXT = 1 << 20
"""Most characters of a config, or of all stages together."""


@dataclass(frozen=True)
class Stage:
    """A run that another one went on from (`--init-from`)."""

    step: int
    """Steps made."""
    config: TrainConfig


def config_to_json(config: TrainConfig) -> str:
    """Returns a run's config as JSON that says its version."""
    return json.dumps({"version": VERSION, **json.loads(to_json(config))}, sort_keys=True)


def config_from_json(text: str) -> TrainConfig:
    """Returns the config that `config_to_json` wrote, now or in version 1.

    Raises:
        ValueError: it is no config, of a newer version, or uses an option that was removed.
    """
    return from_json(json.dumps(_renewed(_parsed(text))), TrainConfig)


def stages_to_json(stages: Sequence[Stage]) -> str:
    """Returns the runs that another one went on from as JSON, in order."""
    rows = [
        {"step": stage.step, "config": json.loads(config_to_json(stage.config))} for stage in stages
    ]
    return json.dumps(rows, sort_keys=True)


def stages_from_json(text: str) -> tuple[Stage, ...]:
    """Returns what `stages_to_json` wrote, now or in version 1.

    Raises:
        ValueError: as from `config_from_json`.
    """
    rows = _parsed(text)
    if not isinstance(rows, list):
        raise ValueError("stages: no list")
    for row in rows:
        if isinstance(row, dict) and "config" in row:
            row["config"] = _renewed(row["config"])
    return tuple(list_from_json(json.dumps(rows), Stage))


def save_config(folder: Path, config: TrainConfig) -> None:
    """Writes a run's config, with a checksum."""
    text = config_to_json(config)
    sealed = {"checksum": digest(text.encode()), **json.loads(text)}
    write_whole(folder / CONFIG, (json.dumps(sealed) + "\n").encode())


def read_config(folder: Path) -> TrainConfig:
    """Reads a run's config; one of version 0.1.0, without a checksum, is taken as it is.

    Raises:
        CommandError: the file is missing, damaged, no config, or of another version.
    """
    path = folder / CONFIG
    try:
        config = _parsed(read_regular(path).decode())
        if isinstance(config, dict) and "checksum" in config:
            checksum = config.pop("checksum")
            if digest(json.dumps(config, sort_keys=True).encode()) != checksum:
                raise SealError(DAMAGED)
        return from_json(json.dumps(_renewed(config)), TrainConfig)
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error


def _parsed(text: str) -> Any:
    if len(text) > MOST_TEXT:
        raise ValueError(f"not JSON of a config: {len(text):,} characters")
    return parse_json(text)


def _renewed(config: Any) -> Any:
    """Returns a parsed config in today's form, without its version."""
    if not isinstance(config, dict):
        raise ValueError(f"a config must be a JSON object, got {type(config).__name__}")
    rest = {name: value for name, value in config.items() if name != "version"}
    version = config.get("version", 1)
    if version == VERSION:
        return rest
    if version != 1:
        raise ValueError(f"version {version}, this one reads {VERSION}")
    # Architecture and loss were one, and compiling was done or not.
    model = rest.get("model", {})
    if not isinstance(model, dict):
        raise ValueError(f"model must be a JSON object, got {type(model).__name__}")
    model = dict(model)
    if model.pop("mixture", "per_pixel") != "per_pixel":
        raise ValueError("mixture per_channel: version 0.1.0 was the last that had it")
    for part, names in (
        ("loss", ("sigma_bg", "sigma_fg", "beta", "gamma")),
        ("ablations", ("gamma_vae", "posterior_weight")),
    ):
        rest[part] = {name: model.pop(name) for name in names if name in model}
    if isinstance(rest.get("compile"), bool):
        rest["compile"] = "always" if rest["compile"] else "auto"
    if isinstance(rest.get("name"), str):  # it could be a path, such as sweeps/1
        rest["name"] = rest["name"].replace("/", "-").strip(".") or "unnamed"
    return {**rest, "model": model}
