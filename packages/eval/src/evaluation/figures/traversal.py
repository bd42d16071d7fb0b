"""Shows how a slot's component changes with its latents (paper, section 3.2 and figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from scenes.atomic import whole_or_not
from scenes.command_line import CommandError
from scenes.pictures.palette import slot_palette
from scenes.pictures.sheet import tile

from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import Drawable
from evaluation.figures.style import Canvas, note_height
from evaluation.predictions.models import Model, ScoredModel, scored_model

SPAN = 1.0
"""Latents go from -1 to 1, as in figure 5: one standard deviation of the prior to either side."""
STRIP_FRAMES = 9
GIF_FRAMES = 21
GIF_SECONDS = 2.0
"""Seconds from one end to the other."""
GIF_SIDE = 192


@dataclass(frozen=True)
class Traversal:
    """A slot, decoded with one latent at a time set to each of some values."""

    origin: Float[np.ndarray, " D"]
    """The slot's own latents."""
    latents: tuple[int, ...]
    """Numbers of the latents that change."""
    values: Float[np.ndarray, " T"]
    z: Float[np.ndarray, "L T D"]
    """Latents that were decoded."""
    components: Float[np.ndarray, "L T H W 3"]
    masks: Float[np.ndarray, "L T H W"]
    """Sigmoid of the mask's logits, not normalised over slots, since there is one slot alone."""

    @property
    def frames(self) -> UInt8[np.ndarray, "L T H W 3"]:
        """Components under their masks, on white."""
        return on_white(self.components, self.masks)

    @property
    def effects(self) -> Float[np.ndarray, " L"]:
        """Each latent's effect: the mean change of a pixel from the first frame to the last."""
        shown = self.components * self.masks[..., None] + 1 - self.masks[..., None]
        return np.abs(shown[:, -1] - shown[:, 0]).mean(axis=(1, 2, 3))


def traverse(
    model: Model | ScoredModel,
    z: Float[np.ndarray, " D"],
    values: Float[np.ndarray, " T"],
    latents: Sequence[int] | None = None,
    *,
    relative: bool = False,
) -> Traversal:
    """Decodes a slot with one latent changed at a time.

    Args:
        model: decodes.
        z: latents of the slot, such as its posterior mean.
        values: values for the latent.
        latents: numbers of the latents to change, one at a time; all by default.
        relative: add the values to the latent, instead of replacing it.

    Raises:
        CommandError: the model cannot decode latents.
    """
    subject = scored_model(model)
    if subject.decode is None:
        raise CommandError(lacks_decode(subject))
    chosen = tuple(range(len(z))) if latents is None else tuple(latents)
    changed = np.tile(np.asarray(z, np.float32), (len(chosen), len(values), 1))  # (L, T, D)
    for row, latent in enumerate(chosen):
        changed[row, :, latent] = values + (z[latent] if relative else 0)
    L, T, D = changed.shape
    components, logits = (
        part.reshape(L, T, *part.shape[1:]) for part in subject.decode(changed.reshape(-1, D))
    )
    return Traversal(z, chosen, values, changed, components, 1 / (1 + np.exp(-logits)))


def lacks_decode(model: ScoredModel) -> str:
    """Returns the error of a model whose latents cannot be decoded."""
    return (
        f"{model.identity.name}: has no decode(latents) that returns components and mask logits "
        "(docs/metrics.md)"
    )


def latent_values(frames: int) -> Float[np.ndarray, " T"]:
    """Returns values from -1 to 1; an odd number of them has 0 in the middle."""
    return np.linspace(-SPAN, SPAN, frames)


def own_component(parts: Drawable, scene: int, slot: int) -> UInt8[np.ndarray, "H W 3"]:
    """Returns a slot's component, masked like the frames of a traversal."""
    mask = 1 / (1 + np.exp(-parts.mask_logits[scene, slot]))
    return on_white(parts.components[scene, slot], mask)


def ordered(traversal: Traversal) -> Traversal:
    """Returns a traversal with its latents in the order of their effects, the largest first."""
    rows = np.argsort(-traversal.effects, kind="stable")
    return replace(
        traversal,
        latents=tuple(traversal.latents[row] for row in rows),
        z=traversal.z[rows],
        components=traversal.components[rows],
        masks=traversal.masks[rows],
    )


def draw_strip(
    traversal: Traversal,
    image: UInt8[np.ndarray, "H W 3"],
    own: UInt8[np.ndarray, "H W 3"],
    slot: int,
    note: str,
    *,
    relative: bool = False,
) -> Figure:
    """Draws a traversal: a row for each latent, from -1 to 1.

    Args:
        traversal: the traversal.
        image: of the scene.
        own: the slot's component, unchanged.
        slot: number of the slot, from 0.
        note: a line below.
        relative: whether the values were added to the latents.
    """
    side, gap, left, top = 0.62, 0.03, 2.45, 0.3
    L, T = traversal.masks.shape[:2]
    width = left + T * (side + gap) + 0.05
    below = top + max(L, 2) * (side + gap) + 0.03
    canvas = Canvas(width, below + note_height(note, width))
    for index, (name, picture) in enumerate((("scene", image), (f"slot {slot + 1}", own))):
        x = 0.08 + index * (side + 0.12)
        canvas.words(name, x + side / 2, top / 2, ha="center", fontsize=8)
        edge = {"edge": slot_palette(slot + 1)[slot] / 255, "edge_width": 2.0} if index else {}
        canvas.picture(picture, x, top, side, **edge)
    for column, value in enumerate(traversal.values):
        x = left + column * (side + gap) + side / 2
        canvas.words(number(float(value), signed=relative), x, top / 2, ha="center", fontsize=8)
    for row, latent in enumerate(traversal.latents):
        y = top + row * (side + gap)
        middle, right = y + side / 2, left - 0.1
        canvas.words(f"latent {latent}", right, middle - 0.08, ha="right", fontsize=8)
        had = f"is {number(float(traversal.origin[latent]))}"
        canvas.words(had, right, middle + 0.09, ha="right", fontsize=6.5, color="0.35")
        for column, frame in enumerate(traversal.frames[row]):
            canvas.picture(frame, left + column * (side + gap), y, side)
    canvas.note(note, below)
    return canvas.figure


def number(value: float, *, signed: bool = False) -> str:
    """Writes a number with two decimals and a minus sign as wide as a plus."""
    return f"{value:{'+' if signed else ''}.2f}".replace("-", "\N{MINUS SIGN}")


def write_gif(traversal: Traversal, path: Path) -> None:
    """Writes a traversal to and fro as an endless GIF, with all its latents side by side."""
    frames = traversal.frames
    L, T, size = frames.shape[:3]
    scale = max(1, GIF_SIDE // size if L == 1 else GIF_SIDE // (2 * size))
    columns = int(np.ceil(np.sqrt(L)))
    sheets = [tile(frames[:, step], columns) for step in (*range(T), *range(T - 2, 0, -1))]
    large = [sheet.repeat(scale, axis=0).repeat(scale, axis=1) for sheet in sheets]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not(path) as temporary:
        imageio.imwrite(
            temporary, large, extension=".gif", duration=1000 * GIF_SECONDS / (T - 1), loop=0
        )
