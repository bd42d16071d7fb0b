"""Draws figures of the paper, and of scores, in one style."""

from evaluation.figures.decompositions import draw_decompositions
from evaluation.figures.style import STYLE, save

__all__ = ["STYLE", "draw_decompositions", "save"]
