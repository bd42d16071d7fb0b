"""The layouts of DeepMind's multi_object_datasets, read from and written to TFRecords."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from scenes.clevr.properties import CODES
from scenes.file.schema import MOST_ENTITIES
from scenes.formats.known_fields import PRESENT, columns_of, fields_of, unflattened, values_of
from scenes.formats.records import Contents, Record, RecordError, in_record
from scenes.formats.tfrecord import decode, read_records
from scenes.scene import Field


@dataclass(frozen=True)
class Layout:
    """What a record of one of their datasets holds."""

    height: int
    width: int
    background: tuple[str, ...]
    """Names of the entities before the objects."""
    factors: Mapping[str, tuple[tuple[int, ...], str]]
    """Shape of each entity's value and its type, by feature."""
    mask_last: bool = False
    """Whether the mask is stored H x W x E x 1 rather than E x H x W x 1."""
    channels: int = 3
    """Channels of the image: 1 where it is grey, which is read as RGB."""


_SCALAR: tuple[tuple[int, ...], str] = ((), "float32")
_CODE: tuple[tuple[int, ...], str] = ((), "uint8")
_TRIPLE: tuple[tuple[int, ...], str] = ((3,), "float32")

_SPRITE_SCALARS = ("x", "y", "shape", "orientation", "scale", "visibility")

LAYOUTS = {
    "objects_room": Layout(64, 64, ("sky", "floor", "wall_left", "wall_right"), {}),
    "multi_dsprites": Layout(
        64,
        64,
        ("background",),
        {**dict.fromkeys(_SPRITE_SCALARS, _SCALAR), "color": _TRIPLE},
        mask_last=True,
    ),
    "multi_dsprites_binarized": Layout(
        64,
        64,
        ("background",),
        {**dict.fromkeys(_SPRITE_SCALARS, _SCALAR), "color": ((1,), "float32")},
        mask_last=True,
        channels=1,
    ),
    "clevr_with_masks": Layout(
        240,
        320,
        ("background",),
        {
            **dict.fromkeys(("x", "y", "z", "rotation", "visibility"), _SCALAR),
            **dict.fromkeys(("size", "material", "shape", "color"), _CODE),
            "pixel_coords": _TRIPLE,
        },
    ),
    "tetrominoes": Layout(
        35,
        35,
        ("background",),
        {**dict.fromkeys(("x", "y", "shape", "visibility"), _SCALAR), "color": _TRIPLE},
    ),
}


def recognise(path: Path) -> tuple[str, int]:
    """Returns the layout's name and the number of entities of a file, from its first record.

    Raises:
        RecordError: there is no first record, it is in none of the layouts, or it has more entities
            than a file of scenes can tell apart.
    """
    return _recognised(path, first_record(path))


