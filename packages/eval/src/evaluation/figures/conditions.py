"""The component VAE under masks that it is given (paper, section 2.2 and figure 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Float, Integer, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monet import Monet
from monet.config import MaskKind
from monet.given_masks import given_log_masks
from monet.model import to_unit
from monet.training.picture import to_uint8
from scenes.command_line import CommandError
from scenes.pictures.palette import slot_palette

from evaluation.figures.style import STYLE, Canvas, note_height

CONDITIONS: dict[MaskKind, str] = {
    "element": "element masks",
    "all-in-one": "all-in-one",
    "wrong-element": "wrong element masks",
}
"""`TrainConfig.masks`, and the paper's name for it."""
COLORS = {"element": "#009E73", "all-in-one": "#0072B2", "wrong-element": "#E69F00"}
CURVES = {"nll": "negative log-likelihood", "kl_latent": "KL of the latents"}
SIDE = 0.72
GAP = 0.03
PLOT = (2.7, 2.0)
PICTURES_LEFT = 5.0
TOP = 0.3
BETWEEN = 0.1


@dataclass(frozen=True)
class Curve:
    """What a run logged."""

    steps: Integer[np.ndarray, " L"]
    values: Mapping[str, np.ndarray]
    """By the name of the term, nats for each image."""


def read_curve(path: Path) -> Curve:
    """Reads the loss terms of a run's metrics.jsonl.

    Raises:
        CommandError: there is no such file, or no term in it.
    """
    if not path.is_file():
        raise CommandError(f"{path}: no such file; monet-train writes it beside the weights")
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CommandError(f"{path}: line {number} is no JSON") from error
        if all(name in row for name in CURVES):
            rows.append(row)
    if not rows:
        raise CommandError(f"{path}: holds no {' and '.join(CURVES)}; train for longer")
    return Curve(
        np.array([row["step"] for row in rows]),
        {name: np.array([row[name] for row in rows], dtype=float) for name in CURVES},
    )


@torch.no_grad()
def reconstruct(
    model: Monet, images: UInt8[np.ndarray, "N H W 3"], log_masks: Float[torch.Tensor, "N K H W"]
) -> UInt8[np.ndarray, "N H W 3"]:
    """Returns the components that the VAE makes of the masked images, mixed by the masks."""
    out = model(to_unit(torch.from_numpy(images)), log_masks=log_masks)
    mixed = (log_masks.exp()[:, :, None] * out.components).sum(dim=1)
    return to_uint8(mixed.movedim(1, -1).numpy())


def draw_conditions(
    curves: Mapping[str, Curve],
    models: Mapping[str, Monet],
    images: UInt8[np.ndarray, "N H W 3"],
    segmentation: UInt8[np.ndarray, "N H W"],
    note: str,
) -> Figure:
    """Draws the curves of three runs beside what each makes of the same scenes.

    Args:
        curves: by condition.
        models: by condition.
        images: example scenes, at least two: each has another's masks as wrong ones.
        segmentation: entity of each of their pixels.
        note: a line below.
    """
    n = len(images)
    width = PICTURES_LEFT + n * (SIDE + GAP) + 0.05
    below = TOP + SIDE + len(CONDITIONS) * (2 * (SIDE + GAP) + BETWEEN) + 0.05
    canvas = Canvas(width, below + note_height(note, width))
    for index, (term, name) in enumerate(CURVES.items()):
        axes = canvas.axes(0.75, TOP + index * (PLOT[1] + 0.75), *PLOT)
        with mpl.rc_context(STYLE):
            _plot(axes, curves, term, f"({'ab'[index]}) {name}, nats an image")
            if index == 0:  # one is enough: the next one's curves have no corner to spare
                axes.legend(frameon=False, fontsize=7)
    canvas.words("(c) scenes, (d) given masks", PICTURES_LEFT, TOP / 2)
    _row(canvas, TOP, "scene", "black", images)
    for place, (condition, name) in enumerate(CONDITIONS.items()):
        y = TOP + SIDE + BETWEEN + place * (2 * (SIDE + GAP) + BETWEEN)
        model = models[condition]
        truth = torch.from_numpy(segmentation)
        masks = given_log_masks(condition, truth, model.config.num_slots)
        palette = slot_palette(model.config.num_slots)
        _row(canvas, y, name, COLORS[condition], palette[masks.argmax(dim=1).numpy()])
        reconstruction = reconstruct(model, images, masks)
        _row(canvas, y + SIDE + GAP, "reconstruction", "0.35", reconstruction)
    canvas.note(note, below)
    return canvas.figure


def _plot(axes: Axes, curves: Mapping[str, Curve], term: str, title: str) -> None:
    for condition, name in CONDITIONS.items():
        curve = curves[condition]
        axes.plot(curve.steps, curve.values[term], color=COLORS[condition], lw=1.4, label=name)
    # The first steps are far off the scale of everything after them.
    later = np.concatenate(
        [curve.values[term][len(curve.steps) // 10 :] for curve in curves.values()]
    )
    space = 0.06 * max(float(np.ptp(later)), 1e-9)
    axes.set_ylim(later.min() - space, later.max() + space)
    axes.set_title(title, loc="left")
    axes.set_xlabel("step")
    axes.tick_params(labelsize=7)


def _row(
    canvas: Canvas, y: float, label: str, color: str, pictures: Sequence[np.ndarray] | np.ndarray
) -> None:
    canvas.words(label, PICTURES_LEFT - 0.1, y + SIDE / 2, ha="right", color=color, fontsize=8)
    for index, picture in enumerate(pictures):
        canvas.picture(picture, PICTURES_LEFT + index * (SIDE + GAP), y, SIDE)
