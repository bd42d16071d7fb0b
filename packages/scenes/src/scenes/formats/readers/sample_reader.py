"""Scenes of samples that hold encoded pictures, however they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from scenes.formats.known_fields import columns_of, fields_of, objects_in, values_of
from scenes.formats.readers.encoded_scene import decode_image, decode_labels, decode_masks
from scenes.formats.records import (
    OF_OBJECTS,
    Contents,
    Record,
    RecordError,
    check_labels,
    check_sides,
    cover_exactly,
    in_record,
    labels_of_masks,
)

Masks = bytes | list[bytes] | np.ndarray | None
"""An encoded picture of labels, one for each mask, labels (H, W), or masks (K, H, W)."""


@dataclass(frozen=True)
class Sample:
    """One scene as it is stored."""

    image: bytes | np.ndarray
    """An encoded picture, or (H, W, 3) bytes."""
    masks: Masks = None
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Numbers by name."""
    unread: tuple[str, ...] = ()
    """Names of what it holds that is neither."""
    name: str = ""
    """What it is called; messages number it anyway."""


class SampleReader:
    """Scenes of a file of samples.

    Args:
        path: the file.
        layout: name of the format.
        samples: yields the samples from some number on; raises `RecordError`.
        flat: gives a flat feature its shape, from its name, its values and the number of entities.

    Raises:
        RecordError: there is no first sample, or it cannot be read.
    """

    def __init__(
        self,
        path: Path,
        layout: str,
        samples: Callable[[int], Iterator[Sample]],
        flat: Callable[[str, np.ndarray, int], np.ndarray] | None = None,
    ) -> None:
        self.path = path
        self._samples, self._flat = samples, flat
        first = next(samples(0), None)
        if first is None:
            raise RecordError(f"{path}: record 0: the file is empty")
        self._of_objects = False
        with in_record(path, 0, first.name):
            image = self._image(first)
            stacked = _stacked(first.masks)
            self._of_objects = stacked is not None and not cover_exactly(stacked)
            entities = self._labels(first)[1]
            features = self._features_of(first, entities)
            rows = entities if stacked is not None and not self._of_objects else None
            self._columns, unread = columns_of(features, 1, rows)
        self.contents = Contents(
            layout,
            (image.shape[0], image.shape[1]),
            masked=first.masks is not None,
            fields=fields_of(self._columns),
            unread=(*unread, *first.unread),
            remarks=(OF_OBJECTS,) if self._of_objects else (),
        )

    def entities(self) -> Iterator[int]:
        """Yields how many entities each sample has; of its image nothing is decoded."""
        for number, sample in enumerate(self._samples(0)):
            with in_record(self.path, number, sample.name):
                entities = self._labels(sample)[1]
                objects = objects_in(self._columns, self._features_of(sample, entities))
            yield max(entities, 1 + objects) if entities or objects else 0

    def records(self, start: int) -> Iterator[Record]:
        """Yields the scenes from number `start` on."""
        for number, sample in enumerate(self._samples(start), start=start):
            with in_record(self.path, number, sample.name):
                labels, entities, conflicts = self._labels(sample)
                values = values_of(self._columns, self._features_of(sample, entities))
                record = Record(self._image(sample), labels, conflicts, values)
            yield record

    def _features_of(self, sample: Sample, entities: int) -> Mapping[str, np.ndarray]:
        if self._flat is None:
            return sample.features
        return {key: self._flat(key, each, entities) for key, each in sample.features.items()}

    def _image(self, sample: Sample) -> UInt8[np.ndarray, "H W 3"]:
        if isinstance(sample.image, bytes):
            return decode_image(sample.image, "image")
        image = sample.image
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image: must be (H, W, 3), got {image.shape}")
        if image.dtype.kind not in "iu" or ((image < 0) | (image > 255)).any():
            raise ValueError("image: must be whole numbers from 0 to 255")
        check_sides(*image.shape[:2])
        return image.astype(np.uint8)

    def _labels(self, sample: Sample) -> tuple[UInt8[np.ndarray, "H W"] | None, int, int]:
        """Returns labels, the number of entities, and of pixels that are not in one mask."""
        masks = sample.masks
        if masks is None:
            return None, 0, 0
        if isinstance(masks, bytes):
            return *decode_labels(masks, "mask"), 0
        stacked = _stacked(masks)
        if stacked is None:
            labels = check_labels(np.asarray(masks))
            return labels, int(labels.max(initial=0)) + 1, 0
        labels, odd = labels_of_masks(stacked, of_objects=self._of_objects)
        return labels, len(stacked) + self._of_objects, odd


def _stacked(masks: Masks) -> np.ndarray | None:
    """Returns masks (K, H, W); `None` where there are labels, or nothing."""
    if isinstance(masks, list):
        return decode_masks(masks, "mask")
    if isinstance(masks, np.ndarray):
        if masks.ndim not in (2, 3) or masks.dtype.kind not in "biuf":
            raise ValueError(f"mask: must be labels or masks, got {masks.shape} {masks.dtype}")
        return masks if masks.ndim == 3 else None
    return None
