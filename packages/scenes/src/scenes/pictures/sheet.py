"""Contact sheets: many scenes of a file on one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from scenes.atomic import whole_or_not
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.pictures.palette import colorize, colorize_depth, entity_palette

GAP = 2
SHEET_WIDTH = 1024


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


def contact_sheet(
    file: SceneFile,
    out: Path,
    *,
    n: int = 32,
    columns: int = 8,
    masks: bool = False,
    depth: bool = False,
) -> None:
    """Writes the first scenes of a file as one picture (paper, figure 10).

    Args:
        file: where from.
        out: a PNG.
        n: number of scenes.
        columns: scenes in a row; half as many with something beside them.
        masks: put each scene's segmentation beside it.
        depth: put each scene's depth beside it.

    Raises:
        UsageError: the file has no segmentation, or no depth.
    """
    check_shown(file, masks=masks, depth=depth)
    panels = [np.asarray(file["image"][:n])]
    if masks:
        palette = entity_palette(file.entities, file.num_background)
        panels.append(colorize(file.segmentation(slice(0, n)), palette))
    if depth:
        panels.append(colorize_depth(np.asarray(file["depth"][:n])))
    images = np.concatenate(panels, axis=2)
    columns = max(1, min(columns if len(panels) == 1 else columns // 2, len(images)))
    sheet = Image.fromarray(tile(images, columns, GAP * len(panels)))
    scale = max(1, round(SHEET_WIDTH / sheet.width))
    sheet = sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.NEAREST)
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not(out) as temporary:
        sheet.save(temporary, "PNG")


def check_shown(file: SceneFile, *, masks: bool, depth: bool) -> None:
    """Refuses to show what a file does not hold.

    Raises:
        UsageError: names the file, the flag and what is missing.
    """
    if masks and not file.has("segmentation"):
        raise UsageError(f"{file.path}: --masks needs segmentations, and this file has none")
    if depth and not file.has("depth"):
        raise UsageError(
            f"{file.path}: --depth needs depths, and this file has none; scenes render --depth "
            "writes them"
        )
