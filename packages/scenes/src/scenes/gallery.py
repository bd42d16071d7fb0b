"""Contact sheets: many scenes of a file on one picture."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image

from scenes.file import SceneFile

GAP = 2
SHEET_WIDTH = 1024


def entity_palette(entities: tuple[str, ...], num_background: int) -> UInt8[np.ndarray, "E 3"]:
    """Returns a colour for each entity: greys for the background, hues for objects."""
    greys = np.linspace(225, 70, max(1, num_background))
    colors = [[grey, grey, grey] for grey in greys[:num_background]]
    for index in range(len(entities) - num_background):
        rgb = colorsys.hsv_to_rgb((0.57 + 0.381966 * index) % 1, 0.75, 0.95)
        colors.append([255 * value for value in rgb])
    return np.array(colors, dtype=np.uint8)


SLOT_COLORS = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0),
    (240, 228, 66), (60, 60, 60), (170, 170, 170), (110, 60, 150), (130, 70, 30),
)  # fmt: skip
"""Okabe and Ito's colours, which the colour-blind can tell apart, and four more."""


def slot_palette(slots: int) -> UInt8[np.ndarray, "K 3"]:
    """Returns a colour for each slot; the first ones do not depend on how many there are."""
    return np.array([SLOT_COLORS[k % len(SLOT_COLORS)] for k in range(slots)], dtype=np.uint8)


def tile(images: UInt8[np.ndarray, "N H W 3"], columns: int) -> UInt8[np.ndarray, "Y X 3"]:
    """Lays images out in rows, white between them."""
    n, height, width, _ = images.shape
    rows = -(-n // columns)
    sheet = np.full(
        (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, dtype=np.uint8
    )
    for index, image in enumerate(images):
        y = GAP + (index // columns) * (height + GAP)
        x = GAP + (index % columns) * (width + GAP)
        sheet[y : y + height, x : x + width] = image
    return sheet


def colorize(
    segmentation: Integer[np.ndarray, "N H W"], palette: UInt8[np.ndarray, "E 3"]
) -> UInt8[np.ndarray, "N H W 3"]:
    """Paints each entity in its colour."""
    return palette[segmentation]


def contact_sheet(
    file: SceneFile, out: Path, *, n: int = 32, columns: int = 8, masks: bool = False
) -> None:
    """Writes the first scenes of a file as one picture (paper, figure 10).

    Args:
        file: where from.
        out: a PNG.
        n: number of scenes.
        columns: scenes in a row.
        masks: put each scene's segmentation beside it.
    """
    images = np.asarray(file["image"][:n])
    if masks:
        palette = entity_palette(file.entities, file.num_background)
        painted = colorize(np.asarray(file["segmentation"][:n]), palette)
        images = np.concatenate([images, painted], axis=2)
        columns = max(1, columns // 2)
    sheet = Image.fromarray(tile(images, min(columns, len(images))))
    scale = max(1, round(SHEET_WIDTH / sheet.width))
    sheet = sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.NEAREST)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
