"""Figures of the paper, and of the scores, in one style."""

from evaluation.figures.decompositions import draw_decompositions
from evaluation.figures.style import STYLE, save

__all__ = ["STYLE", "draw_decompositions", "save"]
