"""The files of `eval traverse`: a strip and a GIF of a slot, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.segmentation import images_at

from evaluation.figures.drawable import drawable
from evaluation.figures.style import save
from evaluation.figures.traversal import (
    draw_strip,
    gif_values,
    lacks_decode,
    ordered,
    own_component,
    strip_values,
    traverse,
    write_gif,
)
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.scores.conditions import DATA_FOLDER, rooms_size, scene_file
from evaluation.scores.truth import size_of


def write_traversal(
    model: Model | ScoredModel,
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
        model: any model that gives latents and can decode them.
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
        CommandError: the model gives no latents, or cannot decode them.
    """
    subject = scored_model(model)
    num_slots = subject.slots(slots)
    place = check_slot(slot, num_slots)
    if subject.decode is None:
        raise CommandError(lacks_decode(subject))
    for name, value in (("--scene", scene), ("--latent", latent)):
        if value is not None and value < 0:
            raise UsageError(f"{name} must be at least 0, got {value}")
    if latent is not None and subject.weights is not None:  # known before the work
        check_latent(latent, subject.weights.config.model.latent_dim)
    if data is None:
        size = rooms_size(subject.image_size)
        data = scene_file("test", size, data_folder, seed=seed, n=scene + 1, workers=workers)
    image = scene_of(data, scene, subject.image_size)
    output = cache.decompositions(subject, image[None], num_slots)
    if output.latents is None:
        raise CommandError(f"{subject.identity.name}: gives no latents to change")
    place = check_slot(slot, output.latents.shape[1])
    if latent is not None:
        check_latent(latent, output.latents.shape[2])
    latents = None if latent is None else (latent,)
    strip, moving = (
        ordered(traverse(subject, output.latents[0, place], values, latents, relative=relative))
        for values in (strip_values(), gif_values())
    )
    stem = f"scene_{scene}_slot_{slot}" + ("" if latent is None else f"_latent_{latent}")
    how = "added to what the latent is" if relative else "in place of what the latent is"
    note = (
        f"{subject.identity.title}, scene {scene} of {data.name}; {how}; masks not "
        "normalised over slots"
    )
    own = own_component(drawable(image[None], output), place)
    figure = draw_strip(strip, image, own, place, note, relative=relative)
    gif = out / f"{stem}.gif"
    paths = save(figure, out / stem)
    write_gif(moving, gif)
    return [*paths, gif]


def check_latent(latent: int, count: int) -> None:
    """Refuses a latent that is not there.

    Raises:
        UsageError: it is not from 0 to one less than `count`.
    """
    if not 0 <= latent < count:
        raise UsageError(f"--latent must be from 0 to {count - 1}, got {latent}")


def check_slot(slot: int, num_slots: int) -> int:
    """Returns the position of a slot, counted from 0, of a number counted from 1.

    Raises:
        UsageError: there is no such slot.
    """
    if not 1 <= slot <= num_slots:
        raise UsageError(f"--slot must be from 1 to {num_slots}, got {slot}")
    return slot - 1


def scene_of(path: Path, index: int, size: int | None) -> UInt8[np.ndarray, "H W 3"]:
    """Returns a scene's image at the model's size.

    Raises:
        UsageError: the file has no such scene, or another size.
    """
    with SceneFile(path) as file:
        if not 0 <= index < file.n:
            raise UsageError(f"{path}: --scene must be from 0 to {file.n - 1}, got {index}")
        size = size_of(file, size)
        return images_at(file["image"][index : index + 1], size)[0]
