"""Objects Room scenes as a function of (config, seed, index)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from scenes.command_line import CommandError, UsageError
from scenes.objects_room.by_rays import seen_by_rays
from scenes.objects_room.camera import Camera, View
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.fields import BACKGROUND, fields
from scenes.objects_room.kinds import SHAPES
from scenes.objects_room.renderer import Renderer
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
from scenes.parts.heartbeat import Beat, no_beat
from scenes.render.codes import scenes_named
from scenes.scene import Field, Scene, scene_rng

MIN_VISIBLE_SHARE = 0.002
"""Smallest share of the image at which an object counts as seen (8 pixels of 64 x 64)."""
MAX_ATTEMPTS = 20_000
BLOCK_ROWS = 256
"""Rows that are made together, one kind of work at a time; `scenes.render.offscreen` says why."""

Sight = tuple[UInt8[np.ndarray, "H W"], Int[np.ndarray, " O"]]
"""A camera's sight of a room: the segmentation, and the number of pixels of each object."""


@dataclass(frozen=True)
class Proposal:
    """A scene that passes the geometric tests."""

    things: tuple[Thing, ...]
    places: tuple[Place, ...]
    cameras: tuple[Camera, ...]


@dataclass(frozen=True)
class Room(Proposal):
    """A scene that its split accepts, with each camera's sight of it."""

    wall: Color
    floor: Color
    segmentations: tuple[UInt8[np.ndarray, "H W"], ...]
    visible_pixels: tuple[Int[np.ndarray, " O"], ...]


