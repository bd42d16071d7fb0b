"""Draws scenes as columns, with their slots below (paper, figures 3, 4 and 6 to 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from scenes.pictures.palette import slot_palette, to_uint8

from evaluation.figures.drawable import Drawable, drawable
from evaluation.figures.style import Canvas, note_height
from evaluation.scores.conditions import title_of
from evaluation.scores.example_scenes import ExampleScenes

SIDE = 0.46
"""Side of a slot's picture in inches, where it is drawn both unmasked and masked."""
SIDE_ALONE = 0.7
GAP = 0.03
BETWEEN_SCENES = 0.1
BETWEEN_GROUPS = 0.16
LABELS = 1.25
TITLES = 0.3
WORDS = 0.24
"""Height of the words above the slots, which say which pictures are masked."""
IMAGE, RECONSTRUCTION, SEGMENTATION = "image", "reconstruction", "segmentation"


@dataclass(frozen=True)
class Group:
    """Scenes side by side under one title, and a model's output for them."""

    title: str
    images: UInt8[np.ndarray, "N H W 3"]
    parts: Drawable
    slots: tuple[tuple[int, ...], ...] | None = None
    """Slots to show of each scene; `None` for the first ones."""


def draw_decompositions(examples: Sequence[ExampleScenes], title: str = "") -> Figure:
    """Draws scenes of several conditions beside each other (paper, figures 4 and 8).

    Args:
        examples: of each condition.
        title: of the model, for the line below.
    """
    groups = [
        Group(title_of(each.condition), each.images, drawable(each.images, each.output))
        for each in examples
    ]
    stand_ins = groups[0].parts.note
    shown = f"{title}; the first test scenes of each kind, not chosen" if title else ""
    return draw_slots(groups, note="; ".join(part for part in (shown, stand_ins) if part))


def draw_slots(
    groups: Sequence[Group], *, rows: int | None = None, masked: bool = True, note: str = ""
) -> Figure:
    """Draws image, reconstruction, segmentation, and below them each slot's component.

    Where one of the models gives no reconstruction, that row is left out.

    Args:
        groups: from left to right.
        rows: how many slots to show; all by default.
        masked: also draw each component under the mask that the VAE decodes for it.
        note: a line below, which names model and scenes.
    """
    slots = groups[0].parts.masks.shape[1]
    rows = slots if rows is None else rows
    palette = slot_palette(slots)
    side, wide = _sizes(masked)
    reconstructs = all(group.parts.reconstructs for group in groups)
    above = (IMAGE, RECONSTRUCTION, SEGMENTATION) if reconstructs else (IMAGE, SEGMENTATION)
    head = _head(above, masked)
    counts = [len(group.images) for group in groups]
    width = (
        LABELS + sum(counts) * (wide + BETWEEN_SCENES) + (len(groups) - 1) * BETWEEN_GROUPS + 0.05
    )
    below = TITLES + head + rows * (side + GAP) + 0.05
    canvas = Canvas(width, below + note_height(note, width))
    for index, name in enumerate(above):
        y = TITLES + index * (wide + GAP) + wide / 2
        canvas.words(name, LABELS - 0.1, y, ha="right")
    own_rows = any(group.slots is not None for group in groups)
    for row in range(rows):
        y = TITLES + head + row * (side + GAP)
        if not own_rows:
            canvas.words(f"slot {row + 1}", LABELS - 0.2, y + side / 2, ha="right")
            canvas.chip(LABELS - 0.13, y, 0.07, side, palette[row] / 255)
    if own_rows:
        middle = TITLES + head + rows * (side + GAP) / 2
        canvas.words(f"{rows} of its\n{slots} slots", LABELS - 0.1, middle, ha="right")
    x = LABELS
    for group in groups:
        canvas.words(group.title, x, TITLES / 2, fontsize=9)
        for index in range(len(group.images)):
            chosen = tuple(range(rows)) if group.slots is None else group.slots[index]
            _column(canvas, x, group, index, above, chosen, masked, palette, framed=own_rows)
            x += wide + BETWEEN_SCENES
        x += BETWEEN_GROUPS
    canvas.note(note, below)
    return canvas.figure


def _column(
    canvas: Canvas,
    x: float,
    group: Group,
    index: int,
    above: tuple[str, ...],
    slots: tuple[int, ...],
    masked: bool,
    palette: UInt8[np.ndarray, "K 3"],
    framed: bool,
) -> None:
    parts = group.parts
    side, wide = _sizes(masked)
    pictures = {
        IMAGE: group.images[index],
        RECONSTRUCTION: to_uint8(parts.reconstruction[index]),
        SEGMENTATION: palette[parts.masks[index].argmax(axis=0)],
    }
    for row, name in enumerate(above):
        canvas.picture(pictures[name], x, TITLES + row * (wide + GAP), wide)
    y = TITLES + _head(above, masked)
    if masked:
        for place, word in enumerate(("unmasked", "masked")):
            middle = x + place * (side + GAP) + side / 2
            canvas.words(word, middle, y - 0.09, ha="center", fontsize=5.5, color="0.35")
    for slot in slots:
        component = parts.components[index, slot]
        edge = {"edge": palette[slot] / 255, "edge_width": 1.5} if framed else {}
        canvas.picture(to_uint8(component), x, y, side, **edge)
        if masked:
            shown = on_white(component, parts.masks_recon[index, slot])
            canvas.picture(shown, x + side + GAP, y, side, **edge)
        y += side + GAP


def _sizes(masked: bool) -> tuple[float, float]:
    """Returns the side of a slot's picture and that of the pictures above, in inches."""
    return (SIDE, 2 * SIDE + GAP) if masked else (SIDE_ALONE, SIDE_ALONE)


def _head(above: tuple[str, ...], masked: bool) -> float:
    """Returns the height of the pictures above the slots, in inches."""
    return len(above) * (_sizes(masked)[1] + GAP) + (WORDS if masked else 0.1)


def on_white(
    component: Float[np.ndarray, "*N H W 3"], mask: Float[np.ndarray, "*N H W"]
) -> UInt8[np.ndarray, "*N H W 3"]:
    """Shows a component on white, as far as its mask says."""
    share = mask[..., None]
    return to_uint8(component * share + (1 - share))


def largest_slots(masks: Float[np.ndarray, "N K H W"], count: int) -> tuple[tuple[int, ...], ...]:
    """Returns the slots with the largest masks of each scene, except for the very largest.

    The very largest mask is the background's; the others are objects, if there are enough.
    """
    order = np.argsort(-masks.sum(axis=(2, 3)), axis=1, kind="stable")[:, 1 : count + 1]
    return tuple(tuple(sorted(int(slot) for slot in row)) for row in order)
