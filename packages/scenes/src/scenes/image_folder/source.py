"""Scenes of a folder's pictures, by number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scenes.entities import entity_names, mask_fields, mask_rows
from scenes.file.errors import FileError
from scenes.fit import fit_image, fit_labels
from scenes.formats.image_file import FORMATS, read_rgb
from scenes.image_folder.config import ImageFolderConfig
from scenes.image_folder.files import find_pictures
from scenes.image_folder.reading import read_labels
from scenes.inspection import digest, reason
from scenes.scene import Field, OneByOne, Scene, UnreadableSceneError


class ImageFolderSource(OneByOne):
    """The pictures of a folder, unreadable ones left out, in the order of their names.

    Raises:
        FileError: the folder's pictures changed since the config was made of them.
    """

    dataset = ImageFolderConfig.dataset

    def __init__(self, config: ImageFolderConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.provenance: Mapping[str, str] = {}
        masks = None if config.masks is None else Path(config.masks)
        left_out = set(config.left_out)
        pictures = find_pictures(Path(config.source), masks)
        self._pictures = [picture for picture in pictures if picture.name not in left_out]
        if digest([path for picture in self._pictures for path in picture.files]) != config.items:
            raise FileError(f"{config.source}: its pictures changed since they were listed")
        self.limit: int | None = len(self._pictures)
        self._objects = max(0, config.num_entities - 1)
        self.entities = entity_names(self._objects)
        self.fields: Mapping[str, Field] = {
            "image": Field((config.size, config.size, 3), "uint8", "RGB"),
            **(mask_fields(self._objects, config.size, config.size) if config.num_entities else {}),
        }

    def __getitem__(self, index: int) -> Scene:
        """Returns the scene of picture `index`.

        Raises:
            UnreadableSceneError: the picture broke since it was inspected.
            IndexError: there are fewer pictures.
        """
        picture, size, fit = self._pictures[index], self.config.size, self.config.fit
        try:
            image = read_rgb(picture.path, FORMATS)
            labels = read_labels(picture, *image.shape[:2]) if self.config.num_entities else None
        except (OSError, ValueError) as error:
            raise UnreadableSceneError(f"{picture.path}: {reason(error, picture.path)}") from error
        square = fit_image(image, size, fit)
        if labels is None:
            return Scene(square)
        segmentation = fit_labels(labels.values, size, fit)
        return Scene(square, segmentation, mask_rows(segmentation, self._objects))
