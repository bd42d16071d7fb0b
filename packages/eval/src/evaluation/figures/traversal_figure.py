"""Draws a few slots with their latents changed one at a time (paper, figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, UInt8
from matplotlib.figure import Figure
from scenes.pictures.palette import slot_palette

from evaluation.figures.drawable import Drawable, drawable
from evaluation.figures.style import Canvas, note_height
from evaluation.figures.traversal import (
    Traversal,
    latent_values,
    number,
    own_component,
    traverse,
)
from evaluation.metrics.overlap import iou_of_regions
from evaluation.predictions.contract import ModelOutput
from evaluation.predictions.models import Model, ScoredModel
from evaluation.scores.truth import TestScenes

FRAMES = 5
LATENTS = 6
SIDE = 0.5
GAP = 0.03
BETWEEN = 0.2
LEFT = 0.75
HEAD = 1.0
BACKGROUND = ("sky", "wall_left", "wall_right")
"""Entities that the paper's own model puts in one slot."""


@dataclass(frozen=True)
class ChosenSlot:
    """A slot of a scene, whose latents the figure changes."""

    title: str
    scene: int
    slot: int


def choose_slots(
    scenes: TestScenes, segmentation: Integer[np.ndarray, "N H W"]
) -> tuple[ChosenSlot, ...]:
    """Returns the two object slots and the wall and sky slot that fit the truth best.

    They are those with the largest intersection over union, each of another scene.

    Args:
        scenes: scenes to choose from.
        segmentation: slot of each of their pixels.
    """
    behind = [scenes.entities.index(name) for name in BACKGROUND]
    objects = range(scenes.num_background, len(scenes.entities))
    fits: list[tuple[float, ChosenSlot]] = []
    for index, truth in enumerate(scenes.segmentation):
        regions = [("object", truth == entity) for entity in objects if (truth == entity).any()]
        regions.append(("wall + sky", np.isin(truth, behind)))
        slots = segmentation[index] == np.arange(segmentation.max() + 1)[:, None, None]  # (K, H, W)
        for title, region in regions:
            scores = iou_of_regions(np.broadcast_to(region, slots.shape), slots)
            best = int(np.argmax(scores))
            fits.append((float(scores[best]), ChosenSlot(title, index, best)))
    fits.sort(key=lambda fit: -fit[0])
    chosen: list[ChosenSlot] = []
    for title in ("object", "object", "wall + sky"):
        others = [slot.scene for slot in chosen]
        chosen.append(
            next(slot for _, slot in fits if slot.title == title and slot.scene not in others)
        )
    return tuple(chosen)


def draw_traversals(
    model: Model | ScoredModel,
    images: UInt8[np.ndarray, "N H W 3"],
    output: ModelOutput,
    slots: Sequence[ChosenSlot],
    note: str,
) -> Figure:
    """Draws a group of columns for each chosen slot, and a row for each of a few latents.

    The latents are the same in all groups: those with the largest mean effect.

    Args:
        model: decodes.
        images: the scene of each chosen slot.
        output: the model's output for these.
        slots: from left to right.
        note: a line below.

    Raises:
        ValueError: the output has no latents.
    """
    if output.latents is None:
        raise ValueError("this output holds no latents")
    parts = drawable(images, output)
    all_latents = [
        traverse(model, output.latents[place, slot.slot], latent_values(FRAMES))
        for place, slot in enumerate(slots)
    ]
    effects = np.mean([traversal.effects for traversal in all_latents], axis=0)
    latents = np.argsort(-effects, kind="stable")[:LATENTS]
    group = FRAMES * (SIDE + GAP)
    width = LEFT + len(slots) * (group + BETWEEN)
    below = HEAD + LATENTS * (SIDE + GAP) + 0.03
    canvas = Canvas(width, below + note_height(note, width))
    for row, latent in enumerate(latents):
        y = HEAD + row * (SIDE + GAP) + SIDE / 2
        canvas.words(f"latent {latent}", LEFT - 0.08, y, ha="right", fontsize=8)
    for place, (slot, traversal) in enumerate(zip(slots, all_latents, strict=True)):
        x = LEFT + place * (group + BETWEEN)
        _head(canvas, x, slot, images[place], parts, place)
        _frames(canvas, x, traversal, latents)
    canvas.note(note, below)
    return canvas.figure


def _head(
    canvas: Canvas,
    x: float,
    slot: ChosenSlot,
    image: UInt8[np.ndarray, "H W 3"],
    parts: Drawable,
    place: int,
) -> None:
    canvas.picture(image, x, 0.08, 0.68)
    own = own_component(parts, place, slot.slot)
    color = slot_palette(slot.slot + 1)[slot.slot] / 255
    canvas.picture(own, x + 0.75, 0.08, 0.68, edge=color, edge_width=2.0)
    canvas.words(slot.title, x + 1.52, 0.32, fontsize=9)
    canvas.words(f"slot {slot.slot + 1} of scene {slot.scene}", x + 1.52, 0.52, fontsize=6.5)


def _frames(canvas: Canvas, x: float, traversal: Traversal, latents: np.ndarray) -> None:
    frames = traversal.frames
    for column, value in enumerate(traversal.values):
        left = x + column * (SIDE + GAP)
        canvas.words(
            number(float(value)),
            left + SIDE / 2,
            HEAD - 0.1,
            ha="center",
            fontsize=6.5,
            color="0.35",
        )
        for row, latent in enumerate(latents):
            canvas.picture(frames[latent, column], left, HEAD + row * (SIDE + GAP), SIDE)
