"""Objects Room scenes as a function of (config, seed, index)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from scenes.config import SHAPES, ObjectsRoomConfig
from scenes.objects_room.renderer import FIRST_OBJECT, Renderer
from scenes.objects_room.sampling import (
    Camera,
    Colors,
    Layout,
    hsv_to_rgb,
    sample_camera,
    sample_colors,
    sample_layout,
    sample_pitch,
)
from scenes.scene import Field, Scene, scene_rng

MIN_VISIBLE_SHARE = 0.002
"""An object counts for a scene's acceptance from this share of the image (8 pixels of 64 x 64)."""
MAX_ATTEMPTS = 20_000


@dataclass(frozen=True)
class _Accepted:
    camera: Camera
    layout: Layout
    segmentation: UInt8[np.ndarray, "H W"]
    visible_pixels: Int[np.ndarray, " O"]


class ObjectsRoomSource:
    """Renders the scenes of an `ObjectsRoomConfig`; holds one OpenGL context."""

    dataset = ObjectsRoomConfig.dataset
    limit: int | None = None

    def __init__(self, config: ObjectsRoomConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._renderer = Renderer(config.max_objects, config.size)
        self.provenance: Mapping[str, str] = self._renderer.provenance()
        objects = tuple(f"object_{i}" for i in range(config.max_objects))
        self.entities = ("sky", "floor", "wall_left", "wall_right", *objects)
        self.fields: Mapping[str, Field] = _fields(config)

    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`.

        Raises:
            RuntimeError: no acceptable scene was found, which the splits' laws make impossible in
                practice.
        """
        rng = scene_rng(self.seed, self.config.stream, index)
        accepted = self._sample(rng, index)
        colors = sample_colors(rng, self.config, len(accepted.layout.shape))
        self._renderer.paint(colors)
        return Scene(
            image=self._renderer.image(),
            segmentation=accepted.segmentation,
            values=self._values(accepted, colors),
        )

    def _sample(self, rng: np.random.Generator, index: int) -> _Accepted:
        # Rejection must not bend the law of the pitch: it is drawn once, the rest until accepted.
        # Where all objects must be in view, a pitch may allow none, so that it is drawn again.
        pitch = sample_pitch(rng)
        for _ in range(MAX_ATTEMPTS):
            camera = sample_camera(rng, pitch)
            layout = sample_layout(rng, self.config, camera)
            if layout is not None:
                self._renderer.arrange(layout, camera)
                segmentation = self._renderer.entities(self._renderer.geoms())
                visible = np.bincount(
                    segmentation.ravel(), minlength=FIRST_OBJECT + self.config.max_objects
                )[FIRST_OBJECT:][: len(layout.shape)]
                if self._acceptable(visible):
                    return _Accepted(camera, layout, segmentation, visible)
            if self.config.all_in_view:
                pitch = sample_pitch(rng)
        raise RuntimeError(f"scene {index} was not accepted in {MAX_ATTEMPTS} attempts")

    def _acceptable(self, visible: Int[np.ndarray, " O"]) -> bool:
        enough = visible >= max(1, MIN_VISIBLE_SHARE * self.config.size**2)
        return bool(enough.all() if self.config.all_in_view else enough.any())

    def _values(self, accepted: _Accepted, colors: Colors) -> dict[str, np.ndarray]:
        layout, camera = accepted.layout, accepted.camera
        count = len(layout.shape)
        rgb = hsv_to_rgb(np.concatenate([[colors.wall, colors.floor], colors.objects]))
        values = {
            "num_objects": count,
            "num_visible": (accepted.visible_pixels > 0).sum(),
            "factors/present": np.ones(count),
            "factors/shape": layout.shape,
            "factors/size": layout.size_m,
            "factors/position": layout.position_m,
            "factors/rotation": layout.rotation_rad,
            "factors/color_hsv": colors.objects,
            "factors/color_rgb": rgb[2:],
            "factors/visible_pixels": accepted.visible_pixels,
            "background/wall_rgb": rgb[0],
            "background/floor_rgb": rgb[1],
            "camera/position": camera.position_m,
            "camera/yaw": camera.yaw_rad,
            "camera/pitch": np.deg2rad(camera.pitch_deg),
        }
        if self.config.with_amodal:
            values["amodal"] = np.stack(
                [self._renderer.extent(i) for i in range(count)]
                or [np.zeros((self.config.size, self.config.size))]
            )[:count]
        if self.config.depth:
            values["depth"] = self._renderer.depth()
        return {key: _padded(value, self.fields[key]) for key, value in values.items()}


def _padded(value: object, field: Field) -> np.ndarray:
    """Returns a row of the field's shape and type, zeros after the objects that there are."""
    given = np.asarray(value)
    if given.shape == field.shape:
        return given.astype(field.dtype)
    row = np.zeros(field.shape, dtype=field.dtype)
    row[: len(given)] = given
    return row


def _fields(config: ObjectsRoomConfig) -> dict[str, Field]:
    size, objects = config.size, config.max_objects
    fields = {
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
    if config.with_amodal:
        fields["amodal"] = Field(
            (objects, size, size), "bool", "the object's full extent, as if nothing hid it"
        )
    if config.depth:
        fields["depth"] = Field(
            (size, size), "float16", "distance along the camera's axis; the sky is inf", "m"
        )
    return fields
