"""CLEVR's own images by number: from a folder of PNGs, or a TFRecord."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scenes.clevr.config import ClevrConfig
from scenes.clevr.folder import PNG, image_folder, png_names, select_names
from scenes.clevr.images import SIZE, crop_image, crop_labels
from scenes.clevr.properties import CODES, Objects, object_fields
from scenes.clevr.scenes_json import read_scenes
from scenes.entities import entity_names, mask_fields, mask_rows
from scenes.file.errors import FileError
from scenes.formats.config import ImportedConfig
from scenes.formats.image_file import read_rgb
from scenes.formats.imported_source import ImportedSource
from scenes.formats.records import RecordError
from scenes.inspection import digest, reason
from scenes.scene import Field, OneByOne, Scene, UnreadableSceneError

IMAGE = Field((SIZE, SIZE, 3), "uint8", "RGB")


class ClevrFolderSource(OneByOne):
    """The PNGs of a folder, broken ones left out, in the order of their names.

    Raises:
        FileError: the folder's images changed since the config was made of them.
    """

    dataset = ClevrConfig.dataset

    def __init__(self, config: ClevrConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.provenance: Mapping[str, str] = {}
        self._scenes = None if config.scenes is None else read_scenes(Path(config.scenes))
        folder = image_folder(Path(config.source))
        whole = [name for name in png_names(folder) if name not in set(config.left_out)]
        names = select_names(whole, self._scenes, config.max_objects)
        self._paths = [folder / name for name in names]
        if digest(self._paths) != config.items:
            raise FileError(f"{folder}: its images changed since they were listed")
        self.limit: int | None = len(self._paths)
        self.entities = entity_names(config.num_rows)
        self.fields: Mapping[str, Field] = {
            "image": IMAGE,
            **({} if self._scenes is None else object_fields(config.num_rows)),
        }

    def __getitem__(self, index: int) -> Scene:
        """Returns the scene of image `index`.

        Raises:
            UnreadableSceneError: the image broke since it was inspected.
            IndexError: there are fewer images.
        """
        path = self._paths[index]
        try:
            image = crop_image(read_rgb(path, PNG))
        except (OSError, ValueError) as error:
            raise UnreadableSceneError(f"{path}: {reason(error, path)}") from error
        if self._scenes is None:
            return Scene(image)
        return Scene(image, None, self._scenes[path.name].rows(self.config.num_rows))


class ClevrRecordsSource(OneByOne):
    """The records of a `clevr_with_masks` TFRecord with at most `max_objects` objects."""

    dataset = ClevrConfig.dataset
    limit: int | None = None

    def __init__(self, config: ClevrConfig, seed: int) -> None:
        path = Path(config.source)
        if config.num_entities is None:
            raise TypeError(f"{path}: a config without num_entities is of a folder of PNGs")
        if digest([path]) != config.items:
            raise FileError(f"{path}: it changed since its records were counted")
        self.config = config
        self.seed = seed
        self.provenance: Mapping[str, str] = {}
        self.entities = entity_names(config.num_rows)
        self.fields: Mapping[str, Field] = {
            "image": IMAGE,
            **object_fields(config.num_rows),
            **mask_fields(config.num_rows, SIZE, SIZE),
        }
        layout = ImportedConfig(
            config.source, config.items, "clevr_with_masks", config.num_entities, 320
        )
        self._num_entities = config.num_entities
        self._records = ImportedSource(layout, seed)
        self._numbers: list[int] = []
        """Numbers of the records that are scenes, as far as the stream was read."""
        self._next = 0
        """Number of the record to read next."""
        self.odd_pixels = 0
        """Pixels that are not in exactly one mask, in the scenes read so far."""

    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`, counting only records with few enough objects.

        Raises:
            RecordError: the stream cannot be read up to there, or a record is not in the first
                one's layout, or contradicts itself.
            NoSuchRecordError: there are fewer scenes.
        """
        if index < len(self._numbers):
            number = self._numbers[index]
            return self._cropped(number, self._records[number])
        while True:
            number = self._next
            scene = self._records[number]
            self._next += 1
            if scene.values["num_objects"] <= self.config.num_rows:
                self._numbers.append(number)
                self.odd_pixels += int(scene.values["mask_conflicts"])
                if len(self._numbers) > index:
                    return self._cropped(number, scene)

    def _cropped(self, number: int, scene: Scene) -> Scene:
        values, rows = scene.values, self.config.num_rows
        hidden = ~values["factors/present"] & (values["factors/visible_pixels"] > 0)
        if hidden.any():
            entity = 1 + int(hidden.argmax())
            raise RecordError(
                f"{self.config.source}: record {number}: mask {entity} has pixels, but its "
                "visibility is 0",
                number,
            )
        present = np.flatnonzero(values["factors/present"])
        objects = Objects(
            codes=np.stack([values[f"factors/{name}"][present] for name in CODES], axis=1),
            position=np.stack([values[f"factors/{axis}"][present] for axis in "xyz"], axis=1),
            rotation_rad=np.deg2rad(values["factors/rotation"][present] % 360),
        )
        # Rows without an object may lie anywhere in a record; here they come last.
        table = np.zeros(self._num_entities, dtype=np.uint8)
        table[1 + present] = 1 + np.arange(len(present))  # at most 254 objects: MOST_ENTITIES
        assigned = scene.segmentation
        if assigned is None:
            raise TypeError("a record without masks")
        segmentation = crop_labels(table[assigned])
        fields = {**objects.rows(rows), **mask_rows(segmentation, rows)}
        return Scene(crop_image(scene.image), segmentation, fields)


def open_images(config: ClevrConfig, seed: int) -> ClevrFolderSource | ClevrRecordsSource:
    """Returns the source of CLEVR's own images.

    Raises:
        FileError: the images changed since the config was made of them.
    """
    kind = ClevrFolderSource if config.num_entities is None else ClevrRecordsSource
    return kind(config, seed)
