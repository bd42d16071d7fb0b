"""Draws the component VAE's results under given masks (paper, section 2.2 and figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from monet import Monet
from monet.config import MaskKind
from monet.given_masks import given_log_masks
from monet.images import to_unit
from scenes.pictures.palette import slot_palette, to_uint8

from evaluation.figures.panels import draw_losses
from evaluation.figures.style import STYLE, Canvas, note_height
from evaluation.training_log import Curve

MASKS: dict[MaskKind, str] = {
    "element": "element masks",
    "all-in-one": "all-in-one",
    "wrong-element": "wrong element masks",
}
"""The paper's names of `TrainConfig.masks`."""
COLORS = {"element": "#009E73", "all-in-one": "#0072B2", "wrong-element": "#E69F00"}
CURVES = {"nll": "negative log-likelihood", "kl_latent": "KL of the latents"}
SIDE = 0.72
GAP = 0.03
PLOT = (2.7, 2.0)
PICTURES_LEFT = 5.0
TOP = 0.3
BETWEEN = 0.1


@torch.no_grad()
def reconstruct(
    model: Monet, images: UInt8[np.ndarray, "N H W 3"], log_masks: Float[torch.Tensor, "N K H W"]
) -> UInt8[np.ndarray, "N H W 3"]:
    """Returns the VAE's reconstruction of images under masks: components mixed by the masks."""
    out = model(to_unit(torch.from_numpy(images)), log_masks=log_masks)
    mixed = (log_masks.exp()[:, :, None] * out.components).sum(dim=1)
    return to_uint8(mixed.movedim(1, -1).numpy())


def draw_given_masks(
    curves: Mapping[str, Curve],
    models: Mapping[str, Monet],
    images: UInt8[np.ndarray, "N H W 3"],
    segmentation: UInt8[np.ndarray, "N H W"],
    note: str,
) -> Figure:
    """Draws the loss curves of three runs, and each run's reconstructions of the same scenes.

    Args:
        curves: of the runs, by kind of masks.
        models: of the runs, by kind of masks.
        images: example scenes, at least two, since wrong masks are those of another scene.
        segmentation: entity of each of their pixels.
        note: a line below.
    """
    n = len(images)
    width = PICTURES_LEFT + n * (SIDE + GAP) + 0.05
    below = TOP + SIDE + len(MASKS) * (2 * (SIDE + GAP) + BETWEEN) + 0.05
    canvas = Canvas(width, below + note_height(note, width))
    for index, (term, name) in enumerate(CURVES.items()):
        axes = canvas.axes(0.75, TOP + index * (PLOT[1] + 0.75), *PLOT)
        with mpl.rc_context(STYLE):
            draw_losses(
                axes,
                {MASKS[kind]: curves[kind] for kind in MASKS},
                term,
                f"({'ab'[index]}) {name}, nats an image",
                {name: COLORS[kind] for kind, name in MASKS.items()},
            )
            axes.tick_params(labelsize=7)
            if index == 0:  # one legend is enough, and the second plot has no free corner
                axes.legend(frameon=False, fontsize=7)
    canvas.words("(c) scenes, (d) given masks", PICTURES_LEFT, TOP / 2)
    _row(canvas, TOP, "scene", "black", images)
    for place, (kind, name) in enumerate(MASKS.items()):
        y = TOP + SIDE + BETWEEN + place * (2 * (SIDE + GAP) + BETWEEN)
        model = models[kind]
        truth = torch.from_numpy(segmentation)
        masks = given_log_masks(kind, truth, model.config.num_slots)
        palette = slot_palette(model.config.num_slots)
        _row(canvas, y, name, COLORS[kind], palette[masks.argmax(dim=1).numpy()])
        reconstruction = reconstruct(model, images, masks)
        _row(canvas, y + SIDE + GAP, "reconstruction", "0.35", reconstruction)
    canvas.note(note, below)
    return canvas.figure


def _row(
    canvas: Canvas, y: float, label: str, color: str, pictures: Sequence[np.ndarray] | np.ndarray
) -> None:
    canvas.words(label, PICTURES_LEFT - 0.1, y + SIDE / 2, ha="right", color=color, fontsize=8)
    for index, picture in enumerate(pictures):
        canvas.picture(picture, PICTURES_LEFT + index * (SIDE + GAP), y, SIDE)
