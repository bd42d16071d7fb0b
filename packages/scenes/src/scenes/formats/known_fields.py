"""Which fields a file of scenes has for what other projects know of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from scenes.scene import Field

CODES = ("shape", "size", "material", "color")
"""Factors that may be whole numbers, which stay codes; all others are float32."""
SCALARS = (*CODES, "rotation", "x", "y", "z", "scale", "orientation", "visibility")
TRIPLES = ("color", "color_rgb", "color_hsv", "position", "pixel_coords")
OF_SCENES: dict[str, tuple[tuple[int, ...], str]] = {
    "camera/position": ((3,), "float32"),
    "camera/yaw": ((), "float32"),
    "camera/pitch": ((), "float32"),
    "background/wall_rgb": ((3,), "float32"),
    "background/floor_rgb": ((3,), "float32"),
    "background/color_rgb": ((3,), "float32"),
    "background/lamp_position": ((3, 3), "float32"),
    "scene": ((), "uint32"),
    "view": ((), "uint8"),
}
"""Shape and type of what is known of a scene rather than of its objects."""
PRESENT = "factors/present"
COUNTED = (
    "num_objects",
    "num_visible",
    "num_actual_objects",
    "mask_conflicts",
    "factors/visible_pixels",
    "visible_pixels",
)
"""What is counted anew, and needs no remark."""


@dataclass(frozen=True)
class Column:
    """One feature of a record, and the field that it becomes."""

    name: str
    """What the record calls it."""
    key: str
    """The field."""
    field: Field
    """The shape of `factors/…` is that of one object."""
    background: int = 0
    """How many of its first rows are of the background."""

    @property
    def of_objects(self) -> bool:
        """Whether it has a row for each object."""
        return self.key.startswith("factors/")


def column_of(
    name: str, values: np.ndarray, background: int = 0, entities: int | None = None
) -> Column | None:
    """Returns the field of a feature, told from its name and its values; `None` if there is none.

    Args:
        name: such as `x`, `factors/x` or `camera/position`.
        values: of the first record.
        background: how many of the first entities are background.
        entities: how many rows a feature has that is of all entities; others are of the objects.
    """
    key = name.replace(".", "/")
    if values.dtype.kind not in "biuf":
        return None
    if key in OF_SCENES:
        shape, kind = OF_SCENES[key]
        if values.size != int(np.prod(shape)):
            return None
        return Column(name, key, Field(shape, kind, f"their {name}"))
    factor = key.removeprefix("factors/")
    if factor == "present":
        return Column(name, PRESENT, Field((), "bool", "which rows of the factors count"))
    tail = values.shape[1:] if values.shape[1:] != (1,) else ()
    if not values.size and factor not in SCALARS:  # of no objects: the name tells
        tail = (3,)
    if values.ndim == 0 or not (
        (factor in SCALARS and tail == ()) or (factor in TRIPLES and tail == (3,))
    ):
        return None
    code = factor in CODES and tail == () and values.dtype.kind in "iu"
    meaning = f"their feature {factor}"
    first = background if key == factor and len(values) == entities else 0
    return Column(
        name, f"factors/{factor}", Field(tail, "uint8" if code else "float32", meaning), first
    )


def unflattened(name: str, values: np.ndarray, entities: int) -> np.ndarray:
    """Returns a flat list of numbers with a row for each entity, or object, by its name.

    Args:
        name: of the feature.
        values: of it, flat.
        entities: how many there are, background included.
    """
    factor = name.replace(".", "/").removeprefix("factors/")
    triple = factor in TRIPLES and (factor not in SCALARS or values.size == 3 * entities)
    return values.reshape(-1, 3) if triple and values.size % 3 == 0 else values


def columns_of(
    features: Mapping[str, np.ndarray], background: int = 0, entities: int | None = None
) -> tuple[list[Column], list[str]]:
    """Returns the columns of a record's features, and the names of those that have no field.

    Args:
        features: of the first record, by name.
        background: as for `column_of`.
        entities: likewise.
    """
    columns, unread, keys = [], [], set()
    for name in sorted(features):
        column = column_of(name, features[name], background, entities)
        if column is not None and column.key not in keys:
            columns.append(column)
            keys.add(column.key)
        elif name.replace(".", "/") not in COUNTED:
            unread.append(name)
    return columns, unread


def fields_of(columns: Iterable[Column]) -> dict[str, Field]:
    """Returns the fields of columns, those of the background, and which objects there are."""
    fields: dict[str, Field] = {}
    for column in columns:
        fields[column.key] = column.field
        if column.background:
            about = column.field
            shape = (column.background, *about.shape)
            key = column.key.replace("factors/", "background/")
            fields[key] = Field(shape, about.dtype, f"{about.meaning}, of the background")
    if any(column.of_objects for column in columns):
        fields[PRESENT] = Field((), "bool", "which rows of the factors count")
    return fields


def values_of(
    columns: Iterable[Column], features: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns the values of a record's fields.

    Raises:
        ValueError: a feature is missing, of another shape, not finite, or no colour.
    """
    values: dict[str, np.ndarray] = {}
    rows: dict[str, int] = {}
    for column in columns:
        if column.name not in features:
            raise ValueError(f"not as record 0: no {column.name}")
        whole = _fitting(column, np.asarray(features[column.name]))
        if not column.of_objects:
            values[column.key] = whole
            continue
        values[column.key] = whole[column.background :]
        rows[column.name] = len(values[column.key])
        if column.background:
            if len(whole) < column.background:
                raise ValueError(f"{column.name}: {len(whole)} entities; the background is missing")
            key = column.key.replace("factors/", "background/")
            values[key] = whole[: column.background]
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise ValueError(f"features of unequal numbers of objects: {told}")
    if rows and PRESENT not in values:
        seen = values.get("factors/visibility")
        count = next(iter(rows.values()))
        values[PRESENT] = np.ones(count, dtype=bool) if seen is None else seen > 0
    return values


def objects_in(columns: Iterable[Column], features: Mapping[str, np.ndarray]) -> int:
    """Returns how many objects a record's features are of; 0 where none is of objects."""
    counts = [
        len(features[column.name]) - column.background
        for column in columns
        if column.of_objects and np.ndim(features.get(column.name, 0))
    ]
    return max(counts, default=0)


def _fitting(column: Column, values: np.ndarray) -> np.ndarray:
    """Returns a feature's values in the shape and type of its field."""
    shape, kind = column.field.shape, np.dtype(column.field.dtype)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{column.name}: not numbers")
    if column.of_objects:
        count = 0 if values.ndim == 0 else len(values)
        shape = (count, *shape)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"not as record 0: {column.name}: shape {values.shape}, not {shape}")
    values = values.reshape(shape)
    with np.errstate(invalid="ignore", over="ignore"):
        result = values.astype(kind)
    if kind.kind == "f":
        if not np.isfinite(result).all():
            raise ValueError(
                f"{column.name}: {values[~np.isfinite(result)][0]}: not a finite number"
            )
    elif (result != values).any():
        raise ValueError(f"{column.name}: {values[result != values][0]} does not fit into {kind}")
    if column.key.endswith(("_rgb", "_hsv")) and ((result < 0) | (result > 1)).any():
        raise ValueError(f"{column.name}: a colour outside [0, 1]")
    return result
