"""Properties of objects that a knob may change: places in the picture, and a file's factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scenes.file.reader import SceneFile
from skimage.color import rgb2hsv

from evaluation.scores.latents import CATEGORICAL, read_factors
from evaluation.scores.truth import TestScenes

ACROSS, DOWN, SIZE, HUE = "across", "down", "size", "hue"
GREY = 0.1
"""Saturation below which an object has no hue."""


@dataclass(frozen=True)
class Properties:
    """What is known of each object of some scenes; NaN where a value is not defined."""

    numbers: Mapping[str, Float64[np.ndarray, "N O"]]
    """By name: those above, as far as the file knows them, and the code of the shape."""
    shapes: Mapping[int, str]
    """Names of the shapes' codes; empty where the file has none."""
    size_unit: str = ""


def read_properties(path: Path, scenes: TestScenes, first: int) -> Properties:
    """Reads the properties of the objects of a file's scenes from row `first` on.

    Args:
        path: the file.
        scenes: those scenes, at the size of the pictures.
        first: row of the first of them.
    """
    numbers: dict[str, Float64[np.ndarray, "N O"]] = {}
    numbers[ACROSS], numbers[DOWN] = _centres(scenes)
    shapes: dict[int, str] = {}
    unit = ""
    with SceneFile(path) as file:
        knows = file.has("factors/shape") and file.has("factors/color_rgb")
        if knows:
            names = file["factors/shape"].attrs["categories"].tolist()
            shapes = {code: str(name) for code, name in enumerate(names)}
            if file.has("factors/size"):
                unit = str(file["factors/size"].attrs["unit"])
    if knows:
        factors = {
            name: values[first:]
            for name, values in read_factors(path, first + len(scenes.images)).items()
        }
        numbers[HUE] = _hues(factors)
        numbers |= {name: factors[name] for name in (SIZE, CATEGORICAL) if name in factors}
    return Properties(numbers, shapes, unit)


def _centres(scenes: TestScenes) -> tuple[Float64[np.ndarray, "N O"], Float64[np.ndarray, "N O"]]:
    """Returns the centre of each object's pixels, in pixels from the left and from the top.

    Of its full extent where the file knows that, else of what is in view.
    """
    height, width = scenes.segmentation.shape[1:]
    objects = np.arange(scenes.num_background, len(scenes.entities))
    across = np.full((len(scenes.images), len(objects)), np.nan)
    down = across.copy()
    for place, entity in enumerate(objects):
        inside = scenes.segmentation == entity if scenes.amodal is None else scenes.amodal[:, place]
        area = inside.sum((1, 2)).astype(np.float64)
        seen = area > 0
        columns = (inside.sum(1) @ (np.arange(width) + 0.5))[seen]
        rows = (inside.sum(2) @ (np.arange(height) + 0.5))[seen]
        across[seen, place], down[seen, place] = columns / area[seen], rows / area[seen]
    return across, down


def _hues(factors: Mapping[str, Float64[np.ndarray, "N O"]]) -> Float64[np.ndarray, "N O"]:
    """Returns each object's hue in degrees."""
    rgb = np.stack([factors[name] for name in ("red", "green", "blue")], axis=-1)
    defined = np.isfinite(rgb).all(-1)
    hsv = rgb2hsv(np.where(defined[..., None], rgb, 0))
    return np.where(defined & (hsv[..., 1] > GREY), 360 * hsv[..., 0], np.nan)
