"""Examples of a dataset (paper, figure 10)."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from evaluation.figures.style import Canvas, note_height

EXAMPLES = 32
COLUMNS = 8
SIDE = 0.8
GAP = 0.04
TITLE = 0.3


def draw_examples(images: UInt8[np.ndarray, "N H W 3"], title: str, note: str) -> Figure:
    """Draws images in rows of eight."""
    rows = -(-len(images) // COLUMNS)
    width = 0.1 + COLUMNS * (SIDE + GAP)
    below = TITLE + rows * (SIDE + GAP)
    canvas = Canvas(width, below + note_height(note, width))
    canvas.words(title, 0.07, TITLE / 2)
    for index, image in enumerate(images):
        row, column = divmod(index, COLUMNS)
        canvas.picture(image, 0.07 + column * (SIDE + GAP), TITLE + row * (SIDE + GAP), SIDE)
    canvas.note(note, below)
    return canvas.figure
