"""Objects Room scenes as a function of (config, seed, index)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from scenes.command_line import CommandError
from scenes.config import ObjectsRoomConfig
from scenes.kinds import SHAPES
from scenes.objects_room.camera import Camera, View
from scenes.objects_room.renderer import FIRST_OBJECT, Renderer
from scenes.objects_room.sampling import (
    Color,
    Draws,
    Place,
    Thing,
    hsv_to_rgb,
    sample_background,
    sample_cameras,
    sample_pitch,
    sample_places,
    sample_things,
)
from scenes.scene import Field, Scene, scene_rng

MIN_VISIBLE_SHARE = 0.002
"""An object counts for a scene's acceptance from this share of the image (8 pixels of 64 x 64)."""
MAX_ATTEMPTS = 20_000


@dataclass(frozen=True)
class Room:
    """A scene that its split accepts, and what of it each camera sees."""

    things: tuple[Thing, ...]
    places: tuple[Place, ...]
    cameras: tuple[Camera, ...]
    wall: Color
    floor: Color
    segmentations: tuple[UInt8[np.ndarray, "H W"], ...]
    visible_pixels: tuple[Int[np.ndarray, " O"], ...]


class ObjectsRoomSource:
    """Renders the scenes of an `ObjectsRoomConfig`; holds one OpenGL context.

    With several views of each scene, row `i` is view `i % views` of scene `i // views`.
    """

    dataset = ObjectsRoomConfig.dataset
    limit: int | None = None

    def __init__(self, config: ObjectsRoomConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.renderer = Renderer(config.max_objects, config.size)
        self.provenance: Mapping[str, str] = self.renderer.provenance()
        objects = tuple(f"object_{i}" for i in range(config.max_objects))
        self.entities = ("sky", "floor", "wall_left", "wall_right", *objects)
        self.fields: Mapping[str, Field] = fields(config)
        self._min_pixels = max(1.0, MIN_VISIBLE_SHARE * config.size**2)
        self._last: tuple[int, Room] | None = None
        self.attempts = 0
        """Scenes proposed so far, accepted or not."""
        self.segmented = 0
        """Segmentation passes that decided over them."""

    def __getitem__(self, index: int) -> Scene:
        """Returns row `index`.

        Raises:
            CommandError: no acceptable scene was found.
        """
        scene, view = divmod(index, self.config.views)
        room = self.sample(scene)
        if self.config.views > 1:  # one camera is there already
            self.renderer.look(room.cameras[view])
        return Scene(
            image=self.renderer.image(),
            segmentation=room.segmentations[view],
            values=self._values(room, scene, view),
        )

    def sample(self, scene: int) -> Room:
        """Draws a scene that the split accepts, and has it arranged and painted.

        Raises:
            CommandError: there was none in many attempts.
        """
        if self._last is None or self._last[0] != scene:
            self._last = scene, self._find(scene)
        return self._last[1]

    def _find(self, scene: int) -> Room:
        config = self.config
        draws = Draws(scene_rng(self.seed, config.stream, scene))
        # Rejection must bend no law that is stated. Where one object in view is enough, the pitch
        # is drawn once, the rest until accepted. Where all must be, some pitches show none: there
        # the objects are drawn once, and the pitch with everything else.
        pitch = sample_pitch(draws)
        things = sample_things(draws, config)
        for attempt in range(MAX_ATTEMPTS):
            if attempt and config.all_in_view:
                pitch = sample_pitch(draws)
            elif attempt:
                things = sample_things(draws, config)
            self.attempts += 1
            cameras = sample_cameras(draws, pitch, config.views)
            places = sample_places(draws, config, things, tuple(View(c) for c in cameras))
            if places is None:
                continue
            self.renderer.arrange(things, places)
            seen = self._look(cameras, things)
            if seen is None:
                continue
            wall, floor = sample_background(draws, config, things)
            self.renderer.paint(things, wall, floor)
            segmentations, visible = zip(*seen, strict=True)
            return Room(things, places, cameras, wall, floor, segmentations, visible)
        raise CommandError(
            f"scene {scene} was not accepted in {MAX_ATTEMPTS:,} attempts; fewer --objects or "
            f"--views are easier to get into view"
        )

    def _look(
        self, cameras: tuple[Camera, ...], things: tuple[Thing, ...]
    ) -> list[tuple[UInt8[np.ndarray, "H W"], Int[np.ndarray, " O"]]] | None:
        """Returns what each camera sees, or `None` once one does not see what the split asks."""
        seen = []
        for camera in cameras:
            self.renderer.look(camera)
            self.segmented += 1
            segmentation, pixels = self.renderer.segmentation()
            visible = pixels[FIRST_OBJECT:][: len(things)]
            if not self._acceptable(visible, things):
                return None
            seen.append((segmentation, visible))
        return seen

    def _acceptable(self, visible: Int[np.ndarray, " O"], things: tuple[Thing, ...]) -> bool:
        enough = [pixels >= self._min_pixels for pixels in visible.tolist()]
        if self.config.only_held_out:
            asked = [self.config.is_held_out(t.shape, t.color_hsv[0]) for t in things]
            if not any(a and e for a, e in zip(asked, enough, strict=True)):
                return False
        return all(enough) if self.config.all_in_view else any(enough)

    def _values(self, room: Room, scene: int, view: int) -> dict[str, np.ndarray]:
        things, camera, visible = room.things, room.cameras[view], room.visible_pixels[view]
        values: dict[str, object] = {
            "num_objects": len(things),
            "num_visible": int((visible > 0).sum()),
            "factors/present": [True] * len(things),
            "factors/shape": [SHAPES.index(thing.shape) for thing in things],
            "factors/size": [thing.size_m for thing in things],
            "factors/position": [place.position_m for place in room.places],
            "factors/rotation": [place.rotation_rad for place in room.places],
            "factors/color_hsv": [thing.color_hsv for thing in things],
            "factors/color_rgb": [hsv_to_rgb(thing.color_hsv) for thing in things],
            "factors/visible_pixels": visible.tolist(),
            "background/wall_rgb": hsv_to_rgb(room.wall),
            "background/floor_rgb": hsv_to_rgb(room.floor),
            "camera/position": camera.position_m,
            "camera/yaw": camera.yaw_rad,
            "camera/pitch": math.radians(camera.pitch_deg),
        }
        if self.config.views > 1:
            values["scene"], values["view"] = scene, view
        if self.config.with_amodal:
            values["amodal"] = [self.renderer.extent(i) for i in range(len(things))]
        if self.config.depth:
            values["depth"] = self.renderer.depth()
        return {key: _row(value, self.fields[key]) for key, value in values.items()}


def _row(value: object, field: Field) -> np.ndarray:
    """Returns a row of the field's shape and type, zeros after the objects that there are."""
    given = np.array(value, dtype=field.dtype)
    if given.shape == field.shape:
        return given
    row = np.zeros(field.shape, dtype=field.dtype)
    row[: len(given)] = given.reshape(-1, *field.shape[1:])
    return row


def fields(config: ObjectsRoomConfig) -> dict[str, Field]:
    """Returns what every row of a file holds, by HDF5 key."""
    size, objects = config.size, config.max_objects
    known = {
        "image": Field((size, size, 3), "uint8", "RGB"),
        "segmentation": Field((size, size), "uint8", "entity index of each pixel"),
        "num_objects": Field((), "uint8", "objects placed in the room"),
        "num_visible": Field((), "uint8", "objects with at least one pixel"),
        "factors/present": Field((objects,), "bool", "which rows of the factors count"),
        "factors/shape": Field((objects,), "uint8", "shape", categories=SHAPES),
        "factors/size": Field((objects,), "float32", "twice the half-size; a sphere's width", "m"),
        "factors/position": Field((objects, 3), "float32", "the object's origin", "m"),
        "factors/rotation": Field((objects,), "float32", "about the vertical", "rad"),
        "factors/color_hsv": Field((objects, 3), "float32", "hue, saturation, value in [0, 1]"),
        "factors/color_rgb": Field((objects, 3), "float32", "the same colour as RGB in [0, 1]"),
        "factors/visible_pixels": Field((objects,), "int32", "pixels of the object in view"),
        "background/wall_rgb": Field((3,), "float32", "colour of the walls in [0, 1]"),
        "background/floor_rgb": Field((3,), "float32", "colour of the floor in [0, 1]"),
        "camera/position": Field((3,), "float32", "position in the room, z up", "m"),
        "camera/yaw": Field((), "float32", "direction of view from the x axis", "rad"),
        "camera/pitch": Field((), "float32", "direction of view above the horizontal", "rad"),
    }
    if config.views > 1:
        known["scene"] = Field((), "uint32", "number of the scene, which its views share")
        known["view"] = Field((), "uint8", "number of the view of that scene")
    if config.with_amodal:
        known["amodal"] = Field(
            (objects, size, size), "bool", "the object's full extent, as if nothing hid it"
        )
    if config.depth:
        known["depth"] = Field(
            (size, size), "float16", "distance along the camera's axis; the sky is inf", "m"
        )
    return known
