"""TFRecords whose images, and masks, are encoded pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from scenes.formats.known_fields import unflattened
from scenes.formats.readers.encoded_scene import is_picture
from scenes.formats.readers.sample_reader import Masks, Sample, SampleReader
from scenes.formats.records import in_record
from scenes.formats.tfrecord import decode, decode_strings, read_records

IMAGES = ("image", "image/encoded", "images")
MASKS = ("segmentation", "mask", "masks", "segmentation/encoded", "mask/encoded")


def has_pictures(features: dict[str, np.ndarray]) -> bool:
    """Whether a record's image is an encoded picture."""
    image = next((features[name] for name in IMAGES if name in features), None)
    return image is not None and is_picture(image[:16].tobytes())


def open_encoded(path: Path) -> SampleReader:
    """Returns a reader of a TFRecord of encoded pictures.

    Raises:
        RecordError: its first record cannot be read.
    """
    return SampleReader(path, "tfrecord", partial(_samples, path), unflattened)


def _samples(path: Path, start: int) -> Iterator[Sample]:
    for number, record in enumerate(read_records(path)):
        if number < start:
            continue
        with in_record(path, number):
            sample = _sample(record)
        yield sample


def _sample(record: bytes) -> Sample:
    features = decode(record)
    image = next((name for name in IMAGES if name in features), None)
    if image is None:
        raise ValueError(f"no {' or '.join(IMAGES)}")
    mask = next((name for name in MASKS if name in features), None)
    masks = None if mask is None else _masks(decode_strings(record, mask), mask)
    rest = {key: value for key, value in features.items() if key not in (image, mask)}
    texts = tuple(key for key, value in rest.items() if value.dtype == np.uint8)
    numbers = {key: value for key, value in rest.items() if key not in texts}
    return Sample(features[image].tobytes(), masks, numbers, texts)


def _masks(strings: list[bytes], name: str) -> Masks:
    """Returns masks as they are encoded.

    Raises:
        ValueError: they are no pictures.
    """
    if not strings or not all(is_picture(each) for each in strings):
        raise ValueError(f"{name}: not encoded pictures, as the image is")
    return strings[0] if len(strings) == 1 else strings
