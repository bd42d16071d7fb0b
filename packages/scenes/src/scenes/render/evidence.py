"""Draws what an OpenGL drew beside what rays see, so that people can find the cause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from scenes.atomic import whole_or_not
from scenes.objects_room.fields import BACKGROUND, FIRST_OBJECT
from scenes.pictures.palette import colorize, colorize_depth, entity_palette
from scenes.pictures.sheet import GAP, tile

if TYPE_CHECKING:
    from scenes.render.rays import Truth

NO_ENTITY = 255
"""Entity of a pixel whose colour is no code."""
COLUMNS = ("stored", "colour", "codes", "rays", "difference", "depth", "rays' depth")
ENTITIES = (*BACKGROUND, "object_0", "object_1", "object_2")
WILD = 1.25
"""Depths are cut at so many times the furthest depth that rays see."""
WRONG, RIGHT = (220, 0, 0), (235, 235, 235)
MIN_SIDE, HEAD = 128, 16
"""In pixels: side of a room on the picture, and height of the line of the columns' names."""


def draw_evidence(
    out: Path,
    stored: UInt8[np.ndarray, "N S S 3"],
    images: UInt8[np.ndarray, "N H W 3"],
    entities: UInt8[np.ndarray, "N H W"],
    depths_m: Float[np.ndarray, "N H W"],
    truths: Sequence[Truth],
) -> None:
    """Writes a PNG: a room in each row, and `COLUMNS`.

    Entities that differ from the rays', and pixels of no entity, are red.

    Args:
        out: path of the picture.
        stored: the stored pictures.
        images: as OpenGL drew them.
        entities: as read from the codes.
        depths_m: as OpenGL drew them.
        truths: what rays see.
    """
    size = images.shape[1]
    scale = max(1, -(-MIN_SIDE // size))
    palette = np.full((256, 3), WRONG, dtype=np.uint8)
    palette[: len(ENTITIES)] = entity_palette(ENTITIES, FIRST_OBJECT)
    seen = np.stack([each.segmentation for each in truths])
    rays_m = np.stack([each.depth for each in truths])
    # One wild depth would leave all others in one colour.
    furthest_m = WILD * rays_m.max(where=np.isfinite(rays_m), initial=0.0)
    tame_m = np.where(depths_m < np.inf, np.minimum(depths_m, furthest_m), np.inf)
    depths = colorize_depth(np.concatenate([tame_m, rays_m]))
    columns = [
        np.stack([_resized(image, size) for image in stored]),
        images,
        colorize(entities, palette),
        colorize(seen, palette),
        _marked(entities != seen),
        *np.split(depths, 2),
    ]
    rooms = np.stack(columns, axis=1).reshape(-1, size, size, 3)
    sheet = tile(rooms.repeat(scale, axis=1).repeat(scale, axis=2), len(columns))
    headed = np.full((HEAD, sheet.shape[1], 3), 255, dtype=np.uint8)
    picture = Image.fromarray(np.concatenate([headed, sheet]))
    writing = ImageDraw.Draw(picture)
    for place, name in enumerate(COLUMNS):
        writing.text((GAP + place * (size * scale + GAP), 2), name, fill=(0, 0, 0))
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not(out) as temporary:
        picture.save(temporary, "PNG")


def _marked(wrong: Bool[np.ndarray, "N H W"]) -> UInt8[np.ndarray, "N H W 3"]:
    return np.where(wrong[..., None], WRONG, RIGHT).astype(np.uint8)


def _resized(image: UInt8[np.ndarray, "S S 3"], size: int) -> UInt8[np.ndarray, "H W 3"]:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.NEAREST))
