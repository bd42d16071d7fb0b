"""Draws stored rooms by this process's OpenGL, and compares them with what rays see.

It imports MuJoCo, so `scenes.render.examination` runs it in a separate process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenes.command_line import CommandError
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.fields import FIRST_OBJECT, FLOOR, WALL_LEFT, WALL_RIGHT
from scenes.render.codes import read
from scenes.render.evidence import NO_ENTITY, draw_evidence
from scenes.render.examination import Examination, Request
from scenes.render.gl import starting_gl
from scenes.render.gpu_driver import gpu_driver
from scenes.render.stored import CONFIG, StoredRoom, stored_rooms
from scenes.serialise import from_json, to_json

with starting_gl():
    from scenes.objects_room.renderer import FIRST_GEOM, FIRST_WALL_GEOM, Renderer
    from scenes.objects_room.source import ObjectsRoomSource
    from scenes.render.rays import Truth, truth

WARM_UP, STEP, ENOUGH_S = 16, 64, 2.0
"""Scenes made before the rate is measured, scenes made at once, and seconds of measuring."""


@dataclass(frozen=True)
class Drawn:
    """Rooms as OpenGL drew them."""

    images: UInt8[np.ndarray, "N H W 3"]
    code_colors: UInt8[np.ndarray, "N H W 3"]
    """Colours of the codes (`scenes.render.codes`); a bad driver's may be no code."""
    depths_m: Float[np.ndarray, "N H W"]
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """How far a drawing agrees with rays; `Examination` defines the numbers."""

    entities: UInt8[np.ndarray, "N H W"]
    """Read from the codes; `NO_ENTITY` where a colour is no code."""
    equal: float
    equal_inside: float
    depth_error_m: float


def compare(request: str) -> str:
    """Returns an `Examination` of this process's OpenGL as JSON.

    Args:
        request: a `Request` as JSON.

    Raises:
        CommandError: OpenGL cannot be started.
    """
    question = from_json(request, Request)
    rooms = stored_rooms()[: question.n]
    config = replace(CONFIG, size=question.size)
    drawing = draw(rooms, config)
    truths = [truth(config, room.values) for room in rooms]
    stored = np.stack([room.image for room in rooms])
    at_stored_size = drawing if config == CONFIG else draw(rooms, CONFIG)
    verdict = judge(drawing, truths)
    rate, failure = _rate(config) if question.with_rate else (None, "")
    examination = Examination(
        os.environ["MUJOCO_GL"],
        gpu_driver(),
        failure,
        mujoco=drawing.provenance["mujoco"],
        vendor=drawing.provenance["gl_vendor"],
        renderer=drawing.provenance["gl_renderer"],
        version=drawing.provenance["gl_version"],
        n=len(rooms),
        size=config.size,
        equal=verdict.equal,
        equal_inside=verdict.equal_inside,
        depth_error_m=verdict.depth_error_m,
        image_difference=image_difference(at_stored_size.images, stored),
        scenes_per_second=rate,
    )
    if question.picture and not examination.agrees:
        out = Path(question.picture)
        draw_evidence(out, stored, drawing.images, verdict.entities, drawing.depths_m, truths)
        examination = replace(examination, picture=question.picture)
    return to_json(examination)


def draw(rooms: Sequence[StoredRoom], config: ObjectsRoomConfig) -> Drawn:
    """Draws rooms as a build does, but refuses none of them.

    Raises:
        CommandError: OpenGL cannot be started.
    """
    renderer = Renderer(config.max_objects, config.size)
    frames = range(len(rooms))
    for frame, room in zip(frames, rooms, strict=True):
        renderer.arrange(room.things, room.places)
        renderer.look(room.camera)
        renderer.take(frame)
        renderer.paint(frame, room.things, room.wall, room.floor)
    return Drawn(
        renderer.images(frames),
        renderer.code_colors(frames),
        renderer.depths(frames),
        renderer.provenance(),
    )


def judge(drawing: Drawn, truths: Sequence[Truth]) -> Comparison:
    """Compares a drawing with what rays see, pixel by pixel."""
    segmentation = np.stack([seen.segmentation for seen in truths])
    inside = np.stack([interior(labels) for labels in segmentation])
    entities = _entities(drawing.code_colors, segmentation)
    equal = entities == segmentation
    on_objects = inside & (segmentation >= FIRST_OBJECT)
    depths_m = np.stack([seen.depth for seen in truths])
    apart_m = np.abs(drawing.depths_m[on_objects] - depths_m[on_objects])
    return Comparison(
        entities,
        float(equal.mean()),
        float(equal[inside].mean()),
        # NaN counts as the largest number, because JSON has neither NaN nor infinity.
        float(np.nan_to_num(apart_m, nan=float(np.finfo(np.float32).max)).max(initial=0)),
    )


def interior(segmentation: UInt8[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Returns the pixels that belong to the same entity as their eight neighbours."""
    height, width = segmentation.shape
    around = np.pad(segmentation, 1, mode="edge")
    same = np.ones((height, width), dtype=bool)
    for y in range(3):
        for x in range(3):
            same &= around[y : y + height, x : x + width] == segmentation
    return same


def image_difference(
    images: UInt8[np.ndarray, "N H W 3"], stored: UInt8[np.ndarray, "N H W 3"]
) -> float:
    """Returns the largest mean absolute difference, of 255, of any room."""
    return float(np.abs(images.astype(int) - stored).mean(axis=(1, 2, 3)).max())


def _entities(
    code_colors: UInt8[np.ndarray, "N H W 3"], truths: UInt8[np.ndarray, "N H W"]
) -> UInt8[np.ndarray, "N H W"]:
    """Returns the entity at each pixel; a wall is left or right as rays say of most its pixels."""
    walls = range(1 + FIRST_WALL_GEOM, 1 + FIRST_GEOM)
    numbers, right = read(code_colors, FIRST_GEOM + CONFIG.max_objects)
    entity_of_number = np.full(256, NO_ENTITY, dtype=np.uint8)
    entity_of_number[:2] = 0, FLOOR
    objects = np.arange(CONFIG.max_objects)
    entity_of_number[1 + FIRST_GEOM + objects] = FIRST_OBJECT + objects
    entities = entity_of_number[numbers]
    for room, seen in enumerate(truths):
        for wall in walls:
            here = numbers[room] == wall
            left = np.count_nonzero(seen[here] == WALL_LEFT)
            is_left = left > np.count_nonzero(seen[here] == WALL_RIGHT)
            entities[room][here] = WALL_LEFT if is_left else WALL_RIGHT
    entities[~right] = NO_ENTITY
    return entities


def _rate(config: ObjectsRoomConfig) -> tuple[float | None, str]:
    """Returns scenes a second and an empty text, or no rate and why no scene can be made."""
    try:
        source = ObjectsRoomSource(config, 0)
        source.rows(range(WARM_UP))
        count, start = 0, time.monotonic()
        while (spent_s := time.monotonic() - start) < ENOUGH_S:
            source.rows(range(count, count + STEP))
            count += STEP
    except (CommandError, ValueError) as error:
        return None, f"scenes cannot be made: {error}"
    return count / spent_s, ""
