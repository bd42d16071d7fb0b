"""Any model as it is scored: who it is, what it takes, and what it makes of images.

A model is any object with `decompose(images, num_slots)` (`Model`). MONet is one of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import CommandError, UsageError

from evaluation.metrics.reconstruction import mse
from evaluation.predictions.contract import ModelOutput, Predictions, read_output
from evaluation.predictions.fingerprint import hash_of_code, hash_of_weights
from evaluation.scores.results import ModelIdentity

if TYPE_CHECKING:
    from monet import Monet
    from monet.weights import Weights

AT_ONCE = 64
"""Images in one call of `decompose`."""
ROUNDS = 3
"""Rounds in which MONet's VAE corrects the refined masks that stand beside the attention's."""

Images = UInt8[np.ndarray, "N H W 3"]


@runtime_checkable
class Model(Protocol):
    """What can be scored: any object that divides images among slots.

    It may also say `image_size` (pixels to which larger images are averaged down; without it,
    images come at their file's size), `num_slots` (how many it was trained with, taken where nobody
    asks for another number) and `name`.

    Example:
        >>> import evaluation, numpy as np
        >>> class Halves:
        ...     def decompose(self, images, num_slots):
        ...         masks = np.zeros((len(images), num_slots, *images.shape[1:3]))
        ...         half = images.shape[2] // 2
        ...         masks[:, 0, :, :half] = 1
        ...         masks[:, 1, :, half:] = 1
        ...         return masks
        >>> isinstance(Halves(), evaluation.Model)
        True
    """

    def decompose(self, images: Any, num_slots: Any) -> Any:
        """Divides images among slots.

        Args:
            images: (N, H, W, 3) uint8 RGB.
            num_slots: slots K to use.

        Returns:
            `masks` (N, K, H, W), which sum to one over K: as a bare array, or as an attribute of an
            object that may also have `reconstruction` (N, H, W, 3) and `components`
            (N, K, H, W, 3), colours in [0, 1], and `latents` (N, K, D).
        """


@dataclass(frozen=True)
class ScoredModel:
    """A model with everything that scores, figures and pages ask of it."""

    identity: ModelIdentity
    image_size: int | None
    """Pixels that images are averaged down to; `None` takes them as they are."""
    num_slots: int | None
    """Slots of its training, where it says."""
    decompose: Callable[[Images, int, int], ModelOutput]
    """Takes images, slots, and rounds of refining, which are 0 unless `refines`."""
    refines: bool = False
    """Whether its decoder can correct its masks (`Monet.decompose`)."""
    fingerprint: Callable[[], str] | None = None
    """Hash of all that its output depends on beside images and slots; `None` where nobody can tell,
    and nothing is kept."""
    weights: Weights | None = None
    """MONet's weights, where it was read from a file."""

    @property
    def dataset(self) -> str | None:
        """Name of the dataset that it was trained on, where known."""
        return None if self.weights is None else self.weights.dataset

    @property
    def data(self) -> Path | None:
        """File that it was trained on, where known; it may be gone."""
        return None if self.weights is None else self.weights.config.data

    def slots(self, asked: int | None) -> int:
        """Returns the number of slots to use.

        Raises:
            UsageError: fewer than two are asked for, or none and the model does not say.
        """
        if asked is None and self.num_slots is None:
            raise UsageError(
                f"{self.identity.name}: has no num_slots of its own; say how many with --slots"
            )
        slots = self.num_slots if asked is None else asked
        if slots is None or slots < 2:
            raise UsageError(f"--slots must be at least 2, got {slots}")
        return slots


def scored_model(model: Model | ScoredModel) -> ScoredModel:
    """Returns any model as it is scored.

    Raises:
        UsageError: it has no `decompose`.
    """
    if isinstance(model, ScoredModel):
        return model
    monet = sys.modules.get("monet.model")  # whoever holds a Monet has imported it
    if monet is not None and isinstance(model, monet.Monet):
        return monet_model(model, ModelIdentity(None, "MONet", None))
    return _any_model(model, None, type(model).__name__)


def monet_model(
    model: Monet,
    identity: ModelIdentity,
    weights: Weights | None = None,
) -> ScoredModel:
    """Returns a MONet as it is scored, read from weights or made by a program."""
    import monet  # whose import loads torch: where a Monet is at hand, it is loaded already

    def decompose(images: Images, num_slots: int, refine: int) -> ModelOutput:
        made = model.decompose(images, num_slots, refine=refine)
        return read_output(made, images, identity.name)

    return ScoredModel(
        identity=identity,
        image_size=model.config.image_size,
        num_slots=model.config.num_slots,
        decompose=decompose,
        refines=True,
        fingerprint=lambda: f"{hash_of_weights(model)} {hash_of_code(Path(monet.__file__).parent)}",
        weights=weights,
    )


