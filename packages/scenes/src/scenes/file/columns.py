"""Checks the attributes and fields of a file before its reader uses them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scenes.file.errors import FileError
from scenes.file.schema import MOST_ENTITIES, SCHEMA
from scenes.serialise import parse_json

ATTRIBUTES = {"dataset": str, "config": str, "seed": np.integer, "entities": np.ndarray}
"""Root attributes that every file has, and their types, besides `schema` and `complete`."""
KINDS = {str: "text", np.integer: "a whole number", np.ndarray: "a list"}


def check_attributes(path: Path, attributes: Mapping[str, Any]) -> None:
    """Refuses a file whose root attributes are not those of a finished file.

    Args:
        path: of the file, for the message.
        attributes: of its root.

    Raises:
        FileError: the file is half-written, foreign, or of another schema, or an attribute is
            impossible.
    """
    if "schema" not in attributes or "dataset" not in attributes:
        raise FileError(f"{path}: no attribute 'schema': not a file of this project")
    schema = attributes["schema"]
    if not isinstance(schema, np.integer) or schema != SCHEMA:
        raise FileError(f"{path}: schema {schema}, this version reads {SCHEMA}")
    if not isinstance(complete := attributes.get("complete", False), np.bool_) or not complete:
        raise FileError(f"{path}: half-written; run the command that made it again")
    for name, kind in ATTRIBUTES.items():
        if not isinstance(attributes.get(name), kind):
            raise FileError(f"{path}: {name}: missing, or not {KINDS[kind]}")
    if not 0 <= attributes["seed"] < 1 << 63:
        raise FileError(f"{path}: seed: must be from 0 to 2^63 - 1, got {attributes['seed']}")
    names = attributes["entities"].ravel().tolist()
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise FileError(f"{path}: entities: expected names, each another")
    if not 1 <= len(names) <= MOST_ENTITIES:
        raise FileError(f"{path}: entities: expected 1 to {MOST_ENTITIES}, got {len(names)}")
    try:
        provenance = parse_json(str(attributes.get("provenance", "{}")))
    except ValueError as error:
        raise FileError(f"{path}: provenance: {error}") from error
    if not isinstance(provenance, dict):
        raise FileError(f"{path}: provenance: no JSON object")


def check_fields(path: Path, fields: Mapping[str, h5py.Dataset]) -> None:
    """Refuses a file whose fields do not suit its images.

    Args:
        path: of the file, for the message.
        fields: by key.

    Raises:
        FileError: there are no images, or a field is not numeric or has other rows or sizes.
    """
    image = fields.get("image")
    if not isinstance(image, h5py.Dataset):
        raise FileError(f"{path}: image: missing")
    if image.ndim != 4 or image.shape[3] != 3 or image.dtype != np.uint8:
        raise FileError(
            f"{path}: image: expected (N, H, W, 3) uint8, got {image.shape} {image.dtype}"
        )
    n, height, width, _ = image.shape
    pictures = {
        "segmentation": (n, height, width),
        "depth": (n, height, width),
        "amodal": (n, None, height, width),
    }
    for key, dataset in fields.items():
        if key == "segmentation" and dataset.dtype != np.uint8:
            raise FileError(f"{path}: {key}: expected uint8, got {dataset.dtype}")
        if dataset.dtype.kind not in "biuf":
            raise FileError(f"{path}: {key}: expected numbers, got {dataset.dtype}")
        if dataset.shape[:1] != (n,):
            rows = dataset.shape[0] if dataset.shape else "no"
            raise FileError(f"{path}: {key}: {rows} rows, but {n} images")
        shape = pictures.get(key, dataset.shape)
        fits = len(shape) == dataset.ndim and all(
            want in (None, have) for want, have in zip(shape, dataset.shape, strict=True)
        )
        if not fits:
            raise FileError(f"{path}: {key}: {dataset.shape} for images of {height} x {width}")
