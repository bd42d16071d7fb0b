"""What the paper's figures are drawn from: models, runs and files of scenes."""

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
from evaluation.scores.conditions import rooms_size, scene_file
from evaluation.scores.truth import TestScenes, read_scenes

ALIKE = {"clevr_like": "clevr"}
"""Datasets that stand for another in its figures."""
MAKES_RUN = {
    "objects_room": "scenes render --n 1000000 && monet-train",
    "multi_dsprites": "scenes sprites --n 1000000 && monet-train --preset paper-multi-dsprites",
    "clevr": "scenes clevr-like --n 70000 && monet-train --preset paper-clevr-like",
}


class MissingError(CommandError):
    """A figure lacks something; the message names it and the command that makes it."""


@dataclass(frozen=True)
class Materials:
    """What figures may be drawn from."""

    runs: tuple[Weights, ...]
    """The first that suits is used."""
    files: tuple[Path, ...]
    """Scenes to use instead of those a run holds out."""
    data_folder: Path
    """Folder of the Objects Room's test scenes; those that lack are rendered into it."""
    seed: int
    workers: int | None
    cache: Cache
    """Where decompositions are kept."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks that are drawn (`Monet.decompose`)."""
    model: ScoredModel | None = None
    """Draws all figures of a model, whatever their dataset, instead of runs."""

    def run(self, dataset: str, masks: str = "attention") -> Weights:
        """Returns the run on a dataset.

        Raises:
            MissingError: there is none.
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
        """Returns the model that decomposes a dataset's scenes: the given one, else a run's.

        Raises:
            MissingError: there is none.
        """
        return self.model or of_weights(self.run(dataset))

    def rooms(self, condition: str, n: int, size: int | None) -> TestScenes:
        """Returns the first test scenes of a condition, at the size of a model or of their own."""
        size = rooms_size(size)
        path = scene_file(
            condition, size, self.data_folder, seed=self.seed, n=n, workers=self.workers
        )
        return read_scenes(path, n, size)

    def decompositions(
        self, model: ScoredModel, images: UInt8[np.ndarray, "N H W 3"], slots: int
    ) -> Drawable:
        """Returns what a model makes of images."""
        refine = self.refine if model.refines else 0
        return drawable(images, self.cache.decompositions(model, images, slots, refine))

    def named(self, model: ScoredModel, parts: Drawable | None = None) -> str:
        """Returns how a figure names the model that it is drawn from, and what that lacks."""
        times = "once" if self.refine == 1 else f"{self.refine} times"
        refined = f", masks refined {times}" if self.refine and model.refines else ""
        lacking = f" ({parts.note})" if parts is not None and parts.note else ""
        return f"{model.identity.title}{refined}{lacking}"

    def file(self, dataset: str) -> Path | None:
        """Returns the first given file of a dataset."""
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
    data_folder: Path,
    seed: int,
    workers: int | None,
    cache: Cache,
    refine: int,
) -> Materials:
    """Returns what figures may be drawn from: named checkpoints, else all runs, else one model.

    Args:
        checkpoints: run folders or names of shipped weights; all runs by default.
        model: `module:factory` or `FILE.py:factory` of any model, instead of runs.
        files: as in `Materials`, as are the others.
        data_folder: folder of the Objects Room's test scenes.
        seed: of the test scenes.
        workers: processes that render.
        cache: where decompositions are kept.
        refine: rounds in which the VAE corrects the masks that are drawn.

    Raises:
        UsageError: these do not go together, or there is no such thing.
    """
    if refine < 0:
        raise UsageError(f"--refine must be at least 0, got {refine}")
    if model is not None and (checkpoints or refine):
        raise UsageError("--model goes with neither --checkpoint nor --refine")
    return Materials(
        runs=() if model is not None else tuple(every_run(checkpoints)),
        files=files,
        data_folder=data_folder,
        seed=seed,
        workers=workers,
        cache=cache,
        refine=refine,
        model=None if model is None else load_model(model),
    )


def family(dataset: str) -> str:
    """Returns the dataset in whose figures a dataset is shown."""
    return ALIKE.get(dataset, dataset)
