"""Weights on disk, with the config, step and dataset that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from scenes.atomic import write_whole
from scenes.command_line import CommandError, UsageError

from monet.config import TrainConfig
from monet.config_file import (
    Stage,
    config_from_json,
    config_to_json,
    stages_from_json,
    stages_to_json,
)
from monet.model import Monet
from monet.ranges import MOST_STEPS, check_integer, check_text
from monet.seal import SealError, facts_of_weights, read_regular, seal_weights
from monet.step_count import steps_in_words

WEIGHTS = "model.safetensors"
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
    """Writes weights with the config, the step and the dataset they belong to, and a checksum.

    The same weights and facts give the same bytes.

    Args:
        path: the file.
        weights: tensors by name.
        config: the whole run's.
        step: steps made.
        dataset: name of the dataset.
        notes: more facts to keep beside them, such as `seed`, `commit` or `scores` (as JSON).
        stages: the runs that this one went on from, in order.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    facts = {"config": config_to_json(config), "step": str(step), "dataset": dataset}
    if stages:
        facts["stages"] = stages_to_json(stages)
    write_whole(path, seal_weights(save(tensors), {**(notes or {}), **facts}))


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
    """The runs that their run went on from, in order."""

    @property
    def name(self) -> str:
        """Name of the run folder, or of the file."""
        return self.path.parent.name if self.path.name == WEIGHTS else self.path.stem

    @property
    def stages_with_own(self) -> tuple[Stage, ...]:
        """The runs before, and their own last: the stages of a run that goes on from here."""
        return (*self.stages, Stage(self.step, self.config))

    @property
    def earlier_steps(self) -> int:
        """Steps of the runs that their run went on from."""
        return sum(stage.step for stage in self.stages)

    @property
    def title(self) -> str:
        """Name and steps: `objects_room_quick (40,410 steps, the last stage 7,615)`."""
        return f"{self.name} ({steps_in_words(self.step, self.earlier_steps)})"

    def model(self) -> Monet:
        """Returns the model, ready to decompose images.

        Raises:
            CommandError: the weights are not those of the config's model.
        """
        with torch.device("meta"):  # before anything of the config's sizes is allocated
            expected = Monet(self.config.model).state_dict()
        shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        if shapes != {name: tensor.shape for name, tensor in expected.items()}:
            raise CommandError(f"{self.path}: weights and config disagree")
        model = Monet(self.config.model, self.config.loss)
        model.load_state_dict(self.tensors)
        return model.eval()


def read_weights(path: Path) -> Weights:
    """Reads weights; those of version 0.1.0, without a checksum, are taken as they are.

    Raises:
        CommandError: the file is missing, cut short, damaged, foreign, of another version, or has
            weights that are not finite.
    """
    content = read_regular(path)
    try:
        facts = facts_of_weights(content)
        tensors = load_tensors(content)
    except SealError as error:
        raise CommandError(f"{path}: {error}") from error
    except (SafetensorError, ValueError) as error:
        raise CommandError(f"{path}: not safetensors, or cut short") from error
    if "config" not in facts:
        raise CommandError(f"{path}: no config in its metadata: not a model of this project")
    try:
        config = config_from_json(facts.pop("config"))
        step, dataset = int(facts.pop("step")), facts.pop("dataset")
        check_integer("step", step, 0, MOST_STEPS)
        check_text("dataset", dataset)
        stages = stages_from_json(facts.pop("stages", "[]"))
    except (ValueError, KeyError) as error:
        raise CommandError(f"{path}: config: {error}") from error
    spoilt = first_not_finite(tensors)
    if spoilt is not None:
        raise CommandError(f"{path}: {spoilt}: not all weights are finite numbers")
    return Weights(path, config, step, dataset, tensors, facts, stages)


def first_not_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Returns the name of the first tensor with a value that float32 cannot hold, if any."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not tensor.float().isfinite().all():
            return name
    return None


def find_weights(name: str | Path) -> Path:
    """Returns the weights file of a run folder, a file, or a name of shipped weights.

    Raises:
        UsageError: there are no weights of that name.
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
    choice = f"weights that come with the package: {names}" if names else "no weights come with it"
    raise UsageError(f"{name}: no such run folder; {choice}")


def load(name: str | Path) -> Monet:
    """Loads a trained model, ready to decompose images.

    Example:
        >>> import monet
        >>> monet.load("objects_room_64").config.image_size
        64

    Args:
        name: run folder, weights file, or name of shipped weights.

    Raises:
        UsageError: there are no weights of that name.
        CommandError: their file cannot be used.
    """
    return read_weights(find_weights(name)).model()
