"""The materials of the paper's figures: models, runs and files of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from monet.weights import Weights
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.source_list import DATASETS

from evaluation.figures.drawable import Drawable, drawable
from evaluation.predictions.cache import Cache
from evaluation.predictions.checkpoints import every_run, of_weights
from evaluation.predictions.model_code import load_model
from evaluation.predictions.models import ScoredModel
from evaluation.room_folder import RoomFolder
from evaluation.scores.conditions import rooms_in, rooms_size
from evaluation.scores.truth import TestScenes, read_scenes

ALIKE = {"clevr_like": "clevr"}
"""Datasets whose scenes may be shown in the figures of another dataset."""
MAKES_RUN = {
    "objects_room": "scenes render --n 1000000 && monet-train",
    "multi_dsprites": "scenes sprites --n 1000000 && monet-train --preset paper-multi-dsprites",
    "clevr": "scenes clevr-like --n 70000 && monet-train --preset paper-clevr-like",
}


class MissingError(CommandError):
    """A figure lacks a run or a file; the message names it and the command that makes it."""


@dataclass(frozen=True)
class Materials:
    """Models and scenes from which figures may be drawn."""

    runs: tuple[Weights, ...]
    """Runs, of which a figure takes the first that suits."""
    files: tuple[Path, ...]
    """Files of scenes to use instead of those that a run holds out."""
    rooms: RoomFolder
    """Folder of the Objects Room's test scenes."""
    cache: Cache
    """Keeps decompositions."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks that are drawn (`Monet.decompose`)."""
    model: ScoredModel | None = None
    """A model to draw all figures from, whatever their dataset, instead of runs."""

    def run(self, dataset: str, masks: str = "attention") -> Weights:
        """Returns the first run on a dataset with the right masks.

        Raises:
            MissingError: there is no such run.
        """
        for weights in self.runs:
            if family(weights.dataset) == dataset and weights.config.masks == masks:
                return weights
        if masks != "attention":
            raise MissingError(
                f"no run with masks {masks!r}; `monet-train --masks {masks}` makes one"
            )
        raise MissingError(f"no run on {DATASETS[dataset].title}; `{MAKES_RUN[dataset]}` makes one")

    def subject(self, dataset: str) -> ScoredModel:
        """Returns the model that decomposes a dataset's scenes: `model`, else a run's.

        Raises:
            MissingError: there is no such run.
        """
        return self.model or of_weights(self.run(dataset))

    def scenes(self, condition: str, n: int, size: int | None) -> TestScenes:
        """Returns the first test scenes of a condition, at the size of a model or of their own."""
        rooms = rooms_in(self.rooms, n, rooms_size(size))
        return read_scenes(rooms.file(condition), n, rooms.size)

    def decompositions(
        self, model: ScoredModel, images: UInt8[np.ndarray, "N H W 3"], slots: int
    ) -> Drawable:
        """Returns a model's output for images, complete."""
        refine = self.refine if model.refines else 0
        return drawable(images, self.cache.decompositions(model, images, slots, refine))

    def named(self, model: ScoredModel, parts: Drawable | None = None) -> str:
        """Returns the title of a model in a figure, with its refining and its stand-ins."""
        times = "once" if self.refine == 1 else f"{self.refine} times"
        refining = f", masks refined {times}" if self.refine and model.refines else ""
        stand_ins = f" ({parts.note})" if parts is not None and parts.note else ""
        return f"{model.identity.title}{refining}{stand_ins}"

    def file(self, dataset: str) -> Path | None:
        """Returns the first of `files` that may be shown in a dataset's figures, if any may."""
        for path in self.files:
            with SceneFile(path) as file:
                if family(file.dataset) == dataset:
                    return path
        return None


def gather_materials(
    checkpoints: Sequence[str],
    model: str | None,
    *,
    files: tuple[Path, ...],
    rooms: RoomFolder,
    cache: Cache,
    refine: int,
) -> Materials:
    """Returns the materials of figures: named checkpoints, else all runs, or one model.

    Args:
        checkpoints: run folders or names of shipped weights; all runs by default.
        model: `module:factory` or `FILE.py:factory` of any model, instead of runs.
        files: as in `Materials`, like the arguments after it.
        rooms: folder of the Objects Room's test scenes.
        cache: keeps decompositions.
        refine: rounds in which the VAE corrects the masks that are drawn.

    Raises:
        UsageError: these arguments exclude each other, or there is no such checkpoint or model.
    """
    if refine < 0:
        raise UsageError(f"--refine must be at least 0, got {refine}")
    if model is not None and (checkpoints or refine):
        raise UsageError("--model goes with neither --checkpoint nor --refine")
    return Materials(
        runs=() if model is not None else tuple(every_run(checkpoints)),
        files=files,
        rooms=rooms,
        cache=cache,
        refine=refine,
        model=None if model is None else load_model(model),
    )


def family(dataset: str) -> str:
    """Returns the dataset in whose figures a dataset is shown."""
    return ALIKE.get(dataset, dataset)