class ObjectsRoomSource:
    """Renders the scenes of an `ObjectsRoomConfig`; holds one OpenGL context.

    With several views of each scene, row `i` is view `i % views` of scene `i // views`.

    Args:
        config: which scenes.
        seed: entropy of every scene.
        by_rays: whether entities are found by rays, rather than by codes that OpenGL draws. This
            takes some milliseconds more a scene. The provenance says it, so that a file never has
            both.

    Raises:
        UsageError: `by_rays` is asked for depths or full extents, which OpenGL draws with codes.
    """

    dataset = ObjectsRoomConfig.dataset
    limit: int | None = None

    def __init__(self, config: ObjectsRoomConfig, seed: int, *, by_rays: bool = False) -> None:
        if by_rays and (config.depth or config.with_amodal):
            raise UsageError("segmentations by rays come without depth and full extents (amodal)")
        self._by_rays = by_rays
        self.config = config
        self.seed = seed
        self.renderer = Renderer(config.max_objects, config.size)
        self.provenance: Mapping[str, str] = {
            **self.renderer.provenance(),
            **({"segmentation": "rays"} if by_rays else {}),
        }
        objects = tuple(f"object_{i}" for i in range(config.max_objects))
        self.entities = (*BACKGROUND, *objects)
        self.fields: Mapping[str, Field] = fields(config)
        self.beat: Beat = no_beat
        self._min_pixels = max(1.0, MIN_VISIBLE_SHARE * config.size**2)
        self.attempts = 0
        """Scenes proposed so far, accepted or not."""
        self.segmented = 0
        """Segmentations drawn so far to decide whether a proposed scene is accepted."""

    def __getitem__(self, index: int) -> Scene:
        """Returns row `index`.

        Raises:
            CommandError: no acceptable scene was found.
            MixedCodesError: OpenGL drew a pixel that is no entity's.
        """
        row = {key: values[0, ...] for key, values in self.rows(range(index, index + 1)).items()}
        return Scene(row.pop("image"), row.pop("segmentation"), row)

    def rows(self, numbers: range) -> dict[str, np.ndarray]:
        """Returns all fields of consecutive rows, by HDF5 key.

        Raises:
            CommandError: no acceptable scene was found.
            MixedCodesError: OpenGL drew a pixel that is no entity's.
        """
        rows = {
            key: np.zeros((len(numbers), *field.shape), dtype=field.dtype)
            for key, field in self.fields.items()
        }
        for start in range(0, len(numbers), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            self._fill({key: values[block] for key, values in rows.items()}, numbers[block])
        return rows

    def sample(self, scene: int) -> Room:
        """Draws a scene that the split accepts.

        Raises:
            CommandError: there was none in many attempts.
            MixedCodesError: OpenGL drew a pixel that is no entity's.
        """
        return self._find(range(scene, scene + 1))[0]

    def _fill(self, rows: dict[str, np.ndarray], numbers: range) -> None:
        """Writes the values of consecutive rows into arrays."""
        views = self.config.views
        scenes = range(numbers[0] // views, numbers[-1] // views + 1)
        rooms = self._find(scenes)
        frames = [number - scenes[0] * views for number in numbers]
        room_views = [(rooms[frame // views], frame % views) for frame in frames]
        self.beat()
        rows["image"][:] = self.renderer.images(frames)
        if self.config.depth:
            self.beat()
            rows["depth"][:] = self.renderer.depths(frames)
        if self.config.with_amodal:
            for number, extents, (room, view) in zip(
                numbers, rows["amodal"], room_views, strict=True
            ):
                self.beat()
                self.renderer.arrange(room.things, room.places)
                self.renderer.look(room.cameras[view])
                with scenes_named([number // views]):
                    extents[: len(room.things)] = self.renderer.extents(len(room.things))
        if views > 1:
            rows["scene"][:], rows["view"][:] = np.divmod(np.array(numbers), views)
        _describe(rows, room_views)

    def _find(self, scenes: range) -> list[Room]:
        """Draws scenes that the split accepts.

        The renderer is left with the sight of camera `v` of the `i`-th scene as its frame
        `i * views + v`, painted.
        """
        views, stream = self.config.views, self.config.stream
        draws = [Draws(scene_rng(self.seed, stream, scene)) for scene in scenes]
        proposals = [self._proposals(*each) for each in zip(scenes, draws, strict=True)]
        rooms: dict[int, Room] = {}
        while missing := [i for i in range(len(scenes)) if i not in rooms]:
            candidates = {i: next(proposals[i]) for i in missing}
            for i, sights in self._acceptable_sights(scenes, candidates).items():
                things = candidates[i].things
                wall, floor = sample_background(draws[i], self.config, things)
                for frame in range(i * views, (i + 1) * views):
                    self.renderer.paint(frame, things, wall, floor)
                segmentations, visible = zip(*sights, strict=True)
                rooms[i] = Room(
                    **vars(candidates[i]),
                    wall=wall,
                    floor=floor,
                    segmentations=segmentations,
                    visible_pixels=visible,
                )
        return [rooms[i] for i in range(len(scenes))]

    def _proposals(self, scene: int, draws: Draws) -> Iterator[Proposal]:
        """Yields scenes that pass the geometric tests, and raises after many attempts."""
        config = self.config
        # Rejection must not change a distribution that the paper states. Where one object in view
        # is enough, the pitch is drawn once, and the rest until a scene is accepted. Where all must
        # be in view, which some pitches rule out, the objects are drawn once, and the rest again.
        pitch = sample_pitch(draws)
        things = sample_things(draws, config)
        for attempt in range(MAX_ATTEMPTS):
            if attempt and config.all_in_view:
                pitch = sample_pitch(draws)
            elif attempt:
                things = sample_things(draws, config)
            self.attempts += 1
            self.beat()
            cameras = sample_cameras(draws, pitch, config.views)
            places = sample_places(draws, config, things, tuple(View(c) for c in cameras))
            if places is not None:
                yield Proposal(things, places, cameras)
        raise CommandError(
            f"scene {scene} was not accepted in {MAX_ATTEMPTS:,} attempts; fewer --objects or "
            f"--views are easier to get into view"
        )

    def _acceptable_sights(
        self, scenes: range, proposals: Mapping[int, Proposal]
    ) -> dict[int, list[Sight]]:
        """Returns each camera's sight of those proposals that the split accepts in every view.

        Args:
            scenes: numbers of scenes.
            proposals: by place of their scene among these numbers.
        """
        sights: dict[int, list[Sight]] = {i: [] for i in proposals}
        for view in range(self.config.views):
            # Only proposals that were accepted in all views before this one.
            frames = [i * self.config.views + view for i in sights]
            for i, frame in zip(sights, frames, strict=True):
                self.renderer.arrange(proposals[i].things, proposals[i].places)
                self.renderer.look(proposals[i].cameras[view])
                self.renderer.take(frame)
            self.segmented += len(frames)
            with scenes_named([scenes[i] for i in sights]):
                latest = self._sights(frames, [proposals[i] for i in sights], view)
            for i, (segmentation, pixels) in zip(list(sights), latest, strict=True):
                things = proposals[i].things
                visible = pixels[: len(things)]
                sights[i].append((segmentation, visible))
                if not self._acceptable(visible, things):
                    del sights[i]
        return sights

    def _sights(self, frames: list[int], proposals: list[Proposal], view: int) -> Iterator[Sight]:
        """Returns the sights of frames, which were taken of the proposals in one view."""
        if not self._by_rays:
            return zip(*self.renderer.segmentations(frames), strict=True)
        return (
            seen_by_rays(self.config, proposal.things, proposal.places, proposal.cameras[view])
            for proposal in proposals
        )

    def _acceptable(self, visible: Int[np.ndarray, " O"], things: tuple[Thing, ...]) -> bool:
        enough = [pixels >= self._min_pixels for pixels in visible.tolist()]
        if self.config.only_held_out:
            special = [self.config.is_held_out(t.shape, t.color_hsv[0]) for t in things]
            if not any(s and e for s, e in zip(special, enough, strict=True)):
                return False
        return all(enough) if self.config.all_in_view else any(enough)


def _describe(rows: dict[str, np.ndarray], room_views: list[tuple[Room, int]]) -> None:
    """Writes the fields that describe each row's room, and the row's view of it."""
    rooms = [room for room, _ in room_views]
    cameras = [room.cameras[view] for room, view in room_views]
    visible = [room.visible_pixels[view] for room, view in room_views]
    rows["segmentation"][:] = [room.segmentations[view] for room, view in room_views]
    rows["num_objects"][:] = [len(room.things) for room in rooms]
    rows["num_visible"][:] = [np.count_nonzero(pixels) for pixels in visible]
    rows["background/wall_rgb"][:] = [hsv_to_rgb(room.wall) for room in rooms]
    rows["background/floor_rgb"][:] = [hsv_to_rgb(room.floor) for room in rooms]
    rows["camera/position"][:] = [camera.position_m for camera in cameras]
    rows["camera/yaw"][:] = [camera.yaw_rad for camera in cameras]
    rows["camera/pitch"][:] = [math.radians(camera.pitch_deg) for camera in cameras]
    present = rows["factors/present"]
    present[:] = np.arange(present.shape[1]) < rows["num_objects"][:, None]
    if not present.any():
        return
    things = [thing for room in rooms for thing in room.things]
    places = [place for room in rooms for place in room.places]
    rows["factors/shape"][present] = [SHAPES.index(thing.shape) for thing in things]
    rows["factors/size"][present] = [thing.size_m for thing in things]
    rows["factors/position"][present] = [place.position_m for place in places]
    rows["factors/rotation"][present] = [place.rotation_rad for place in places]
    rows["factors/color_hsv"][present] = [thing.color_hsv for thing in things]
    rows["factors/color_rgb"][present] = [hsv_to_rgb(thing.color_hsv) for thing in things]
    rows["factors/visible_pixels"][present] = np.concatenate(visible)