def _any_model(model: object, path: str | None, name: str) -> ScoredModel:
    if not isinstance(model, Model):
        raise UsageError(
            f"{path or name}: a model needs decompose(images, num_slots), which "
            f"{type(model).__name__} has not"
        )
    said = getattr(model, "name", None)
    identity = ModelIdentity(path, said if isinstance(said, str) else name, None)

    def decompose(images: Images, num_slots: int, _: int) -> ModelOutput:
        return read_output(model.decompose(images, num_slots), images, identity.name)

    return ScoredModel(
        identity=identity,
        image_size=_number(model, "image_size", identity.name),
        num_slots=_number(model, "num_slots", identity.name),
        decompose=decompose,
    )


def _number(model: Model, key: str, name: str) -> int | None:
    value = getattr(model, key, None)
    if value is None or (isinstance(value, int) and value > 0):
        return value
    raise UsageError(f"{name}: {key} must be a number of at least 1, got {value!r}")


def load_model(name: str) -> ScoredModel:
    """Returns the model that a function or class makes, without arguments.

    Args:
        name: `module:factory`, where the current folder counts, or `FILE.py:factory`.

    Raises:
        UsageError: there is no such module, file or factory, or what it makes is no model.
        CommandError: the module or the factory raised an error.
    """
    place, _, factory = name.rpartition(":")
    if not place or not factory.isidentifier():
        raise UsageError(f"--model must be module:factory or FILE.py:factory, got {name!r}")
    module = _imported(place)
    if not hasattr(module, factory):
        raise UsageError(f"--model {name}: {place} has no {factory}")
    made = getattr(module, factory)
    if isinstance(made, type) or not isinstance(made, Model):
        if not callable(made):
            raise UsageError(f"--model {name}: {factory} is neither a function nor a model")
        made = _run(made, f"--model {name}: {factory}()")
    return _any_model(made, name, factory)


def _imported(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"--model {place}: no such file")
        _count_for_imports(path.parent)
        name = f"model_file_{path.stem}"
        loader = SourceFileLoader(name, str(path))
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module  # where dataclasses of the file look for it
        _run(lambda: loader.exec_module(module), f"--model {place}:")
        return module
    _count_for_imports(Path())
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError):  # a package on the way to it is none
        found = None
    if found is None:
        raise UsageError(f"--model {place}: no such module, neither installed nor in this folder")
    module = _run(lambda: importlib.import_module(place), f"--model {place}:")
    return module


def _count_for_imports(folder: Path) -> None:
    """Lets modules of a folder be imported, now and when the model first runs."""
    entry = str(folder.resolve())
    if entry not in sys.path:
        sys.path.insert(0, entry)


def _run(code: Callable[[], Any], what: str) -> Any:
    """Runs a user's code, whose errors are one line.

    Raises:
        CommandError: it raised any error.
    """
    try:
        return code()
    except Exception as error:
        raise CommandError(f"{what} raised {type(error).__name__}: {error}") from error


def predict(
    model: Model | ScoredModel,
    images: Images,
    num_slots: int | None = None,
    refine: int = 0,
) -> Predictions:
    """Decomposes images, keeping what scores need: errors, not reconstructions.

    Args:
        model: any model.
        images: as many as there are.
        num_slots: slots to use; the model's own number by default.
        refine: rounds in which MONet's VAE corrects the masks.

    Raises:
        CommandError: what the model returns does not fit the images; the message says why.
    """
    subject = scored_model(model)
    slots = subject.slots(num_slots)
    parts = [
        _summary(images[start : start + AT_ONCE], subject, slots, refine)
        for start in range(0, len(images), AT_ONCE)
    ]
    first = parts[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("segmentation", "decoded", "extents", "latents")
        if getattr(first, name) is not None
    }
    terms = {name: np.concatenate([part.terms[name] for part in parts]) for name in first.terms}
    return Predictions(num_slots=max(part.num_slots for part in parts), terms=terms, **joined)


def _summary(images: Images, model: ScoredModel, num_slots: int, refine: int) -> Predictions:
    """Returns what scores need of one batch."""
    output = model.decompose(images, num_slots, refine)
    errors = {}
    if output.reconstruction is not None:
        errors["mse"] = mse(images, output.reconstruction)
    decoded, logits = output.masks_recon, output.mask_logits
    return Predictions(
        segmentation=output.masks.argmax(axis=1).astype(np.uint8),
        num_slots=output.masks.shape[1],
        terms=errors | {name: term.astype(np.float64) for name, term in output.terms.items()},
        decoded=None if decoded is None else decoded.argmax(axis=1).astype(np.uint8),
        extents=None if logits is None else logits > 0,
        latents=output.latents,
    )


def with_trained_slots(model: ScoredModel) -> ModelIdentity:
    """Returns who the model is, with the slots of its training where it says."""
    return replace(model.identity, trained_slots=model.num_slots)
