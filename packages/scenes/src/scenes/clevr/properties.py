"""The properties of CLEVR's objects, with clevr-dataset-gen's names, and the fields for them.

Properties are drawn by the order of names here; the integer codes in files have another order,
`CODES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from scenes.scene import Field

SHAPES = ("cube", "sphere", "cylinder")
SIZES_M = {"large": 0.7, "small": 0.35}
"""Half the width of a sphere or a cylinder, and half the diagonal of a cube's footprint."""
MATERIALS = ("rubber", "metal")
COLORS_RGB = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}

CODES: dict[str, tuple[str, ...]] = {
    "shape": ("none", "sphere", "cylinder", "cube"),
    "size": ("none", "large", "small"),
    "material": ("none", "rubber", "metal"),
    "color": ("none", "red", "cyan", "green", "blue", "brown", "gray", "purple", "yellow"),
}
"""Names of the integer codes of each categorical factor, as in the released `clevr_with_masks`.

Colours 1 to 5 were read off a record of the released file beside its picture; gray, purple and
yellow are as one public reader of the file has them."""


def code_of(factor: str, name: object) -> int:
    """Returns the code of a name, such as 3 for the shape "cube".

    Raises:
        ValueError: there is no such name.
    """
    names = CODES[factor]
    if name not in names[1:]:
        raise ValueError(f"{factor} {name!r:.99}; there are {', '.join(names[1:])}")
    return names.index(name)


def names_of(codes: UInt8[np.ndarray, "4"]) -> tuple[str, ...]:
    """Returns the names of one object's codes, in the order of `CODES`."""
    return tuple(names[code] for names, code in zip(CODES.values(), codes, strict=True))


def are_misnamed(key: str, categories: Sequence[str]) -> bool:
    """Whether a file made from a `clevr_with_masks` TFRecord gives its codes wrong names.

    Version 0.1.0 wrote the record's codes unchanged, but their names in the order of
    clevr-dataset-gen's properties.json.

    Args:
        key: of a field, such as `factors/shape`.
        categories: the names that the file gives.
    """
    names = CODES.get(key.removeprefix("factors/"))
    return names is not None and tuple(categories) != names


@dataclass(frozen=True)
class Objects:
    """A scene's objects, in the scene's order."""

    codes: UInt8[np.ndarray, "O 4"]
    """Shape, size, material and colour, each a code of `CODES`."""
    position: Float[np.ndarray, "O 3"]
    rotation_rad: Float[np.ndarray, " O"]
    """About the vertical."""

    def rows(self, max_objects: int) -> dict[str, np.ndarray]:
        """Returns the values of `object_fields`, padded to `max_objects` rows."""
        count = len(self.codes)
        values: dict[str, np.ndarray] = {
            "num_objects": np.array(count, dtype=np.uint8),
            "factors/present": np.arange(max_objects) < count,
            "factors/position": _padded(self.position, max_objects),
            "factors/rotation": _padded(self.rotation_rad, max_objects),
        }
        for column, name in enumerate(CODES):
            codes = np.zeros(max_objects, dtype=np.uint8)
            codes[:count] = self.codes[:, column]
            values[f"factors/{name}"] = codes
        return values


def _padded(values: np.ndarray, rows: int) -> np.ndarray:
    padded = np.zeros((rows, *values.shape[1:]), dtype=np.float32)
    padded[: len(values)] = values
    return padded


def object_fields(max_objects: int) -> dict[str, Field]:
    """Returns the fields of a source that knows its objects (`Objects.rows`)."""
    rows = (max_objects,)
    fields = {
        "num_objects": Field((), "uint8", "objects placed"),
        "factors/present": Field(rows, "bool", "which rows of the factors count"),
        "factors/position": Field((*rows, 3), "float32", "the object's centre, z up", "m"),
        "factors/rotation": Field(rows, "float32", "about the vertical, 0 to 2 pi", "rad"),
    }
    for name, names in CODES.items():
        fields[f"factors/{name}"] = Field(rows, "uint8", f"{name}, a code", categories=names)
    return fields
