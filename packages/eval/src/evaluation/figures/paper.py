"""Which figure needs what: each is drawn from runs and files, or says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from monet import Decompositions, Monet
from monet.training.data import check_size, held_out
from monet.training.run_log import METRICS
from monet.weights import Weights
from scenes.command_line import CommandError
from scenes.file.reader import FileError, SceneFile
from scenes.source_list import DATASETS

from evaluation.figures.conditions import CONDITIONS, draw_conditions, read_curve
from evaluation.figures.dataset import EXAMPLES, draw_examples
from evaluation.figures.decompositions import (
    TITLES_OF_CONDITIONS,
    Group,
    draw_slots,
    largest_slots,
)
from evaluation.figures.traversals import choose_seeds, draw_traversals
from evaluation.predictions.cache import Cache
from evaluation.scores.generalisation import scene_file
from evaluation.scores.scoring import TestScenes, read_scenes

EXTRA_SLOTS = 9
"""Of figures 4 and 8."""
SEEDS_FROM = 64
"""Scenes among which figure 5 looks for slots that hold one object or the background."""
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
    """Test scenes of the Objects Room, rendered where they lack."""
    seed: int
    workers: int | None
    cache: Cache
    """Where decompositions are kept."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks that are drawn (`Monet.decompose`)."""

    def run(self, dataset: str, masks: str = "attention") -> Weights:
        """Returns the run on a dataset.

        Raises:
            MissingError: there is none.
        """
        for weights in self.runs:
            if _family(weights.dataset) == dataset and weights.config.masks == masks:
                return weights
        if masks != "attention":
            raise MissingError(
                f"no run with masks {masks!r}; `monet-train --masks {masks}` makes one"
            )
        raise MissingError(f"no run on {DATASETS[dataset].title}; `{MAKES_RUN[dataset]}` makes one")

    def rooms(self, condition: str, n: int, size: int) -> TestScenes:
        """Returns the first test scenes of a condition."""
        path = scene_file(
            condition, size, self.data_folder, seed=self.seed, n=n, workers=self.workers
        )
        return read_scenes(path, n, size)

    def decompositions(
        self, model: Monet, images: UInt8[np.ndarray, "N H W 3"], slots: int | None = None
    ) -> Decompositions:
        """Returns what a model makes of images."""
        return self.cache.decompositions(model, images, slots, self.refine)

    def named(self, weights: Weights) -> str:
        """Returns how a figure names the weights that it is drawn from."""
        times = "once" if self.refine == 1 else f"{self.refine} times"
        refined = f", masks refined {times}" if self.refine else ""
        return f"{weights.name} at step {weights.step:,}{refined}"

    def file(self, dataset: str) -> Path | None:
        """Returns the first given file of a dataset."""
        for path in self.files:
            with SceneFile(path) as file:
                if _family(file.dataset) == dataset:
                    return path
        return None


def figure_2(materials: Materials) -> Figure:
    """Three mask conditions: curves and pictures."""
    runs = {name: materials.run("objects_room", name) for name in CONDITIONS}
    sizes = {weights.config.model.image_size for weights in runs.values()}
    if len(sizes) > 1:
        raise MissingError(
            f"its three runs have images of {sorted(sizes)} pixels; train them alike"
        )
    scenes = materials.rooms("test", 3, sizes.pop())
    return draw_conditions(
        {name: read_curve(weights.path.with_name(METRICS)) for name, weights in runs.items()},
        {name: weights.model() for name, weights in runs.items()},
        scenes.images,
        scenes.segmentation,
        f"{', '.join(weights.name for weights in runs.values())} at step "
        f"{min(weights.step for weights in runs.values()):,} or later; the first test scenes, not "
        "chosen",
    )


def figure_3(materials: Materials) -> Figure:
    """The Objects Room as in training."""
    weights = materials.run("objects_room")
    return _rooms(materials, weights, {"test": 6}, weights.config.model.num_slots)


def figure_4(materials: Materials) -> Figure:
    """Nine slots on scenes unlike the training's; as in the paper, eight are shown."""
    conditions = {"objects_0": 2, "objects_6": 3, "identical_color": 2, "four_identical": 2}
    weights = materials.run("objects_room")
    return _rooms(materials, weights, conditions, EXTRA_SLOTS, rows=EXTRA_SLOTS - 1)