def _recognised(path: Path, values: Mapping[str, np.ndarray]) -> tuple[str, int]:
    fitting = []
    for name, layout in LAYOUTS.items():
        pixels = layout.height * layout.width
        if not {"image", "mask", *layout.factors} <= set(values):
            continue
        if values["image"].size != layout.channels * pixels or values["mask"].size % pixels:
            continue
        fitting.append((len(layout.factors), name, values["mask"].size // pixels))
    if not fitting:
        held = ", ".join(f"{key} {value.size}" for key, value in sorted(values.items()))
        raise RecordError(f"{path}: record 0: in none of the layouts {', '.join(LAYOUTS)}: {held}")
    _, name, entities = max(fitting)  # the one with most features: others may have more than a room
    least = len(LAYOUTS[name].background)
    if not least <= entities <= MOST_ENTITIES:
        raise RecordError(
            f"{path}: record 0: {entities} masks; {name} is read with {least} to {MOST_ENTITIES}"
        )
    return name, entities


def first_record(path: Path) -> dict[str, np.ndarray]:
    """Returns the features of a file's first record.

    Raises:
        RecordError: there is none, or it is no Example.
    """
    record = next(read_records(path), None)
    if record is None:
        raise RecordError(f"{path}: record 0: the file is empty")
    with in_record(path, 0):
        return decode(record)


class LayoutReader:
    """Records of a multi_object_datasets TFRecord.

    Args:
        path: the TFRecord.

    Raises:
        RecordError: as from `recognise`, or the masks are no bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        first = first_record(path)
        name, self._entities = _recognised(path, first)
        layout = self._layout = LAYOUTS[name]
        if first["mask"].dtype != np.uint8:
            raise RecordError(f"{path}: record 0: no masks of bytes")
        self._mask_value = 1 if first["mask"].max(initial=0) == 1 else 255
        further = {
            key: unflattened(key, value, self._entities)
            for key, value in first.items()
            if key not in {"image", "mask", *layout.factors}
        }
        background = len(layout.background)
        self._columns, unread = columns_of(further, background, self._entities)
        remarks = ("its masks hold 0 and 1, which were read as 0 and 255",)
        self.contents = Contents(
            name,
            (layout.height, layout.width),
            masked=True,
            fields={**_fields(layout), **fields_of(self._columns)},
            background=layout.background,
            unread=tuple(unread),
            remarks=remarks if self._mask_value == 1 else (),
        )

    def entities(self) -> Iterator[int]:
        """Yields the number of masks for each record that is framed well."""
        for _ in read_records(self.path):
            yield self._entities

    def records(self, start: int) -> Iterator[Record]:
        """Yields the records from number `start` on.

        Raises:
            RecordError: the stream cannot be read so far, a record is not in the first one's
                layout, or a value of it can be no factor.
        """
        for number, record in enumerate(read_records(self.path)):
            if number < start:
                continue
            with in_record(self.path, number):
                scene = self._record(decode(record))
            yield scene

    def _record(self, values: Mapping[str, np.ndarray]) -> Record:
        image, mask, factors = self._arrays(values)
        labels, conflicts = _segmentation(mask)
        first = len(self._layout.background)
        further = {
            column.name: unflattened(column.name, values[column.name], self._entities)
            for column in self._columns
            if column.name in values
        }
        fields = values_of(self._columns, further)
        if "visibility" in factors:
            fields[PRESENT] = factors["visibility"][first:] > 0
        for key, value in factors.items():
            fields[f"factors/{key}"] = value[first:]
            fields[f"background/{key}"] = value[:first]
        return Record(image, labels, conflicts, fields)

    def _arrays(
        self, values: Mapping[str, np.ndarray]
    ) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "E H W"], dict[str, np.ndarray]]:
        layout, entities = self._layout, self._entities
        shape = (layout.height, layout.width)
        image = _shaped(values, "image", (*shape, layout.channels), "uint8")
        if layout.mask_last:
            mask = np.moveaxis(_shaped(values, "mask", (*shape, entities), "uint8"), -1, 0)
        else:
            mask = _shaped(values, "mask", (entities, *shape), "uint8")
        if self._mask_value == 1:
            if mask.max() > 1:
                raise ValueError(f"mask: {mask.max()}, but those of record 0 hold 0 and 1")
            mask = mask * np.uint8(255)
        factors = {
            key: _shaped(values, key, (entities, *tail), kind)
            for key, (tail, kind) in layout.factors.items()
        }
        _check_factors(factors)
        return np.broadcast_to(image, (*shape, 3)), np.ascontiguousarray(mask), factors


def _segmentation(mask: UInt8[np.ndarray, "E H W"]) -> tuple[UInt8[np.ndarray, "H W"], int]:
    """Returns the index of each pixel's mask, and how many pixels are not wholly in one mask."""
    whole = (mask == 255).view(np.uint8)
    if np.count_nonzero(mask) == np.count_nonzero(whole) and (whole.sum(0, np.uint8) == 1).all():
        # The usual case needs no argmax: 2,540 rather than 2,360 records a second.
        index = np.arange(len(mask), dtype=np.uint8)[:, None, None]
        return (whole * index).sum(0, np.uint8), 0
    odd = (np.count_nonzero(mask, axis=0) != 1) | (mask.max(axis=0) != 255)
    return mask.argmax(axis=0).astype(np.uint8), int(odd.sum())  # at most MOST_ENTITIES - 1


def _shaped(
    values: Mapping[str, np.ndarray], key: str, shape: tuple[int, ...], kind: str
) -> np.ndarray:
    """Returns a feature as an array.

    Raises:
        ValueError: it is missing, of another length, or of a type that `kind` cannot hold.
    """
    if key not in values:
        raise ValueError(f"not as record 0: no {key}")
    flat = values[key]
    if flat.size != math.prod(shape):
        raise ValueError(f"not as record 0: {key}: {flat.size} values, not {math.prod(shape)}")
    if not np.can_cast(flat.dtype, kind, casting="safe"):
        raise ValueError(f"not as record 0: {key}: {flat.dtype}, not {kind}")
    return flat.astype(kind, copy=False).reshape(shape)


def _check_factors(factors: Mapping[str, np.ndarray]) -> None:
    """Refuses what can be no factor.

    Raises:
        ValueError: a number is not finite, or a code is unknown.
    """
    for key, value in factors.items():
        rows = value.reshape(len(value), -1)
        known = len(CODES[key]) if value.dtype == np.uint8 else 0
        wrong = rows >= known if known else ~np.isfinite(rows)
        for entity in np.flatnonzero(wrong.any(axis=1))[:1]:
            odd = rows[entity][wrong[entity]][0]
            rule = f"codes are 0 to {known - 1}" if known else "not a finite number"
            raise ValueError(f"{key}: {odd} of entity {entity}: {rule}")


def _fields(layout: Layout) -> dict[str, Field]:
    first = len(layout.background)
    fields: dict[str, Field] = {}
    if "visibility" in layout.factors:
        fields[PRESENT] = Field((), "bool", "which rows of the factors count")
    for key, (tail, kind) in layout.factors.items():
        meaning = "code from 1, 0 for none" if kind == "uint8" else f"their feature {key}"
        fields[f"factors/{key}"] = Field(tail, kind, meaning)
        fields[f"background/{key}"] = Field((first, *tail), kind, f"{meaning}, of the background")
    return fields
