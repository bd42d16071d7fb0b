"""Reads CLEVR's scenes JSON, the objects of each image, and checks every value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from scenes.clevr.properties import CODES, Objects, code_of
from scenes.file.schema import MOST_ENTITIES
from scenes.regular_files import read_regular

MAX_JSON_BYTES = 1 << 30
"""Four times what CLEVR_v1.0's training scenes take."""
MAX_OBJECTS = MOST_ENTITIES - 1
LARGEST_FLOAT = float(np.finfo(np.float32).max)


def read_scenes(path: Path) -> Mapping[str, Objects]:
    """Returns each image's objects by its file name.

    Args:
        path: a scenes JSON, or a folder with one for each scene.

    Raises:
        ValueError: a file is no scenes JSON, or two scenes have one name; the message names it.
        OSError: a file cannot be read.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    scenes: dict[str, Objects] = {}
    for file in files:
        text = read_regular(file, MAX_JSON_BYTES)
        try:
            for name, objects in _scenes_of(text):
                if name in scenes:
                    raise ValueError(f"{name} has more than one scene")
                scenes[name] = objects
        except RecursionError as error:
            raise ValueError(f"{file}: not a CLEVR scenes JSON: nested too deeply") from error
        except ValueError as error:
            raise ValueError(f"{file}: not a CLEVR scenes JSON: {error}") from error
    return scenes


def _scenes_of(text: bytes) -> list[tuple[str, Objects]]:
    """Returns the scenes of one JSON, which holds one, or a list of them.

    They are reduced to arrays while the text is parsed; as dicts, CLEVR's would take 2 GB.
    """
    whole = json.loads(text, object_hook=_boiled_down, parse_constant=_refuse)
    scenes = whole.get("scenes") if isinstance(whole, dict) else [whole]
    if not isinstance(scenes, list) or not all(isinstance(scene, _Scene) for scene in scenes):
        raise ValueError("no scenes, or one of them without image_filename and objects")
    return scenes


class _Scene(tuple[str, Objects]):
    """A scene's image and its objects."""


class _Object(tuple[list[int], list[float], float]):
    """An object's codes, its place and its angle."""


def _boiled_down(item: dict[str, Any]) -> Any:
    if "3d_coords" in item:
        return _object_of(item)
    if "objects" in item and "image_filename" in item:
        return _scene_of(item["image_filename"], item["objects"])
    return item


def _object_of(item: dict[str, Any]) -> _Object:
    for key in (*CODES, "rotation"):
        if key not in item:
            raise ValueError(f"an object without {key}")
    codes = [code_of(kind, item[kind]) for kind in CODES]
    place, degrees = item["3d_coords"], item["rotation"]
    if not isinstance(place, list) or len(place) != 3 or not all(_is_number(x) for x in place):
        raise ValueError(f"3d_coords: {place!r:.99} are not three numbers")
    if not _is_number(degrees):
        raise ValueError(f"rotation: {degrees!r:.99} is not a number")
    return _Object((codes, place, math.radians(degrees % 360)))


def _scene_of(name: Any, objects: Any) -> _Scene:
    if not isinstance(name, str):
        raise ValueError(f"image_filename: {name!r:.99} is not a name")
    if not isinstance(objects, list) or not all(isinstance(item, _Object) for item in objects):
        raise ValueError(f"{name}: an object without 3d_coords")
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"{name}: {len(objects)} objects; a file of scenes holds {MAX_OBJECTS}")
    described = Objects(
        codes=np.array([codes for codes, _, _ in objects], np.uint8).reshape(-1, len(CODES)),
        position=np.array([place for _, place, _ in objects], np.float32).reshape(-1, 3),
        rotation_rad=np.array([angle for _, _, angle in objects], np.float32),
    )
    return _Scene((name, described))


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float32 can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST_FLOAT


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
