"""Names and fields of scenes that have a segmentation into one background and objects."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from scenes.scene import Field


def entity_names(max_objects: int) -> tuple[str, ...]:
    """Returns the entities' names in index order."""
    return ("background", *(f"object_{i}" for i in range(max_objects)))


def mask_fields(max_objects: int, height: int, width: int) -> dict[str, Field]:
    """Returns the fields of a source that knows its masks."""
    return {
        "segmentation": Field((height, width), "uint8", "entity index of each pixel"),
        "num_visible": Field((), "uint8", "objects with at least one pixel"),
        "factors/visible_pixels": Field((max_objects,), "int32", "pixels that nothing hides"),
    }


def mask_rows(segmentation: UInt8[np.ndarray, "H W"], max_objects: int) -> dict[str, np.ndarray]:
    """Returns the values of the fields of `mask_fields`, apart from the segmentation."""
    visible = np.bincount(segmentation.ravel(), minlength=max_objects + 1)[1:]
    return {
        "num_visible": np.array((visible > 0).sum(), dtype=np.uint8),
        "factors/visible_pixels": visible.astype(np.int32),
    }