def figure_5(materials: Materials) -> Figure:
    """Latents of two objects' slots and the background's, changed one at a time."""
    weights = materials.run("objects_room")
    model = weights.model()
    scenes = materials.rooms("test", SEEDS_FROM, model.config.image_size)
    segmentation = materials.cache.of_model(
        model, scenes.images, refine=materials.refine
    ).segmentation
    seeds = choose_seeds(scenes, segmentation)
    rows = [seed.scene for seed in seeds]
    parts = materials.decompositions(model, scenes.images[rows])
    note = (
        f"{materials.named(weights)}. The slots that fit an object, or walls and sky together, "
        f"best among {SEEDS_FROM} test scenes; the latents with the largest mean effect; masks not "
        "normalised over slots"
    )
    return draw_traversals(model, scenes.images[rows], parts, seeds, note)


def figure_6_sprites(materials: Materials) -> Figure:
    """Multi-dSprites, three of five slots."""
    return _others(materials, "multi_dsprites", 5, 3)


def figure_6_clevr(materials: Materials) -> Figure:
    """CLEVR, three of eleven slots."""
    return _others(materials, "clevr", 5, 3, chosen=True)


def figure_7(materials: Materials) -> Figure:
    """Multi-dSprites, all slots."""
    return _others(materials, "multi_dsprites", 9)


def figure_8(materials: Materials) -> Figure:
    """The Objects Room, all of nine slots."""
    conditions = {"test": 3, "objects_6": 3, "identical_color": 3}
    return _rooms(materials, materials.run("objects_room"), conditions, EXTRA_SLOTS)


def figure_9(materials: Materials) -> Figure:
    """CLEVR, all slots."""
    return _others(materials, "clevr", 9)


def figure_10(materials: Materials) -> Figure:
    """Examples of the Objects Room."""
    path = materials.file("objects_room") or materials.data_folder / "train.h5"
    if not path.is_file():
        raise MissingError(f"{path}: no such file; `scenes render --out {path}` makes it")
    with SceneFile(path) as file:
        images = np.asarray(file["image"][:EXAMPLES])
    return draw_examples(
        images, "The Objects Room", f"the first {len(images)} scenes of {path.name}, not chosen"
    )


@dataclass(frozen=True)
class Part:
    """A figure, or one of its panels."""

    stem: str
    """Name of its files."""
    number: int
    """Of the paper's figure."""
    draw: Callable[[Materials], Figure]


PARTS = (
    Part("figure_2", 2, figure_2),
    Part("figure_3", 3, figure_3),
    Part("figure_4", 4, figure_4),
    Part("figure_5", 5, figure_5),
    Part("figure_6_multi_dsprites", 6, figure_6_sprites),
    Part("figure_6_clevr", 6, figure_6_clevr),
    Part("figure_7", 7, figure_7),
    Part("figure_8", 8, figure_8),
    Part("figure_9", 9, figure_9),
    Part("figure_10", 10, figure_10),
)
NUMBERS = tuple(sorted({part.number for part in PARTS}))


def _rooms(
    materials: Materials,
    weights: Weights,
    conditions: dict[str, int],
    slots: int,
    rows: int | None = None,
) -> Figure:
    model = weights.model()
    groups = []
    for condition, count in conditions.items():
        images = materials.rooms(condition, count, model.config.image_size).images
        groups.append(
            Group(
                TITLES_OF_CONDITIONS[condition],
                images,
                materials.decompositions(model, images, slots),
            )
        )
    note = (
        f"{materials.named(weights)}, {slots} slots; the first test scenes of each kind, not chosen"
    )
    return draw_slots(groups, rows=rows, note=note)


def _others(
    materials: Materials,
    dataset: str,
    n: int,
    rows: int | None = None,
    *,
    chosen: bool = False,
) -> Figure:
    """Draws scenes that a run of another dataset than the Objects Room holds out."""
    weights = materials.run(dataset)
    path = materials.file(dataset) or weights.config.data
    model = weights.model()
    try:
        with SceneFile(path) as file:
            check_size(file, model.config.image_size)
            images = held_out(file, model.config.image_size).images[:n]
    except FileError as error:
        raise MissingError(
            f"{error}; --data names a file of {DATASETS[dataset].title} elsewhere"
        ) from error
    parts = materials.decompositions(model, images)
    slots = largest_slots(parts.masks, rows) if chosen and rows else None
    which = "; the slots with the largest masks after the very largest" if chosen else ""
    own = path == weights.config.data
    scenes = "scenes that training leaves out" if own else f"scenes of {path.name}"
    note = f"{materials.named(weights)}; {scenes}, not chosen{which}"
    group = Group(DATASETS[weights.dataset].title, images, parts, slots)
    return draw_slots([group], rows=rows, masked=False, note=note)


def _family(dataset: str) -> str:
    return ALIKE.get(dataset, dataset)
