"""Draws scenes as rows: image, truth, a model's segmentation, and each slot (`eval decompose`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from scenes.command_line import UsageError
from scenes.file.errors import FileError
from scenes.pictures.palette import entity_palette, to_uint8

from evaluation.figures.colors import slot_colors
from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import drawable
from evaluation.figures.style import Canvas, note_height, save
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.room_folder import RoomFolder
from evaluation.scores.conditions import rooms_in, rooms_size
from evaluation.scores.truth import Truth, read_images

STEM = "decompositions"
WIDTH = 0.78
"""Width of a picture in inches."""
GAP = 0.04
BEFORE_SLOTS = 0.12
TITLE = 0.32
HEADINGS = 0.22
MARGIN = 0.08
EDGE = 1.6
"""Width in points of the frame in a slot's colour."""
MOST_PICTURES = 2000


@dataclass(frozen=True)
class Column:
    """Pictures below each other under one heading."""

    heading: str
    pictures: UInt8[np.ndarray, "N H W 3"]
    edges: UInt8[np.ndarray, "N 3"] | None = None
    """Colours of the pictures' frames; `None` for thin grey ones."""


def write_decompositions(
    model: Model | ScoredModel,
    data: Path | None = None,
    *,
    n: int = 8,
    slots: int | None = None,
    refine: int = 0,
    rooms: RoomFolder | None = None,
    out: Path,
    cache: Cache,
) -> list[Path]:
    """Decomposes the first scenes of a file and draws them, one row each.

    Args:
        model: any model.
        data: file of scenes, with or without their truth; by default test rooms.
        n: number of scenes; all where the file has fewer.
        slots: slots to use; as many as in training by default.
        refine: rounds in which MONet's VAE corrects the masks; both segmentations are drawn.
        rooms: folder of test rooms; data/objects_room by default.
        out: folder to write.
        cache: keeps decompositions.

    Returns:
        Paths of the files.

    Raises:
        UsageError: an argument does not suit the model, or there would be too many pictures.
        CommandError: the file cannot be read, or what the model returns does not fit its images.
    """
    subject = scored_model(model)
    num_slots = subject.slots(slots)
    check_drawable(n, num_slots, refine)
    if refine and not subject.refines:
        raise UsageError(f"{subject.identity.name}: cannot refine its masks; leave --refine out")
    size = subject.image_size
    if data is None:
        size = rooms_size(size)
        data = rooms_in(rooms or RoomFolder(), n, size).file("test")
    images, truth = read_images(data, n, size)
    if not len(images):
        raise FileError(f"{data}: has no scenes")

    attention = cache.decompositions(subject, images, num_slots)
    refined = cache.decompositions(subject, images, num_slots, refine) if refine else None
    columns, slot_columns = columns_of(images, truth, attention, refined)
    lacking = drawable(images, refined or attention).note
    notes = [_explained(truth is not None, refine), lacking]
    note = ". ".join(part[0].upper() + part[1:] for part in notes if part)
    title = f"{subject.identity.title}: the first {len(images)} scenes of {data.name}"
    return save(draw_rows(columns, slot_columns, title=title, note=f"{note}."), out / STEM)


def columns_of(
    images: UInt8[np.ndarray, "N H W 3"],
    truth: Truth | None,
    attention: ModelOutput,
    refined: ModelOutput | None,
) -> tuple[list[Column], list[Column]]:
    """Returns the columns of the scenes, and a column for each slot.

    Args:
        images: of the scenes.
        truth: of the scenes, where it is known.
        attention: the model's output.
        refined: its output after the VAE has corrected the masks; then the slots are those of it.
    """
    output = refined or attention
    parts, colors = drawable(images, output), slot_colors(output.masks, truth)
    columns = [Column("image", images)]
    if truth is not None:
        palette = entity_palette(truth.entities, truth.num_background)
        columns.append(Column("truth", palette[truth.segmentation]))
    if output.reconstruction is not None or output.components is not None:
        columns.append(Column("reconstruction", to_uint8(parts.reconstruction)))
    columns.append(Column("segmentation", _painted(attention.masks, colors)))
    if refined is not None:
        columns.append(Column("refined", _painted(refined.masks, colors)))
    shown = on_white(parts.components, output.masks)
    slots = range(output.masks.shape[1])
    return columns, [Column(f"slot {k + 1}", shown[:, k], colors[:, k]) for k in slots]


def check_drawable(n: int, slots: int, refine: int) -> None:
    """Refuses numbers that give no pictures, or more than anybody could look at.

    Raises:
        UsageError: a number is refused; the message names its flag.
    """
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    if refine < 0:
        raise UsageError(f"--refine must be at least 0, got {refine}")
    if n * slots > MOST_PICTURES:
        raise UsageError(
            f"--n {n} with {slots} slots makes {n * slots:,} pictures of slots; at most "
            f"{MOST_PICTURES:,} are drawn"
        )


def draw_rows(
    columns: Sequence[Column], slots: Sequence[Column], *, title: str, note: str
) -> Figure:
    """Draws scenes as rows; every column has its heading.

    Args:
        columns: of the scenes themselves.
        slots: a column for each slot, drawn a little apart.
        title: line above the picture.
        note: lines below the picture.
    """
    scenes, height, width, _ = columns[0].pictures.shape
    row = WIDTH * height / width + GAP
    total = 2 * MARGIN + (len(columns) + len(slots)) * (WIDTH + GAP) + BEFORE_SLOTS
    below = TITLE + HEADINGS + scenes * row
    canvas = Canvas(total, below + note_height(note, total) + MARGIN)
    canvas.words(title, MARGIN, TITLE / 2 + 0.02, fontsize=10)
    x = MARGIN
    for column in (*columns, *slots):
        if slots and column is slots[0]:
            x += BEFORE_SLOTS
        middle, top = x + WIDTH / 2, TITLE + HEADINGS
        canvas.words(column.heading, middle, TITLE + HEADINGS / 2, ha="center", fontsize=7.5)
        for index, picture in enumerate(column.pictures):
            edge = {}
            if column.edges is not None:
                edge = {"edge": column.edges[index] / 255, "edge_width": EDGE}
            canvas.picture(picture, x, top + index * row, WIDTH, **edge)
        x += WIDTH + GAP
    canvas.note(note, below)
    return canvas.figure


def _painted(masks: np.ndarray, colors: UInt8[np.ndarray, "N K 3"]) -> UInt8[np.ndarray, "N H W 3"]:
    """Returns segmentations, each pixel in the colour of the slot with the largest mask there."""
    segmentation = masks.argmax(axis=1)
    return np.stack([own[labels] for own, labels in zip(colors, segmentation, strict=True)])


def _explained(has_truth: bool, refine: int) -> str:
    """Returns the explanation of the picture's colours and slots."""
    masks = "their refined masks" if refine else "their masks"
    if refine:
        masks += f" ({refine} round{'s' if refine > 1 else ''})"
    slots = f"slots show their components under {masks}, on white, framed in their colours"
    if not has_truth:
        return f"{slots}; the file does not know the truth"
    return (
        f"{slots}. A slot has the colour of the entity that it covers best, of each entity one "
        "slot; dark colours are slots left over"
    )
