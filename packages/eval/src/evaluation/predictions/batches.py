"""Decomposes many images by a model, batch by batch, and shows a bar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scenes.command_line import CommandError
from scenes.progress import counting

from evaluation.metrics.reconstruction import mse
from evaluation.predictions.checks import slots_of
from evaluation.predictions.contract import Batch, ModelOutput, Predictions, join_batches
from evaluation.predictions.models import Images, Model, ScoredModel, scored_model

AT_ONCE = 64
"""Images in one call of `decompose` for scores."""
DRAWN_AT_ONCE = 8
"""Images in one call of `decompose` for pictures, which keep everything."""


def predict(
    model: Model | ScoredModel,
    images: Images,
    num_slots: int | None = None,
    refine: int = 0,
) -> Predictions:
    """Decomposes images and keeps only what scores need: errors, not reconstructions.

    Args:
        model: any model.
        images: of any number.
        num_slots: slots to use; the model's own number by default.
        refine: rounds in which MONet's VAE corrects the masks.

    Raises:
        CommandError: the model's output does not fit the images; the message says why.
    """
    subject = scored_model(model)
    slots = subject.slots(num_slots)
    return _in_batches(
        images, AT_ONCE, subject, lambda batch: _summary(batch, subject, slots, refine)
    )


def decompose_images(
    model: ScoredModel, images: Images, num_slots: int, refine: int = 0
) -> ModelOutput:
    """Decomposes images and keeps everything, for the few images that are drawn.

    Raises:
        CommandError: as from `predict`.
    """
    return _in_batches(
        images, DRAWN_AT_ONCE, model, lambda batch: model.decompose(batch, num_slots, refine)
    )


def _in_batches(
    images: Images, at_once: int, model: ScoredModel, decompose: Callable[[Images], Batch]
) -> Batch:
    """Returns the results of `decompose` for batches of images, joined, and shows a bar.

    Raises:
        CommandError: the batches have different numbers of slots, or one lacks what others have.
    """
    outputs: list[Batch] = []
    name = model.identity.name
    with counting(f"decomposing, {name}", len(images)) as advance:
        for start in range(0, len(images), at_once):
            batch = images[start : start + at_once]
            outputs.append(decompose(batch))
            if _slots_in(outputs[-1]) != _slots_in(outputs[0]):
                raise CommandError(
                    f"{name}: masks: has {_slots_in(outputs[-1])} slots in images from {start} "
                    f"and {_slots_in(outputs[0])} in those before"
                )
            unlike = _shapes_in(outputs[-1]) ^ _shapes_in(outputs[0])
            if unlike:
                raise CommandError(
                    f"{name}: {min(unlike)[0]}: of another shape in images from {start} than in "
                    "those before, or given for some of them alone"
                )
            advance(len(batch))
    return join_batches(outputs)


def _slots_in(output: Predictions | ModelOutput) -> int:
    return output.num_slots if isinstance(output, Predictions) else output.masks.shape[1]


def _shapes_in(output: Predictions | ModelOutput) -> set[tuple[str, tuple[int, ...]]]:
    """Returns the name of each array that is given, with its shape for one image."""
    named = {**vars(output), **output.terms}
    return {(key, v.shape[1:]) for key, v in named.items() if isinstance(v, np.ndarray)}


def _summary(images: Images, model: ScoredModel, num_slots: int, refine: int) -> Predictions:
    """Returns those parts of a model's output for one batch that scores need."""
    output = model.decompose(images, num_slots, refine)
    errors = {}
    if output.reconstruction is not None:
        errors["mse"] = mse(images, output.reconstruction)
    decoded, logits = output.masks_recon, output.mask_logits
    return Predictions(
        segmentation=slots_of(output.masks),
        num_slots=output.masks.shape[1],
        terms=errors | {name: term.astype(np.float64) for name, term in output.terms.items()},
        decoded=None if decoded is None else slots_of(decoded),
        extents=None if logits is None else logits > 0,
        latents=output.latents,
    )
