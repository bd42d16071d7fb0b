"""A training state on disk; no pickle code runs when it is read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from scenes.atomic import write_whole
from scenes.command_line import CommandError

from monet.config import Precision
from monet.config_file import Stage, stages_from_json, stages_to_json
from monet.ranges import MOST_STEPS, check_integer
from monet.seal import VERSION, SealError, check_zip, read_regular, seal_zip
from monet.training.steps import TERMS
from monet.weights import first_not_finite

STATE = "state.pt"


@dataclass(frozen=True)
class State:
    """Everything that a run needs to go on."""

    step: int
    """Steps made."""
    model: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    """Moving average of the weights."""
    optimiser: dict[str, Any]
    stages: tuple[Stage, ...] = ()
    """The runs that this one goes on from, in order."""
    data: str = ""
    """Identity of the training file's scenes (`SceneFile.identity`)."""
    rows: int = 0
    """Rows of the training file; its last ones are held out."""
    unlogged: tuple[tuple[float, ...], ...] = ()
    """Terms of the steps since the last line of metrics.jsonl."""
    precision: Precision | Literal[""] = ""
    """What `auto` chose as the run began; empty in states of version 0.1.0."""


def save_state(folder: Path, state: State) -> None:
    """Writes a training state, with a checksum."""
    # By way of memory: torch's own writer does not say why a write failed.
    write_whole(folder / STATE, state_bytes(state))


def state_bytes(state: State) -> bytes:
    """Returns the bytes of a file of a training state."""
    content = io.BytesIO()
    fields = {**vars(state), "stages": stages_to_json(state.stages), "version": VERSION}
    torch.save(fields, content)
    return seal_zip(content.getvalue())


def read_state(folder: Path) -> State:
    """Reads a training state; one of version 0.1.0 need not have a checksum.

    Raises:
        CommandError: the file is missing, cut short, damaged, foreign, or holds more than tensors
            and numbers.
    """
    path = folder / STATE
    content = read_regular(path)
    try:
        return _state_of(content)
    except SealError as error:
        raise CommandError(f"{path}: {error}") from error
    except Exception as error:  # torch and zipfile raise a dozen kinds
        raise CommandError(f"{path}: not a training state of this project, or cut short") from error


def _state_of(content: bytes) -> State:
    """Returns the state in a file's bytes.

    Raises:
        SealError: a checksum is wrong or missing, or the version is newer.
        Exception: any kind: the bytes hold no state.
    """
    sealed = check_zip(content)
    loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    version = loaded.pop("version", None)
    if version is not None and not sealed:
        raise SealError("damaged: its checksum is missing; take another copy")
    if version not in (None, VERSION):
        raise SealError(f"version {version}, this one reads {VERSION}")
    state = State(**{**loaded, "stages": stages_from_json(loaded["stages"])})
    check_integer("step", state.step, 0, MOST_STEPS)
    check_integer("rows", state.rows, 0, 2**63)
    if not isinstance(state.data, str) or not isinstance(state.optimiser, dict):
        raise TypeError("parts of other types")
    if any(len(terms) != len(TERMS) for terms in state.unlogged):
        raise ValueError("unlogged")
    for part in (state.model, state.average):
        _check_tensors(part, len(content))
    return state


def _check_tensors(part: Mapping[str, torch.Tensor], most_bytes: int) -> None:
    """Refuses weights that are not finite, or views that a copy would make larger than the file."""
    if any(tensor.nbytes > most_bytes for tensor in part.values()):
        raise ValueError("larger inside than outside")
    if first_not_finite(part) is not None:
        raise ValueError("not all weights are finite numbers")
