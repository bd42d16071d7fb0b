"""Weights and training states on disk; no pickle code runs when they are read."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from scenes.atomic import write_whole
from scenes.command_line import CommandError, UsageError

from monet.config import Precision, TrainConfig
from monet.config_file import (
    Stage,
    config_from_json,
    config_to_json,
    stages_from_json,
    stages_to_json,
)
from monet.model import Monet

WEIGHTS = "model.safetensors"
STATE = "state.pt"
CONFIG = "config.json"
SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package, as NAME.safetensors."""


def save_weights(
    path: Path,
    weights: Mapping[str, torch.Tensor],
    config: TrainConfig,
    step: int,
    dataset: str,
    notes: Mapping[str, str] | None = None,
    stages: tuple[Stage, ...] = (),
) -> None:
    """Writes weights with the config, the step and the dataset they belong to.

    Args:
        path: the file.
        weights: tensors by name.
        config: the whole run's.
        step: steps made.
        dataset: name of the dataset.
        notes: more to keep beside them, such as `seed`, `commit` or `scores` (as JSON).
        stages: the runs before, the first one first.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    facts = {"config": config_to_json(config), "step": str(step), "dataset": dataset}
    if stages:
        facts["stages"] = stages_to_json(stages)
    write_whole(path, save(tensors, {**(notes or {}), **facts}))


@dataclass(frozen=True)
class Weights:
    """A model as it was saved."""

    path: Path
    config: TrainConfig
    step: int
    dataset: str
    """Name of the dataset it was trained on."""
    tensors: dict[str, torch.Tensor]
    notes: dict[str, str] = field(default_factory=dict)
    """What else was saved with them."""
    stages: tuple[Stage, ...] = ()
    """The runs that theirs went on from, the first one first."""

    @property
    def name(self) -> str:
        """Name of the run folder, or of the file."""
        return self.path.parent.name if self.path.name == WEIGHTS else self.path.stem

    def model(self) -> Monet:
        """Returns the model, ready to decompose images.

        Raises:
            CommandError: the weights are not those of the config's model.
        """
        model = Monet(self.config.model, self.config.loss)
        try:
            model.load_state_dict(self.tensors)
        except RuntimeError as error:
            raise CommandError(f"{self.path}: weights and config disagree") from error
        return model.eval()


def read_weights(path: Path) -> Weights:
    """Reads weights.

    Raises:
        CommandError: the file is missing, cut short, foreign, or of another version's config.
    """
    if not path.is_file():
        raise CommandError(f"{path}: no such file; monet-train makes one")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CommandError(f"{path}: not safetensors, or cut short") from error
    if "config" not in metadata:
        raise CommandError(f"{path}: no config in its metadata: not a model of this project")
    try:
        config = config_from_json(metadata.pop("config"))
        step, dataset = int(metadata.pop("step")), metadata.pop("dataset")
        stages = stages_from_json(metadata.pop("stages", "[]"))
    except (ValueError, KeyError) as error:
        raise CommandError(f"{path}: config: {error}") from error
    return Weights(path, config, step, dataset, tensors, metadata, stages)


def find_weights(name: str | Path) -> Path:
    """Returns the weights file of a run folder, a file, or a name of shipped weights.

    Raises:
        UsageError: there is no such thing.
    """
    path = Path(name)
    if path.is_dir():
        if not (path / WEIGHTS).is_file():
            raise UsageError(f"{path}: no {WEIGHTS} in this folder: not a run, or not yet saved")
        return path / WEIGHTS
    if path.is_file():
        return path
    shipped = SHIPPED / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.safetensors")))
    known = f"weights that come with the package: {names}" if names else "no weights come with it"
    raise UsageError(f"{name}: no such run folder; {known}")


def load(name: str | Path) -> Monet:
    """Loads a trained model, ready to decompose images.

    Example:
        >>> import monet
        >>> monet.load("objects_room_64").config.image_size
        64

    Args:
        name: run folder, weights file, or name of shipped weights.

    Raises:
        UsageError: there is no such thing.
        CommandError: its file cannot be used.
    """
    return read_weights(find_weights(name)).model()


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
    """The runs that this one goes on from, the first one first."""
    data: str = ""
    """What file it learns from: dataset, config and seed, on one line."""
    rows: int = 0
    """Rows of that file; its last ones are held out."""
    unlogged: tuple[tuple[float, ...], ...] = ()
    """Terms of the steps since the last line of metrics.jsonl."""
    precision: Precision | Literal[""] = ""
    """What `auto` chose as the run began; empty in states of version 0.1.0."""


def save_state(folder: Path, state: State) -> None:
    """Writes a training state."""
    # By way of memory: torch's own writer does not say why a write failed.
    content = io.BytesIO()
    torch.save({**vars(state), "stages": stages_to_json(state.stages)}, content)
    write_whole(folder / STATE, content.getvalue())


_UNREADABLE = (
    RuntimeError, pickle.UnpicklingError, EOFError, TypeError, ValueError, KeyError,
)  # fmt: skip


def read_state(folder: Path) -> State:
    """Reads a training state.

    Raises:
        CommandError: it is cut short, foreign, or holds more than tensors and numbers.
    """
    path = folder / STATE
    try:
        saved = dict(torch.load(path, map_location="cpu", weights_only=True))
        stages = stages_from_json(saved.pop("stages"))
        state = State(**saved, stages=stages)
        if not isinstance(state.step, int) or not all(
            isinstance(part, dict) for part in (state.model, state.average, state.optimiser)
        ):
            raise TypeError("parts of other types")
    except _UNREADABLE as error:
        raise CommandError(f"{path}: not a training state of this project, or cut short") from error
    return state


def save_config(folder: Path, config: TrainConfig) -> None:
    """Writes the run's config."""
    write_whole(folder / CONFIG, (config_to_json(config) + "\n").encode())


def read_config(folder: Path) -> TrainConfig:
    """Reads a run's config.

    Raises:
        CommandError: it is none, or of another version.
    """
    path = folder / CONFIG
    try:
        return config_from_json(path.read_text())
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error
