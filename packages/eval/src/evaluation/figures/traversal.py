"""How a slot's component changes as one of its latents does (paper, section 3.2 and figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from monet import Monet
from monet.training.data import check_size
from monet.weights import Weights
from scenes.atomic import whole_or_not
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.pictures.palette import slot_palette
from scenes.pictures.sheet import tile
from scenes.segmentation import images_at

from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import Drawable, drawable
from evaluation.figures.style import Canvas, note_height, save
from evaluation.predictions.cache import Cache
from evaluation.predictions.model_choice import of_weights
from evaluation.scores.conditions import DATA_FOLDER, scene_file

SPAN = 1.0
"""Latents go from -1 to 1, as in figure 5: a deviation of the prior to either side."""
STRIP_FRAMES = 9
GIF_FRAMES = 21
GIF_SECONDS = 2.0
"""From one end to the other."""
GIF_SIDE = 192


@dataclass(frozen=True)
class Traversal:
    """A slot decoded with each of some latents at each of some values, the others as they were."""

    origin: Float[np.ndarray, " D"]
    """Latents as they were."""
    latents: tuple[int, ...]
    values: Float[np.ndarray, " T"]
    z: Float[np.ndarray, "L T D"]
    """What was decoded."""
    components: Float[np.ndarray, "L T H W 3"]
    masks: Float[np.ndarray, "L T H W"]
    """Sigmoid of the mask's logits: not normalised over slots, so that the component stands
    alone."""

    @property
    def frames(self) -> UInt8[np.ndarray, "L T H W 3"]:
        """Components under their masks, on white."""
        return on_white(self.components, self.masks)

    @property
    def effects(self) -> Float[np.ndarray, " L"]:
        """How much each latent changes the frames: the mean change of a pixel, ends apart."""
        shown = self.components * self.masks[..., None] + 1 - self.masks[..., None]
        return np.abs(shown[:, -1] - shown[:, 0]).mean(axis=(1, 2, 3))


def traverse(
    model: Monet,
    z: Float[np.ndarray, " D"],
    values: Float[np.ndarray, " T"],
    latents: Sequence[int] | None = None,
    *,
    relative: bool = False,
) -> Traversal:
    """Decodes a slot with one latent changed at a time.

    Args:
        model: whose decoder to use.
        z: latents of the slot, such as its posterior mean.
        values: what the latent is set to.
        latents: which to change, each on its own; all by default.
        relative: add the values to what the latent was instead.
    """
    chosen = tuple(range(len(z))) if latents is None else tuple(latents)
    changed = np.tile(np.asarray(z, np.float32), (len(chosen), len(values), 1))  # (L, T, D)
    for row, latent in enumerate(chosen):
        changed[row, :, latent] = values + (z[latent] if relative else 0)
    components, logits = model.render(changed)
    return Traversal(z, chosen, values, changed, components, 1 / (1 + np.exp(-logits)))


def strip_values(frames: int = STRIP_FRAMES) -> Float[np.ndarray, " T"]:
    """Returns values from -1 to 1; an odd number of them has 0 in the middle."""
    return np.linspace(-SPAN, SPAN, frames)


def gif_values() -> Float[np.ndarray, " T"]:
    """Returns the values of a GIF's frames on the way up."""
    return strip_values(GIF_FRAMES)


def scene_of(path: Path, index: int, size: int) -> UInt8[np.ndarray, "H W 3"]:
    """Returns a scene's image at the model's size.

    Raises:
        UsageError: the file has no such scene, or another size.
    """
    with SceneFile(path) as file:
        check_size(file, size)
        if not 0 <= index < file.n:
            raise UsageError(f"{path}: --scene must be from 0 to {file.n - 1}, got {index}")
        return images_at(file["image"][index : index + 1], size)[0]


def own_component(parts: Drawable, slot: int) -> UInt8[np.ndarray, "H W 3"]:
    """Returns the first scene's component of a slot, masked as the frames of a traversal are."""
    mask = 1 / (1 + np.exp(-parts.mask_logits[0, slot]))
    return on_white(parts.components[0, slot], mask)


def ordered(traversal: Traversal, count: int | None = None) -> Traversal:
    """Returns the latents that change the frames most, those first."""
    rows = np.argsort(-traversal.effects, kind="stable")[:count]
    return Traversal(
        traversal.origin,
        tuple(traversal.latents[row] for row in rows),
        traversal.values,
        traversal.z[rows],
        traversal.components[rows],
        traversal.masks[rows],
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
        traversal: what to draw.
        image: the scene.
        own: the slot's component as the model has it.
        slot: number of the slot, from 0.
        note: a line below.
        relative: whether the values were added to the latents' own.
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
    """Writes the traversal there and back as an endless GIF, all its latents beside each other."""
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


def write_traversal(
    weights: Weights,
    scene: int,
    slot: int,
    *,
    latent: int | None = None,
    relative: bool = False,
    data: Path | None = None,
    data_folder: Path = DATA_FOLDER,
    slots: int | None = None,
    seed: int = 0,
    out: Path,
    cache: Cache,
    workers: int | None = None,
) -> list[Path]:
    """Writes how a slot of a scene changes with its latents, as a strip and as a GIF.

    Args:
        weights: of the MONet whose decoder to use.
        scene: number of the scene in its file, from 0.
        slot: number of the slot, from 1.
        latent: which to change, from 0; by default all, those with the largest effect first.
        relative: add the values to what the latent was instead.
        data: file of scenes; by default test rooms.
        data_folder: where test rooms lie; those that lack are rendered into it.
        slots: slots to use; as many as in training by default.
        seed: of the test rooms.
        out: folder to write.
        cache: where decompositions are kept.
        workers: processes that render; one per core by default.

    Returns:
        Paths of the files.

    Raises:
        UsageError: there is no such scene, slot or latent.
    """
    monet, model = weights.model(), of_weights(weights)
    num_slots, size = model.slots(slots), monet.config.image_size
    place = check_slot(slot, num_slots)
    if latent is not None and not 0 <= latent < monet.config.latent_dim:
        raise UsageError(f"--latent must be from 0 to {monet.config.latent_dim - 1}, got {latent}")
    if data is None:
        if scene < 0:
            raise UsageError(f"--scene must be at least 0, got {scene}")
        data = scene_file("test", size, data_folder, seed=seed, n=scene + 1, workers=workers)
    image = scene_of(data, scene, size)
    output = cache.decompositions(model, image[None], num_slots)
    if output.latents is None:
        raise ValueError(f"{weights.name} gives no latents")
    latents = None if latent is None else (latent,)
    strip, moving = (
        ordered(traverse(monet, output.latents[0, place], values, latents, relative=relative))
        for values in (strip_values(), gif_values())
    )
    stem = f"scene_{scene}_slot_{slot}" + ("" if latent is None else f"_latent_{latent}")
    how = "added to what the latent is" if relative else "in place of what the latent is"
    note = f"{weights.title}, scene {scene} of {data.name}; {how}; masks not normalised over slots"
    own = own_component(drawable(image[None], output), place)
    figure = draw_strip(strip, image, own, place, note, relative=relative)
    gif = out / f"{stem}.gif"
    paths = save(figure, out / stem)
    write_gif(moving, gif)
    return [*paths, gif]


def check_slot(slot: int, num_slots: int) -> int:
    """Returns the position of a slot, counted from 0, of a number counted from 1.

    Raises:
        UsageError: there is no such slot.
    """
    if not 1 <= slot <= num_slots:
        raise UsageError(f"--slot must be from 1 to {num_slots}, got {slot}")
    return slot - 1
