"""Draws contact sheets: many scenes of a file on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from scenes.atomic import whole_or_not
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.pictures.palette import colorize, colorize_depth, entity_palette

GAP = 2
SHEET_WIDTH = 1024
COLUMNS = 8
"""Scenes in a row; half as many where something is drawn beside them."""
LETTERS = 13
"""Height of headings, in pixels."""
HEADING = 24
"""Height of the line of headings, in pixels."""


def tile(
    images: UInt8[np.ndarray, "N H W 3"], columns: int, gap: int = GAP
) -> UInt8[np.ndarray, "Y X 3"]:
    """Lays images out in rows, white between them."""
    n, height, width, _ = images.shape
    rows = -(-n // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8
    )
    for index, image in enumerate(images):
        y = gap + (index // columns) * (height + gap)
        x = gap + (index % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def with_headings(
    sheet: UInt8[np.ndarray, "Y X 3"],
    headings: Sequence[str],
    *,
    gap: int = GAP,
    title: str = "",
    width: int = SHEET_WIDTH,
) -> Image.Image:
    """Enlarges a sheet by a whole number, and writes a heading above each of its columns.

    Args:
        sheet: of as many columns as there are headings, equally wide.
        headings: from left to right; a word that is too wide for its column is set smaller.
        gap: white pixels beside each column.
        title: a line above everything.
        width: about the least width of the sheet.
    """
    scale = max(1, round(width / sheet.shape[1]))
    enlarged = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    above = HEADING * (bool(title) + any(headings))
    page = Image.new("RGB", (enlarged.shape[1], enlarged.shape[0] + above), "white")
    page.paste(Image.fromarray(enlarged), (0, above))
    draw = ImageDraw.Draw(page)
    if title:
        _write(draw, title, (gap * scale, HEADING // 2), page.width - 2 * gap * scale, "lm")
    column = (page.width - gap * scale) / max(1, len(headings))
    for index, heading in enumerate(headings):
        middle = round(gap * scale / 2 + (index + 0.5) * column)
        _write(draw, heading, (middle, above - HEADING // 2), int(column) - 2, "mm")
    return page


def _write(
    draw: ImageDraw.ImageDraw, words: str, place: tuple[int, int], width: int, anchor: str
) -> None:
    """Writes words on one line, in the size `LETTERS`, or smaller to fit into a width."""
    words = " ".join(words.split())
    size = LETTERS
    font = ImageFont.load_default(size)
    while size > 6 and font.getlength(words) > width:
        size -= 1
        font = ImageFont.load_default(size)
    draw.text(place, words, fill=(60, 60, 60), font=font, anchor=anchor)


def contact_sheet(
    file: SceneFile,
    out: Path,
    *,
    n: int,
    masks: bool,
    depth: bool,
) -> None:
    """Writes the first scenes of a file as one picture (paper, figure 10).

    Args:
        file: the file.
        out: path of the PNG.
        n: number of scenes.
        masks: put each scene's segmentation beside it.
        depth: put each scene's depth beside it.

    Raises:
        UsageError: the file has no segmentation, or no depth.
    """
    check_shown(file, masks=masks, depth=depth)
    panels, headings = [np.asarray(file["image"][:n])], ["image"]
    if masks:
        headings.append("segmentation")
        palette = entity_palette(file.entities, file.num_background)
        panels.append(colorize(file.segmentation(slice(0, n)), palette))
    if depth:
        headings.append("depth")
        panels.append(colorize_depth(np.asarray(file["depth"][:n])))
    images = np.concatenate(panels, axis=2)
    columns = max(1, min(COLUMNS if len(panels) == 1 else COLUMNS // 2, len(images)))
    sheet = with_headings(
        tile(images, columns, GAP * len(panels)),
        headings * columns if len(panels) > 1 else (),
        gap=GAP * len(panels),
        title=f"{file.dataset}: the first {len(images):,} of {file.n:,} scenes of {file.path.name}",
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not(out) as temporary:
        sheet.save(temporary, "PNG")


def check_shown(file: SceneFile, *, masks: bool, depth: bool) -> None:
    """Refuses to show segmentations or depths that a file does not have.

    Raises:
        UsageError: something is missing; the message names the file and the flag.
    """
    if masks and not file.has("segmentation"):
        raise UsageError(f"{file.path}: --masks needs segmentations, and this file has none")
    if depth and not file.has("depth"):
        raise UsageError(
            f"{file.path}: --depth needs depths, and this file has none; scenes render --depth "
            "writes them"
        )
