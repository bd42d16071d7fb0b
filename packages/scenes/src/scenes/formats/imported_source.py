"""Scenes of other projects' files as a source, so that they are built and verified as any are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from scenes.fit import fit_image, fit_labels
from scenes.formats.config import ImportedConfig
from scenes.formats.known_fields import PRESENT
from scenes.formats.readers.recognition import open_reader
from scenes.formats.records import NoSuchRecordError, Reader, Record, RecordError
from scenes.scene import Field, OneByOne, Scene


class ImportedSource(OneByOne):
    """Scenes of one or several files, one after the other, read in rising order.

    Raises:
        RecordError: a file is of none of the formats, or its first record cannot be read.
    """

    dataset = ImportedConfig.dataset

    def __init__(self, config: ImportedConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.provenance: Mapping[str, str] = {}
        self.limit: int | None = sum(config.counts) or None
        readers = [open_reader(path, config.float_range) for path in config.paths]
        self._records = _Cursor(readers, config.counts)
        contents = readers[0].contents
        self._sides, self._masked = contents.sides, contents.masked
        self._background = len(contents.background)
        self._objects = max(0, config.num_entities - self._background)
        names = tuple(f"object_{i}" for i in range(self._objects))
        self.entities = (*contents.background, *names)
        self.fields: Mapping[str, Field] = self._all_fields(contents.fields)

    def __getitem__(self, index: int) -> Scene:
        """Returns the scene of record `index`.

        Raises:
            RecordError: it, or one before it in its file, cannot be read, or is not as the first.
            NoSuchRecordError: there are fewer.
        """
        record = self._records[index]
        try:
            return self._scene(record)
        except ValueError as error:
            raise RecordError(f"{self._records.where(index)}: {error}", index) from error

    def _scene(self, record: Record) -> Scene:
        image, labels, fit = record.image, record.labels, self.config.fit
        if labels is not None and labels.shape != image.shape[:2]:
            raise ValueError(f"masks of {labels.shape}, but an image of {image.shape[:2]}")
        if fit is not None:
            image = fit_image(image, self.config.size, fit)
            labels = None if labels is None else fit_labels(labels, self.config.size, fit)
        elif image.shape[:2] != self._sides:
            raise ValueError(
                f"{image.shape[0]} x {image.shape[1]} pixels, but record 0 has {self._sides[0]} x "
                f"{self._sides[1]}; --size 64 --fit crop makes them alike"
            )
        values = {key: self._padded(key, value) for key, value in record.values.items()}
        if PRESENT in values:
            values["num_objects"] = np.array(values[PRESENT].sum(), dtype=np.uint8)
        if (labels is None) == self._masked:
            raise ValueError("some records have masks, and some none")
        if labels is not None:
            visible = np.bincount(labels.ravel(), minlength=len(self.entities))
            if len(visible) > len(self.entities):
                raise ValueError(f"has entity {labels.max()} of {len(self.entities)}")
            objects = visible[self._background :]
            values["mask_conflicts"] = np.array(record.conflicts, dtype=np.int32)
            values["num_visible"] = np.array((objects > 0).sum(), dtype=np.uint8)
            values["factors/visible_pixels"] = objects.astype(np.int32)
        return Scene(image, labels, values)

    def _padded(self, key: str, value: np.ndarray) -> np.ndarray:
        """Returns a factor with a row for every object of the fullest scene."""
        if not key.startswith("factors/") or len(value) == self._objects:
            return value
        if len(value) > self._objects:
            raise ValueError(
                f"{key}: of {len(value)} objects, but masks tell {self._objects} apart"
            )
        rest = np.zeros((self._objects - len(value), *value.shape[1:]), value.dtype)
        return np.concatenate([value, rest])

    def _all_fields(self, known: Mapping[str, Field]) -> dict[str, Field]:
        sides = self._sides if self.config.fit is None else (self.config.size,) * 2
        fields = {"image": Field((*sides, 3), "uint8", "RGB")}
        if self._masked:
            fields |= {
                "segmentation": Field(sides, "uint8", "entity index of each pixel"),
                "mask_conflicts": Field((), "int32", "pixels not in exactly one of the masks"),
                "num_visible": Field((), "uint8", "objects with at least one pixel"),
                "factors/visible_pixels": Field(
                    (self._objects,), "int32", "pixels that nothing hides"
                ),
            }
        if PRESENT in known:
            meaning = "objects that there are, by the factors"
            if "factors/visibility" in known:
                meaning = "objects whose visibility is not 0"
            fields["num_objects"] = Field((), "uint8", meaning)
        for key, about in known.items():
            shape = about.shape
            if key.startswith("factors/"):
                shape = (self._objects, *shape)
            fields[key] = Field(shape, about.dtype, about.meaning)
        return fields


class _Cursor:
    """Records of all files by number, over streams that only go forward.

    Asking in rising order reads each file once; asking for another record opens its file again.
    """

    def __init__(self, readers: Sequence[Reader], counts: Sequence[int]) -> None:
        self._readers, self._counts = readers, counts
        self._next = -1
        self._stream: Iterator[Record] = iter(())

    def __getitem__(self, index: int) -> Record:
        """Returns record `index`.

        Raises:
            RecordError: it, or one before it in its file, cannot be read.
            NoSuchRecordError: there are fewer.
        """
        file, inside = self._place(index)
        if index != self._next or inside == 0:
            self._stream = self._readers[file].records(inside)
        self._next = -1
        try:
            record = next(self._stream)
        except StopIteration:
            raise NoSuchRecordError(
                f"{self._name(file)}: record {inside}: there are fewer"
            ) from None
        except RecordError as error:
            raise RecordError(str(error), index - inside + error.number) from error
        self._next = index + 1
        return record

    def where(self, index: int) -> str:
        """Returns what messages call a record."""
        file, inside = self._place(index)
        return f"{self._name(file)}: record {inside}"

    def _name(self, file: int) -> Path:
        return self._readers[file].path

    def _place(self, index: int) -> tuple[int, int]:
        """Returns which file a record is in, and its number there."""
        for file, count in enumerate(self._counts):
            if index < count:
                return file, index
            index -= count
        if self._counts:
            raise NoSuchRecordError(
                f"{self._name(-1)}: there are only {sum(self._counts):,} records"
            )
        return 0, index
