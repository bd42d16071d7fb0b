"""What every reader of other projects' files gives: scenes one after the other, and their kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped, UInt8

from scenes.file.schema import MOST_ENTITIES
from scenes.scene import Field

MOST_SIDE = 10_000
"""Pixels of an image's longer side."""


OF_OBJECTS = (
    "not every pixel of its first record is in exactly one mask: all its masks are read as those "
    "of objects, and the background is what none has"
)
"""A remark on masks of which it is not said whether the first one is the background's."""


class RecordError(ValueError):
    """A record cannot be read; the message starts with the file and the record's number."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class NoSuchRecordError(IndexError):
    """There are fewer records."""


@contextmanager
def in_record(path: Path, number: int, name: str = "") -> Iterator[None]:
    """Puts file and number, and the record's name if it has one, before what is wrong with it.

    Raises:
        RecordError: the block raised a `ValueError`.
    """
    try:
        yield
    except ValueError as error:
        called = f" ({name})" if name else ""
        raise RecordError(f"{path}: record {number}{called}: {error}", number) from error


@dataclass(frozen=True)
class Record:
    """One scene as another project's file has it."""

    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"] | None = None
    """Entity of each pixel; `None` where there are no masks."""
    conflicts: int = 0
    """Pixels that are not in exactly one mask."""
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Its other fields by their keys in a file of scenes; `factors/…` has a row for each object."""


@dataclass(frozen=True)
class Contents:
    """What all records of a file have in common."""

    layout: str
    """Which of multi_object_datasets' datasets, or which other format."""
    sides: tuple[int, int]
    """Height and width of the first image, in pixels."""
    masked: bool
    """Whether there are masks."""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """Of the records' `values`; the shape of `factors/…` is that of one object."""
    background: tuple[str, ...] = ("background",)
    """Names of the entities before the objects."""
    unread: tuple[str, ...] = ()
    """Names of what has no field, or could not be told."""
    remarks: tuple[str, ...] = ()
    """What is read, but not as it stands."""


@runtime_checkable
class Reader(Protocol):
    """One file of another project.

    Attributes:
        path: the file.
        contents: what its first record shows; a file whose first record cannot be read is refused.
    """

    path: Path
    contents: Contents

    def entities(self) -> Iterator[int]:
        """Yields how many entities each record has, in order, as cheaply as can be told.

        The background counts, and so do entities without a pixel, and objects of the factors alone.

        Raises:
            RecordError: a record cannot be read.
        """
        ...

    def records(self, start: int) -> Iterator[Record]:
        """Yields the records from number `start` on.

        Raises:
            RecordError: one cannot be read.
        """
        ...


def check_sides(height: int, width: int) -> None:
    """Refuses images that are too large.

    Raises:
        ValueError: one side is too long, or none.
    """
    if not 1 <= min(height, width) <= max(height, width) <= MOST_SIDE:
        raise ValueError(f"images of {height} x {width} pixels; sides are from 1 to {MOST_SIDE:,}")


def check_labels(labels: Shaped[np.ndarray, "*N H W"]) -> UInt8[np.ndarray, "*N H W"]:
    """Returns labels as bytes.

    Raises:
        ValueError: one is no whole number from 0 to 254.
    """
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"labels must be numbers, got {labels.dtype}")
    with np.errstate(invalid="ignore"):
        whole = labels.astype(np.uint8)
        wrong = (whole != labels) | (whole >= MOST_ENTITIES)
    if wrong.any():
        raise ValueError(
            f"labels must be whole numbers from 0 to {MOST_ENTITIES - 1}, got "
            f"{labels[wrong].ravel()[0]}"
        )
    return whole


def labels_of_masks(
    masks: Shaped[np.ndarray, "K H W"], *, of_objects: bool = False
) -> tuple[UInt8[np.ndarray, "H W"], int]:
    """Returns the entity of each pixel, and how many pixels are not in exactly one mask.

    Args:
        masks: a pixel is in a mask where that is not 0; the first mask that has it gets it.
        of_objects: whether there is none of the background, which has what no other one has.

    Raises:
        ValueError: there are none, or more than labels tell apart.
    """
    most = MOST_ENTITIES - of_objects
    if not 1 - of_objects <= len(masks) <= most:
        raise ValueError(f"{len(masks)} masks; from {1 - of_objects} to {most} are read")
    inside = masks != 0
    covered = inside.sum(axis=0)
    if of_objects:
        if not len(masks):
            return np.zeros(masks.shape[1:], dtype=np.uint8), 0
        first = np.where(covered > 0, 1 + inside.argmax(axis=0), 0)
        return first.astype(np.uint8), int((covered > 1).sum())
    return inside.argmax(axis=0).astype(np.uint8), int((covered != 1).sum())


def cover_exactly(masks: Shaped[np.ndarray, "K H W"]) -> bool:
    """Whether every pixel is in exactly one mask, so that the first is the background's."""
    return len(masks) > 0 and bool(((masks != 0).sum(axis=0) == 1).all())
