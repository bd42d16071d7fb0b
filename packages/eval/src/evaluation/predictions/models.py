"""Any model as it is scored: who it is, what it takes, and what it makes of images.

A model is any object with `decompose(images, num_slots)` (`Model`). MONet is one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from scenes.command_line import CommandError, UsageError

from evaluation.predictions.contract import ModelOutput, read_decoded, read_output
from evaluation.predictions.fingerprint import hash_of_code, hash_of_weights
from evaluation.scores.results import ModelIdentity

if TYPE_CHECKING:
    from monet import Monet
    from monet.weights import Weights

ASKABLE_SLOTS = (2, 255)
"""Fewest and most slots that a model is asked for."""
ROUNDS = 3
"""Rounds in which MONet's VAE corrects the refined masks that stand beside the attention's."""

Images = UInt8[np.ndarray, "N H W 3"]
Latents = Float[np.ndarray, "N D"]
Components = Float[np.ndarray, "N H W 3"]
MaskLogits = Float[np.ndarray, "N H W"]


@runtime_checkable
class Model(Protocol):
    """What can be scored: any object that divides images among slots.

    It may also say `image_size` (pixels to which larger images are averaged down; without it,
    images come at their file's size), `num_slots` (how many it was trained with, taken where nobody
    asks for another number), `name`, and `decode(latents)`, which takes the latents (N, D) of
    single slots and returns their components (N, H, W, 3) and the logits of their masks (N, H, W):
    `eval traverse` and figure 5 need it.

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
    decode: Callable[[Latents], tuple[Components, MaskLogits]] | None = None
    """Component and mask logits of each of some slots' latents; `None` where it cannot."""
    refines: bool = False
    """Whether its decoder can correct its masks (`Monet.decompose`)."""
    fingerprint: Callable[[], str] | None = None
    """Hash of all that its output depends on beside images and slots; `None` where nobody can tell,
    and nothing is kept."""
    weights: Weights | None = None
    """MONet's weights, where it was read from a file."""
    monet: Monet | None = None
    """The MONet itself; `None` of another model."""

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
            UsageError: too few or too many are asked for, or none and the model does not say.
        """
        if asked is None and self.num_slots is None:
            raise UsageError(
                f"{self.identity.name}: has no num_slots of its own; say how many with --slots"
            )
        check_slots(asked)
        return self.num_slots if asked is None else asked  # type: ignore[return-value]


def check_slots(asked: int | None) -> None:
    """Refuses a number of slots that no model is asked for.

    Raises:
        UsageError: it is too small or too large.
    """
    fewest, most = ASKABLE_SLOTS
    if asked is not None and asked < fewest:
        raise UsageError(f"--slots must be at least {fewest}, got {asked}")
    if asked is not None and asked > most:
        raise UsageError(f"--slots must be at most {most}, got {asked}")


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
    return any_model(model, None, type(model).__name__)


def monet_model(
    model: Monet, identity: ModelIdentity, weights: Weights | None = None
) -> ScoredModel:
    """Returns a MONet as it is scored, read from weights or made by a program."""
    import monet  # whose import loads torch: where a Monet is at hand, it is loaded already

    def decompose(images: Images, num_slots: int, refine: int) -> ModelOutput:
        output = model.decompose(images, num_slots, refine=refine)
        # After a few hundred steps its decoder's means of bright walls come to 1.5.
        return read_output(output, images, identity.name, knows_scale=True)

    def decode(latents: Latents) -> tuple[Components, MaskLogits]:
        components, logits = model.render(latents[None])
        return read_decoded((components[0], logits[0]), len(latents), identity.name)

    return ScoredModel(
        identity=identity,
        image_size=model.config.image_size,
        num_slots=model.config.num_slots,
        decompose=decompose,
        decode=decode,
        refines=True,
        fingerprint=lambda: f"{hash_of_weights(model)} {hash_of_code(Path(monet.__file__).parent)}",
        weights=weights,
        monet=model,
    )


def any_model(model: object, path: str | None, name: str) -> ScoredModel:
    """Returns an object with `decompose` as it is scored.

    Args:
        model: the object.
        path: where it came from, `module:factory`; `None` for an object of a program.
        name: what it is called unless it says so itself.

    Raises:
        UsageError: it has no `decompose`, or says something impossible of itself.
    """
    if not isinstance(model, Model):
        raise UsageError(
            f"{path or name}: a model needs decompose(images, num_slots), which "
            f"{type(model).__name__} has not"
        )
    own_name = getattr(model, "name", None)
    identity = ModelIdentity(path, own_name if isinstance(own_name, str) else name, None)

    def decompose(images: Images, num_slots: int, _: int) -> ModelOutput:
        output = run_user_code(
            lambda: model.decompose(images, num_slots), f"{identity.name}: decompose"
        )
        return read_output(output, images, identity.name)

    def decode(latents: Latents) -> tuple[Components, MaskLogits]:
        output = run_user_code(
            lambda: model.decode(latents),  # type: ignore[attr-defined]
            f"{identity.name}: decode",
        )
        return read_decoded(output, len(latents), identity.name)

    return ScoredModel(
        identity=identity,
        image_size=_number(model, "image_size", identity.name),
        num_slots=_number(model, "num_slots", identity.name),
        decompose=decompose,
        decode=decode if callable(getattr(model, "decode", None)) else None,
    )


def run_user_code(code: Callable[[], Any], what: str) -> Any:
    """Runs a user's code, whose errors are one line.

    Raises:
        CommandError: it raised any error.
    """
    try:
        return code()
    except Exception as error:
        raise CommandError(f"{what} raised {type(error).__name__}: {error}") from error


def _number(model: Model, key: str, name: str) -> int | None:
    value = getattr(model, key, None)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise UsageError(f"{name}: {key} must be a number of at least 1, got {value!r}")
