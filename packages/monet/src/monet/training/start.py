"""Starts a run: its learner, its training images, and the steps."""

from __future__ import annotations

from pathlib import Path

import torch
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile

from monet.config import TrainConfig
from monet.config_file import CONFIG
from monet.given_masks import check_entities, needs_segmentation
from monet.training.data import TrainingImages, fits_on_device
from monet.training.learner import Learner
from monet.training.mean_loss import Backend
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.state import STATE, State
from monet.training.steps import Steps
from monet.training.whole_step import Form, WholeStep, cuda_graph
from monet.weights import find_weights, read_weights


def start_learner(config: TrainConfig, ranks: Ranks, saved: State | None, folder: Path) -> Learner:
    """Returns a run's learner: as saved, else from the config's `init_from`, else random weights.

    Args:
        config: the whole run.
        ranks: this process among all that train.
        saved: the state that the run goes on from, if any.
        folder: of the run, for messages.

    Raises:
        CommandError: the state is of another model, or weights cannot be read.
        UsageError: there are no such weights, or they are of another architecture.
    """
    precision = None if saved is None or config.precision != "auto" else saved.precision
    learner = Learner(config, ranks, precision=precision or None)
    if saved is not None:
        try:
            learner.restore(saved)
        except ValueError as error:
            raise CommandError(
                f"{folder / STATE}: of another model than {folder / CONFIG} says"
            ) from error
    elif config.init_from is not None:
        learner.start_from(read_weights(find_weights(config.init_from)))
    return learner


def start_steps(learner: Learner, images: TrainingImages, *, is_compiled: bool) -> Steps:
    """Returns the `PlainStep` or `WholeStep` that suits a learner's device."""
    backend: Backend | None = "inductor" if is_compiled else None
    if learner.device.type != "cuda":
        return PlainStep(learner, images, backend)
    torch.backends.cudnn.benchmark = True
    capture = cuda_graph if learner.config.graph == "auto" else None
    return WholeStep(learner, images, Form(backend, capture))


def start_images(config: TrainConfig, file: SceneFile, device: torch.device) -> TrainingImages:
    """Returns a run's training images, on the device where the config says so or they fit."""
    size, labelled = config.model.image_size, needs_segmentation(config.masks)
    rows = file.n - config.held_out
    if labelled:
        check_entities(file, config.model.num_slots)
    on_device = config.cache == "device" or (
        config.cache == "auto" and fits_on_device(rows, size, device, with_segmentation=labelled)
    )
    return TrainingImages(
        file,
        size,
        config.batch_size,
        config.seed,
        held_out=config.held_out,
        device=device,
        on_device=on_device,
        with_segmentation=labelled,
    )
