"""What CLEVR's objects can be, as clevr-dataset-gen names and orders it, and the fields of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from scenes.scene import Field

SHAPES = ("cube", "sphere", "cylinder")
SIZES_M = {"large": 0.7, "small": 0.35}
"""Half the width of a sphere or a cylinder; a cube has the footprint's diagonal of the sphere."""
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
MAX_OBJECTS = 10

CODES: dict[str, tuple[str, ...]] = {
    "shape": ("none", *SHAPES),
    "size": ("none", *SIZES_M),
    "material": ("none", *MATERIALS),
    "color": ("none", *COLORS_RGB),
}
"""Names of the integer codes of each categorical factor: from 1, as in clevr_with_masks."""


@dataclass(frozen=True)
class Objects:
    """What is known of a scene's objects, in its order."""

    codes: UInt8[np.ndarray, "O 4"]
    """Shape, size, material and colour, each a code of `CODES`."""
    position: Float[np.ndarray, "O 3"]
    rotation_rad: Float[np.ndarray, " O"]
    """About the vertical."""

    def rows(self, max_objects: int) -> dict[str, np.ndarray]:
        """Returns the fields `object_fields` describes, padded to `max_objects` rows."""
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
    """Returns the fields that need to know the objects but no masks."""
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


def mask_fields(max_objects: int, size: int) -> dict[str, Field]:
    """Returns the fields that need masks."""
    return {
        "segmentation": Field((size, size), "uint8", "entity index of each pixel"),
        "num_visible": Field((), "uint8", "objects with at least one pixel"),
        "factors/visible_pixels": Field((max_objects,), "int32", "pixels that nothing hides"),
    }


def mask_rows(segmentation: UInt8[np.ndarray, "H W"], max_objects: int) -> dict[str, np.ndarray]:
    """Returns the fields of `mask_fields` but the segmentation itself."""
    visible = np.bincount(segmentation.ravel(), minlength=max_objects + 1)[1:]
    return {
        "num_visible": np.array((visible > 0).sum(), dtype=np.uint8),
        "factors/visible_pixels": visible.astype(np.int32),
    }


def entity_names(max_objects: int) -> tuple[str, ...]:
    """Returns the entities' names in index order."""
    return ("background", *(f"object_{i}" for i in range(max_objects)))
