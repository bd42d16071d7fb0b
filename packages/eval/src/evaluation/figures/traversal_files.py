"""Writes the files of `eval traverse`: a strip and a GIF of a slot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.progress import in_turn
from scenes.segmentation import images_at

from evaluation.figures.drawable import drawable
from evaluation.figures.style import save
from evaluation.figures.traversal import (
    GIF_FRAMES,
    STRIP_FRAMES,
    draw_strip,
    lacks_decode,
    latent_values,
    ordered,
    own_component,
    traverse,
    write_gif,
)
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.room_folder import RoomFolder
from evaluation.scores.conditions import rooms_in, rooms_size
from evaluation.scores.truth import size_of


def write_traversal(
    model: Model | ScoredModel,
    scene: int,
    slot: int,
    *,
    latent: int | None = None,
    relative: bool = False,
    data: Path | None = None,
    rooms: RoomFolder | None = None,
    slots: int | None = None,
    out: Path,
    cache: Cache,
) -> list[Path]:
    """Writes how a slot of a scene changes with its latents, as a strip and as a GIF.

    Args:
        model: any model that gives latents and can decode them.
        scene: number of the scene in its file, from 0.
        slot: number of the slot, from 1.
        latent: number of the latent to change, from 0; by default all, in the order of effect.
        relative: add the values to the latent, instead of replacing it.
        data: file of scenes; by default test rooms.
        rooms: folder of test rooms; data/objects_room by default.
        slots: slots to use; as many as in training by default.
        out: folder to write.
        cache: keeps decompositions.

    Returns:
        Paths of the files.

    Raises:
        UsageError: there is no such scene, slot or latent.
        CommandError: the model gives no latents, or cannot decode them.
    """
    subject = scored_model(model)
    num_slots = subject.slots(slots)
    _check_request(subject, num_slots, scene, slot, latent)
    if data is None:
        size = rooms_size(subject.image_size)
        data = rooms_in(rooms or RoomFolder(), scene + 1, size).file("test")
    image = scene_of(data, scene, subject.image_size)
    output = cache.decompositions(subject, image[None], num_slots)
    if output.latents is None:
        raise CommandError(f"{subject.identity.name}: gives no latents to change")
    place = check_slot(slot, output.latents.shape[1])
    if latent is not None:
        check_latent(latent, output.latents.shape[2])
    latents = None if latent is None else (latent,)
    values = {"strip": latent_values(STRIP_FRAMES), "GIF": latent_values(GIF_FRAMES)}
    strip, moving = (
        ordered(
            traverse(subject, output.latents[0, place], values[name], latents, relative=relative)
        )
        for name in in_turn("decoding", list(values))
    )
    stem = f"scene_{scene}_slot_{slot}" + ("" if latent is None else f"_latent_{latent}")
    how = "added to what the latent is" if relative else "in place of what the latent is"
    note = (
        f"{subject.identity.title}, scene {scene} of {data.name}; {how}; masks not "
        "normalised over slots"
    )
    own = own_component(drawable(image[None], output), 0, place)
    figure = draw_strip(strip, image, own, place, note, relative=relative)
    gif = out / f"{stem}.gif"
    paths = save(figure, out / stem)
    write_gif(moving, gif)
    return [*paths, gif]


def _check_request(
    model: ScoredModel, num_slots: int, scene: int, slot: int, latent: int | None
) -> None:
    """Refuses a request that the model cannot meet, before any work is done.

    Raises:
        UsageError: there is no such scene, slot or latent.
        CommandError: the model cannot decode latents.
    """
    check_slot(slot, num_slots)
    if model.decode is None:
        raise CommandError(lacks_decode(model))
    for name, value in (("--scene", scene), ("--latent", latent)):
        if value is not None and value < 0:
            raise UsageError(f"{name} must be at least 0, got {value}")
    if latent is not None and model.weights is not None:
        check_latent(latent, model.weights.config.model.latent_dim)


def check_latent(latent: int, count: int) -> None:
    """Refuses the number of a latent that does not exist.

    Raises:
        UsageError: the number is not from 0 to one less than `count`.
    """
    if not 0 <= latent < count:
        raise UsageError(f"--latent must be from 0 to {count - 1}, got {latent}")


def check_slot(slot: int, num_slots: int) -> int:
    """Returns the index of a slot, from 0, by its number, from 1.

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
