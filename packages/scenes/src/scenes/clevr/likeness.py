"""CLEVR-style scenes as a function of (config, seed, index)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from scenes.clevr.config import DRAWING, ClevrLikeConfig
from scenes.clevr.images import SIZE, crop_labels, shrink
from scenes.clevr.properties import Objects, object_fields
from scenes.clevr.renderer import Renderer
from scenes.clevr.sampling import Setting, sample_objects, sample_setting
from scenes.entities import entity_names, mask_fields, mask_rows
from scenes.render.codes import scenes_named
from scenes.scene import Field, OneByOne, Scene, scene_rng

MIN_VISIBLE_PIXELS = 200
"""Fewest visible pixels of each object at 320 x 240, before the crop, as in the generator."""
MAX_ATTEMPTS = 100_000


class ClevrLikeSource(OneByOne):
    """Renders the scenes of a `ClevrLikeConfig`; holds one OpenGL context."""

    dataset = ClevrLikeConfig.dataset
    limit: int | None = None

    def __init__(self, config: ClevrLikeConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._renderer = Renderer(config.max_objects)
        self.provenance: Mapping[str, str] = {**self._renderer.provenance(), **DRAWING}
        self.entities = entity_names(config.max_objects)
        self.fields: Mapping[str, Field] = _fields(config)

    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`.

        Raises:
            MixedCodesError: OpenGL drew a pixel that is no object's.
            RuntimeError: no acceptable scene was found, which does not happen in practice.
        """
        with scenes_named([index]):
            return self._make(index)

    def _make(self, index: int) -> Scene:
        rng = scene_rng(self.seed, self.config.stream, index)
        count = int(rng.integers(self.config.min_objects, self.config.max_objects + 1))
        setting = sample_setting(rng)
        objects, whole = self._sample(rng, count, setting, index)
        self._renderer.polish(objects, setting)
        segmentation = crop_labels(whole)
        rows = self.config.max_objects
        values = {
            **objects.rows(rows),
            **mask_rows(segmentation, rows),
            "camera/position": setting.camera_m.astype(np.float32),
            "background/lamp_position": setting.lamps_m.astype(np.float32),
        }
        if self.config.with_amodal:
            values["amodal"] = np.zeros((rows, SIZE, SIZE), dtype=bool)
            for i in range(count):
                extent = self._renderer.extent(i).astype(np.uint8)
                values["amodal"][i] = crop_labels(extent).astype(bool)
        return Scene(shrink(self._renderer.image()), segmentation, values)

    def _sample(
        self, rng: np.random.Generator, count: int, setting: Setting, index: int
    ) -> tuple[Objects, UInt8[np.ndarray, "240 320"]]:
        """Draws objects until all are visible; returns them, and the labels before the crop."""
        for _ in range(MAX_ATTEMPTS):
            self.beat()
            objects = sample_objects(rng, count, setting)
            if objects is None:
                continue
            self._renderer.arrange(objects, setting)
            whole = self._renderer.entities()
            visible = np.bincount(whole.ravel(), minlength=count + 1)[1 : count + 1]
            if (visible >= MIN_VISIBLE_PIXELS).all():
                return objects, whole
        raise RuntimeError(f"scene {index} was not accepted in {MAX_ATTEMPTS} attempts")


def _fields(config: ClevrLikeConfig) -> dict[str, Field]:
    rows = config.max_objects
    fields = {
        "image": Field((SIZE, SIZE, 3), "uint8", "RGB"),
        **object_fields(rows),
        **mask_fields(rows, SIZE, SIZE),
        "camera/position": Field((3,), "float32", "it faces the stage's middle, z up", "m"),
        "background/lamp_position": Field((3, 3), "float32", "key, fill and back lamp", "m"),
    }
    if config.with_amodal:
        fields["amodal"] = Field(
            (rows, SIZE, SIZE), "bool", "the object's full extent, as if nothing hid it"
        )
    return fields
