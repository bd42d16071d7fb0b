"""Draws the paper's figures from models and scenes; where one cannot be drawn, it says why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from monet.config import HELD_OUT
from monet.training.data import read_held_out
from monet.training.run_log import METRICS
from scenes.command_line import CommandError, UsageError
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.progress import progress_bar
from scenes.source_list import DATASETS

from evaluation.figures.dataset import EXAMPLES, draw_examples
from evaluation.figures.decompositions import (
    Group,
    draw_slots,
    largest_slots,
)
from evaluation.figures.given_masks import CURVES, MASKS, draw_given_masks
from evaluation.figures.materials import Materials, MissingError
from evaluation.figures.style import save
from evaluation.figures.traversal import lacks_decode
from evaluation.figures.traversal_figure import choose_slots, draw_traversals
from evaluation.predictions.models import ScoredModel
from evaluation.scores.conditions import title_of
from evaluation.scores.truth import size_of
from evaluation.training_log import read_curve

EXTRA_SLOTS = 9
"""Slots of figures 4 and 8."""
SLOTS_FROM = 64
"""Number of scenes among which figure 5 looks for slots with one object, or the background."""


def figure_2(materials: Materials) -> Figure:
    """Three mask conditions: curves and pictures."""
    runs = {name: materials.run("objects_room", name) for name in MASKS}
    sizes = {weights.config.model.image_size for weights in runs.values()}
    if len(sizes) > 1:
        raise MissingError(
            f"its three runs have images of {sorted(sizes)} pixels; train them alike"
        )
    scenes = materials.scenes("test", 3, sizes.pop())
    return draw_given_masks(
        {
            name: read_curve(weights.path.with_name(METRICS), tuple(CURVES))
            for name, weights in runs.items()
        },
        {name: weights.model() for name, weights in runs.items()},
        scenes.images,
        scenes.segmentation,
        f"{', '.join(weights.title for weights in runs.values())}; the first test scenes, not "
        "chosen",
    )


def figure_3(materials: Materials) -> Figure:
    """The Objects Room as in training."""
    model = materials.subject("objects_room")
    return _rooms(materials, model, {"test": 6}, _own_slots(model))


def figure_4(materials: Materials) -> Figure:
    """Nine slots on scenes unlike the training's, all shown; the paper shows eight of them."""
    conditions = {"objects_0": 2, "objects_6": 3, "identical_color": 2, "four_identical": 2}
    model = materials.subject("objects_room")
    return _rooms(materials, model, conditions, EXTRA_SLOTS)


def figure_5(materials: Materials) -> Figure:
    """Latents of two objects' slots and the background's, changed one at a time."""
    model = materials.subject("objects_room")
    if model.decode is None:
        raise MissingError(lacks_decode(model))
    slots, refine = _own_slots(model), materials.refine
    scenes = materials.scenes("test", SLOTS_FROM, model.image_size)
    segmentation = materials.cache.of_model(model, scenes.images, slots, refine).segmentation
    chosen = choose_slots(scenes, segmentation)
    images = scenes.images[[slot.scene for slot in chosen]]
    output = materials.cache.decompositions(model, images, slots, refine)
    note = (
        f"{materials.named(model)}. The slots that fit an object, or walls and sky together, "
        f"best among {SLOTS_FROM} test scenes; the latents with the largest mean effect; masks not "
        "normalised over slots"
    )
    return draw_traversals(model, images, output, chosen, note)


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
    return _rooms(materials, materials.subject("objects_room"), conditions, EXTRA_SLOTS)


def figure_9(materials: Materials) -> Figure:
    """CLEVR, all slots."""
    return _others(materials, "clevr", 9)


def figure_10(materials: Materials) -> Figure:
    """Examples of the Objects Room."""
    path = materials.file("objects_room") or materials.rooms.data_folder / "train.h5"
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
    """Number of the paper's figure."""
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


def check_numbers(numbers: Sequence[int] | None) -> None:
    """Refuses numbers of figures that are not drawn here.

    Raises:
        UsageError: a number is refused.
    """
    for number in numbers or ():
        if number not in NUMBERS:
            raise UsageError(f"--figures must be from {NUMBERS[0]} to {NUMBERS[-1]}, got {number}")


def draw_figures(materials: Materials, numbers: Sequence[int] | None, out: Path) -> list[str]:
    """Draws and saves figures, and prints the paths of their files.

    Args:
        materials: models and scenes to draw them from.
        numbers: of the figures; by default all that can be drawn.
        out: folder to write.

    Returns:
        A line for each figure that is left out, which says why.

    Raises:
        CommandError: a figure in `numbers` cannot be drawn.
    """
    parts = [part for part in PARTS if numbers is None or part.number in numbers]
    lacking = []
    with progress_bar() as progress:
        task = progress.add_task("drawing", total=len(parts), note="")
        for part in parts:
            progress.update(task, note=part.stem)
            try:
                paths = save(part.draw(materials), out / part.stem, ("png", "pdf", "svg"))
            except MissingError as error:
                lacking.append(f"{part.stem} is left out: {error}")
            else:
                print(*paths, sep="\n")  # noqa: T201  (one by one: later figures may fail)
            progress.advance(task)
    if lacking and numbers is not None:
        raise CommandError("; ".join(lacking))
    return lacking


def _rooms(
    materials: Materials,
    model: ScoredModel,
    conditions: dict[str, int],
    slots: int,
) -> Figure:
    groups = []
    for condition, count in conditions.items():
        images = materials.scenes(condition, count, model.image_size).images
        parts = materials.decompositions(model, images, slots)
        groups.append(Group(title_of(condition), images, parts))
    note = (
        f"{materials.named(model, groups[0].parts)}, {slots} slots; the first test scenes of each "
        "kind, not chosen"
    )
    return draw_slots(groups, note=note)


def _others(
    materials: Materials,
    dataset: str,
    n: int,
    rows: int | None = None,
    *,
    chosen: bool = False,
) -> Figure:
    """Draws scenes of another dataset than the Objects Room, which training held out."""
    model = materials.subject(dataset)
    path = materials.file(dataset) or model.data
    if path is None:
        raise MissingError(f"no file of {DATASETS[dataset].title}; --data names one")
    if not path.exists():
        kind = DATASETS[model.dataset or dataset]
        raise MissingError(
            f"{path}: no such file; --data names another of {kind.title}, `{kind.command}` makes "
            "one"
        )
    weights = model.weights if path == model.data else None  # of another file it left out none
    held_out = HELD_OUT if weights is None else weights.config.held_out
    try:
        with SceneFile(path) as file:
            size = size_of(file, model.image_size)
            images = read_held_out(file, size, held_out).images[:n]
            title = DATASETS[file.dataset].title
    except FileError as error:
        raise MissingError(
            f"{error}; --data names a file of {DATASETS[dataset].title} elsewhere"
        ) from error
    parts = materials.decompositions(model, images, _own_slots(model))
    slots = largest_slots(parts.masks, rows) if chosen and rows else None
    which = "; the slots with the largest masks after the very largest" if chosen else ""
    scenes = f"scenes of {path.name}" if weights is None else "scenes that training leaves out"
    note = f"{materials.named(model, parts)}; {scenes}, not chosen{which}"
    return draw_slots([Group(title, images, parts, slots)], rows=rows, masked=False, note=note)


def _own_slots(model: ScoredModel) -> int:
    if model.num_slots is None:
        raise MissingError(f"{model.identity.name} has no num_slots of its own")
    return model.num_slots
