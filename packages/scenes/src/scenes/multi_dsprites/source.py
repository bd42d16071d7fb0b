"""Multi-dSprites scenes as a function of (config, seed, index)."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer, UInt8

from scenes.entities import entity_names, mask_rows
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.multi_dsprites.sprites import (
    GRID,
    ORIENTATIONS,
    POSITIONS,
    SCALES,
    SHAPES,
    SIZE,
    open_sprites,
)
from scenes.scene import Field, OneByOne, Scene, scene_rng


class MultiDSpritesSource(OneByOne):
    """Composites the scenes of a `MultiDSpritesConfig`."""

    dataset = MultiDSpritesConfig.dataset
    limit: int | None = None

    def __init__(self, config: MultiDSpritesConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._sprites = open_sprites(None if config.dsprites is None else Path(config.dsprites))
        self.provenance: Mapping[str, str] = {"sprites": self._sprites.origin}
        self.entities = entity_names(config.max_objects)
        self.fields: Mapping[str, Field] = _fields(config)

    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`."""
        config = self.config
        rng = scene_rng(self.seed, config.stream, index)
        count = int(rng.integers(config.min_objects, config.max_objects + 1))
        classes = rng.integers(GRID, size=(count, len(GRID)))
        palette = _colors(rng, config, count)
        segmentation = np.zeros((SIZE, SIZE), dtype=np.uint8)
        amodal = np.zeros((config.max_objects * config.with_amodal, SIZE, SIZE), dtype=bool)
        for entity in range(1, count + 1):
            mask = self._sprites.mask(classes[entity - 1])
            np.putmask(segmentation, mask, entity)
            if config.with_amodal:
                amodal[entity - 1] = mask
        values = self._values(classes, palette, segmentation)
        if config.with_amodal:
            values["amodal"] = amodal
        return Scene(palette.take(segmentation, axis=0), segmentation, values)

    def _values(
        self,
        classes: Integer[np.ndarray, "O 5"],
        palette: UInt8[np.ndarray, "E 3"],
        segmentation: UInt8[np.ndarray, "64 64"],
    ) -> dict[str, np.ndarray]:
        count = len(classes)
        factors = {
            "present": np.ones(count),
            "shape": classes[:, 0] + 1,
            "scale": SCALES[classes[:, 1]],
            "orientation": ORIENTATIONS[classes[:, 2]],
            "x": POSITIONS[classes[:, 3]],
            "y": POSITIONS[classes[:, 4]],
            "color_rgb": palette[1:] / np.float32(255),
        }
        values = {
            "num_objects": np.array(count, dtype=np.uint8),
            "background/color_rgb": (palette[0] / 255).astype(np.float32),
            **mask_rows(segmentation, self.config.max_objects),
        }
        for name, column in factors.items():
            field = self.fields[f"factors/{name}"]
            row = np.zeros(field.shape, dtype=field.dtype)
            row[:count] = column
            values[f"factors/{name}"] = row
        return values


def _colors(
    rng: np.random.Generator, config: MultiDSpritesConfig, count: int
) -> UInt8[np.ndarray, "E 3"]:
    """Returns the background's colour, then the sprites'."""
    palette = np.zeros((count + 1, 3), dtype=np.uint8)
    if config.variant == "binarized":
        palette[1:] = 255
    elif config.variant == "colored_on_grayscale":
        palette[0] = rng.integers(256)
        palette[1:] = _rgb(rng.random((count, 3)))
    else:
        palette[:] = rng.integers(256, size=palette.shape)
    return palette


def _rgb(hsv: Float[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 3"]:
    rgb = np.array([colorsys.hsv_to_rgb(*color) for color in hsv.tolist()])
    return np.rint(255 * rgb).astype(np.uint8)


def _fields(config: MultiDSpritesConfig) -> dict[str, Field]:
    most = config.max_objects
    fields = {
        "image": Field((SIZE, SIZE, 3), "uint8", "RGB"),
        "segmentation": Field((SIZE, SIZE), "uint8", "entity index of each pixel"),
        "num_objects": Field((), "uint8", "sprites placed"),
        "num_visible": Field((), "uint8", "sprites with at least one pixel"),
        "factors/present": Field((most,), "bool", "which rows of the factors count"),
        "factors/shape": Field(
            (most,), "uint8", "shape, dSprites' own value", categories=("none", *SHAPES)
        ),
        "factors/scale": Field((most,), "float32", "size relative to the largest, 0.5 to 1"),
        "factors/orientation": Field((most,), "float32", "angle, 0 to 2 pi", "rad"),
        "factors/x": Field((most,), "float32", "position across, 0 left to 1 right"),
        "factors/y": Field((most,), "float32", "position down, 0 top to 1 bottom"),
        "factors/color_rgb": Field((most, 3), "float32", "colour as RGB in [0, 1]"),
        "factors/visible_pixels": Field((most,), "int32", "pixels that nothing hides"),
        "background/color_rgb": Field((3,), "float32", "colour of the background in [0, 1]"),
    }
    if config.with_amodal:
        fields["amodal"] = Field(
            (most, SIZE, SIZE), "bool", "the object's full extent, as if nothing hid it"
        )
    return fields
