"""What an explorer shows: scenes and what the model makes of them, its decoder, and knobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from monet.config import LossConfig
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile

from evaluation.explorer.decoder import DecoderWeights, decoder_weights
from evaluation.explorer.knobs import Knob, learn_knobs
from evaluation.explorer.properties import read_properties
from evaluation.figures.colors import slot_colors
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput, Predictions
from evaluation.predictions.models import ROUNDS, ScoredModel
from evaluation.scores.latents import matched_objects
from evaluation.scores.predictors import train_and_test
from evaluation.scores.results import ModelIdentity
from evaluation.scores.truth import TestScenes, Truth, read_images, read_scenes

LATENT_SPAN = 3
"""Latents are set to values from minus to plus this."""
ENOUGH = 500
"""Scenes that knobs should be learned on; with fewer, the page says so."""


@dataclass(frozen=True)
class ShownScenes:
    """The first scenes of a file, at the model's size, and what the model makes of them."""

    path: Path
    images: UInt8[np.ndarray, "N H W 3"]
    truth: Truth | None
    output: ModelOutput
    refined: Float[np.ndarray, "N K H W"]
    """Masks that the VAE has corrected."""
    colors: UInt8[np.ndarray, "N K 3"]
    """Of the slots."""


@dataclass(frozen=True)
class ExplorerContent:
    """Everything that the page shows."""

    model: ModelIdentity
    size: int
    """Side of the pictures, in pixels."""
    loss: LossConfig
    decoder: DecoderWeights
    scenes: ShownScenes
    knobs: tuple[Knob, ...]
    knob_words: str
    """What the knobs were learned on, or why there are none."""
    latent_mean: Float32[np.ndarray, " D"]
    latent_deviation: Float32[np.ndarray, " D"]
    latent_words: str
    """Of which slots these are."""


def read_content(
    model: ScoredModel, path: Path, n: int, knob_scenes: int, slots: int, cache: Cache
) -> ExplorerContent:
    """Decomposes the scenes to show, and learns knobs on those after them.

    Args:
        model: a MONet.
        path: file of scenes, with or without their truth and factors.
        n: scenes to show, the first of the file; all where it has fewer.
        knob_scenes: scenes after them to learn knobs on, as far as the file has them.
        slots: slots to use.
        cache: where decompositions are kept.

    Raises:
        CommandError: the model is no MONet.
        UsageError: the images do not fit the model.
        FileError: the file cannot be read.
    """
    if model.monet is None:
        raise CommandError(
            f"{model.identity.name}: is no MONet; the page runs MONet's broadcast decoder, and no "
            "other"
        )
    monet, size = model.monet, model.monet.config.image_size
    shown = _shown_scenes(model, path, n, slots, cache)
    others, why_none = _other_scenes(path, len(shown.images), knob_scenes, size)
    predictions = None if others is None else cache.of_model(model, others.images, slots)
    latents, words = _latents(predictions, shown)
    knobs: tuple[Knob, ...] = ()
    knob_words = why_none
    if others is not None and predictions is not None:
        knobs, knob_words = _knobs(path, others, predictions, len(shown.images), size)
    return ExplorerContent(
        model=model.identity,
        size=size,
        loss=monet.loss_config,
        decoder=decoder_weights(monet),
        scenes=shown,
        knobs=knobs,
        knob_words=knob_words,
        latent_mean=latents.mean(axis=0),
        latent_deviation=latents.std(axis=0),
        latent_words=words,
    )


def _shown_scenes(model: ScoredModel, path: Path, n: int, slots: int, cache: Cache) -> ShownScenes:
    images, truth = read_images(path, n, model.image_size)
    output = cache.decompositions(model, images, slots)
    refined = cache.decompositions(model, images, slots, ROUNDS)
    colors = slot_colors(output.masks, truth)
    return ShownScenes(path, images, truth, output, refined.masks, colors)


def _other_scenes(path: Path, first: int, count: int, size: int) -> tuple[TestScenes | None, str]:
    """Returns the scenes after the first ones, or why nothing can be learned from them."""
    with SceneFile(path) as file:
        available = min(count, file.n - first)
        known = file.has("segmentation")
    if count == 0:
        return None, "No knobs: none were asked for (--knob-scenes 0)."
    if not known:
        return None, (
            f"No knobs: {path.name} has no segmentation, and so nothing to learn from which slot "
            "holds which object."
        )
    if available <= 0:
        return None, f"No knobs: {path.name} has no scenes beyond those shown to learn them on."
    scenes = read_scenes(path, first + available, size)
    return scenes.rows(list(range(first, first + available))), ""


def _knobs(
    path: Path, scenes: TestScenes, predictions: Predictions, first: int, size: int
) -> tuple[tuple[Knob, ...], str]:
    properties = read_properties(path, scenes, first)
    objects = matched_objects(scenes, predictions, properties.numbers)
    knobs = learn_knobs(objects, properties, size)
    train, test = train_and_test(objects) if len(objects.scene) else (np.zeros(0, bool),) * 2
    learned, tried = (len(np.unique(objects.scene[side])) for side in (train, test))
    words = (
        f"Learned on {train.sum():,} objects of {learned:,} scenes of {path.name}, scored on "
        f"{test.sum():,} objects of {tried:,} others; none of them is shown here."
    )
    if learned < ENOUGH:
        words += f" {ENOUGH} scenes or more would tell more."
    if not properties.shapes:
        words += f" {path.name} has no factors of its objects: no knobs of size, hue and shape."
    return knobs, words


def _latents(
    predictions: Predictions | None, shown: ShownScenes
) -> tuple[Float32[np.ndarray, "M D"], str]:
    """Returns the latents that the page calls the data's, and which slots they are of."""
    latents = shown.output.latents if predictions is None else predictions.latents
    if latents is None:
        raise ValueError("a MONet gives latents")
    where = (
        "of the scenes shown" if predictions is None else "of the scenes that knobs were learned on"
    )
    words = (
        f"From {-LATENT_SPAN} to {LATENT_SPAN}; beneath each, the mean and, shaded, one deviation "
        f"to either side of all {latents.shape[0] * latents.shape[1]:,} slots {where}."
    )
    return latents.reshape(-1, latents.shape[-1]), words.replace("-", "\N{MINUS SIGN}")
