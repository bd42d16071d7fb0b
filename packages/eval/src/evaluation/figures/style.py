"""The style of all figures: text that stays text, and a canvas that is laid out in inches."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scenes.atomic import whole_or_not
from scenes.progress import in_turn

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "figure",  # the same figure is the same bytes
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names of models and files may hold dollars
    "image.composite_image": False,  # pictures stay apart from each other
}
FORMATS = ("png", "pdf")
DPI = 160
SHARP_SIDE = 128
"""Least side in pixels to which a picture is enlarged, each pixel as a block."""
NOTE_SIZE = 6.5
NOTE_LINE = 0.13
NOTE_LETTERS = 19.0
"""Letters of a note that fit into an inch."""


def save(figure: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Saves a figure as PNG for screens, and in vector formats for print.

    Args:
        figure: what to save.
        stem: path without the suffix, which the format adds.
        formats: any of png, pdf and svg.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in formats]
    with mpl.rc_context(STYLE):
        for name in in_turn("drawing", [path.name for path in paths]):
            path = stem.with_name(name)
            with whole_or_not(path) as temporary:
                figure.savefig(
                    temporary, format=path.suffix[1:], dpi=DPI, metadata=_undated(path.suffix)
                )
    return paths


def to_svg(figure: Figure) -> str:
    """Returns a figure as the text of an SVG element, its words still words."""
    text = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata=_undated(".svg"))
    return text.getvalue()[text.getvalue().index("<svg") :]


def _undated(suffix: str) -> dict[str, None]:
    return {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(suffix, {})


def note_height(note: str, width: float) -> float:
    """Returns the height in inches of a note below a figure of a certain width."""
    return NOTE_LINE * len(_lines(note, width)) + (0.08 if note else 0)


def _lines(note: str, width: float) -> list[str]:
    return wrap(note, int(NOTE_LETTERS * (width - 0.16)))


class Canvas:
    """A figure on which pictures and words are placed, in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        with mpl.rc_context(STYLE):
            self.figure = Figure(figsize=(width, height))
            # One axes for all pictures: hundreds of axes take minutes to draw.
            self._page = self.figure.add_axes((0, 0, 1, 1))
        self._page.set_axis_off()
        self._page.set_xlim(0, width)
        self._page.set_ylim(height, 0)
        self._width, self._height = width, height

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Adds axes whose upper left corner is at (x, y)."""
        with mpl.rc_context(STYLE):
            return self.figure.add_axes(
                (
                    x / self._width,
                    1 - (y + height) / self._height,
                    width / self._width,
                    height / self._height,
                )
            )

    def picture(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        x: float,
        y: float,
        width: float,
        *,
        edge: Any = "0.75",
        edge_width: float = 0.5,
    ) -> None:
        """Places a picture, `width` inches wide, so that its pixels stay sharp."""
        # Viewers of PDF and SVG blur a picture of few pixels.
        scale = -(-SHARP_SIDE // min(image.shape[:2]))
        sharp = image.repeat(scale, axis=0).repeat(scale, axis=1)
        height = width * image.shape[0] / image.shape[1]
        extent = (x, x + width, y + height, y)
        self._page.imshow(sharp, extent=extent, interpolation="none", aspect="auto")
        self._page.set_xlim(0, self._width)  # which imshow changes
        self._page.set_ylim(self._height, 0)
        frame = Rectangle(
            (x, y), width, height, fill=False, edgecolor=edge, linewidth=edge_width, zorder=3
        )
        self._page.add_patch(frame)

    def chip(self, x: float, y: float, width: float, height: float, color: Any) -> None:
        """Places a filled rectangle."""
        self._page.add_patch(Rectangle((x, y), width, height, facecolor=color, edgecolor="none"))

    def words(self, text: str, x: float, y: float, **properties: Any) -> None:
        """Places words, by default so that they begin at x and their middle is at height y."""
        with mpl.rc_context(STYLE):
            self._page.text(x, y, text, **{"ha": "left", "va": "center", **properties})

    def note(self, note: str, y: float) -> None:
        """Places a note in small type, in as many lines as it needs."""
        for index, line in enumerate(_lines(note, self._width)):
            middle = y + 0.04 + (index + 0.5) * NOTE_LINE
            self.words(line, 0.08, middle, fontsize=NOTE_SIZE, color="0.35")
