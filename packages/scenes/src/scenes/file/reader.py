"""Reads the HDF5 file that every dataset, model and score shares (`scenes.file.schema`)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, UInt8

from scenes.file.errors import FileError, refusal_of_system
from scenes.file.part_rows import JoinedParts, JoinedRows
from scenes.file.rows import Rows
from scenes.file.schema import MOST_ENTITIES, PARTS, SCHEMA, dataset_keys, parts_folder
from scenes.file.structure import check_structure
from scenes.identity import identity_of_json, same_scenes
from scenes.serialise import from_json
from scenes.source_list import DATASETS

ATTRIBUTES = {"dataset": str, "config": str, "seed": np.integer, "entities": np.ndarray}
"""Root attributes that every file has, and their types, besides `schema` and `complete`."""
KINDS = {str: "text", np.integer: "a whole number", np.ndarray: "a list"}


def open_hdf5(path: Path) -> h5py.File:
    """Opens an HDF5 file for reading, after another process has parsed its structure.

    Raises:
        FileError: it is no HDF5, damaged, or holds what `scenes.file.metadata` refuses.
        CommandError: it cannot be read in a minute.
        OSError: the system refuses it, or another program is writing it.
    """
    check_structure(path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if error.errno is not None:  # HDF5's own errors have no number
            raise refusal_of_system(error.errno, path) from error
        raise FileError(f"{path}: not a readable HDF5 file, or cut short") from error


class SceneFile:
    """A finished file, or index of parts, open for reading; a context manager.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=3, seed=0, out="sprites.h5")
        >>> with scenes.SceneFile("sprites.h5") as file:
        ...     print(file, file["image"][:2].shape, file["num_objects"][:])
        SceneFile('sprites.h5', multi_dsprites, 3 rows) (2, 64, 64, 3) [3 1 2]

    Args:
        path: the file.

    Raises:
        FileError: it is missing, no HDF5, half-written, foreign or of a newer schema.
        OSError: as from `open_hdf5`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileError(f"{self.path}: no such file; scenes render makes one")
        self._file = open_hdf5(self.path)
        try:
            self._check_attributes()
            self._check_fields()
            self._joined = self._join()
        except BaseException as error:
            self._file.close()
            if isinstance(error, KeyError | RuntimeError | TypeError):  # h5py's words for damage
                raise FileError(f"{self.path}: damaged: {error}") from error
            raise

    def _join(self) -> JoinedParts | None:
        if PARTS not in self._file:
            return None
        folder = parts_folder(self.path)
        try:
            return JoinedParts(folder, self._file[PARTS][:])
        except FileNotFoundError as error:
            raise FileError(
                f"{self.path}: {error}; move the file and that folder together"
            ) from None

    def _check_attributes(self) -> None:
        attributes = self._file.attrs
        if "schema" not in attributes or "dataset" not in attributes:
            raise FileError(f"{self.path}: no attribute 'schema': not a file of this project")
        schema = attributes["schema"]
        if not isinstance(schema, np.integer) or schema != SCHEMA:
            raise FileError(f"{self.path}: schema {schema}, this version reads {SCHEMA}")
        if not isinstance(complete := attributes.get("complete", False), np.bool_) or not complete:
            raise FileError(f"{self.path}: half-written; run the command that made it again")
        for name, kind in ATTRIBUTES.items():
            if not isinstance(attributes.get(name), kind):
                raise FileError(f"{self.path}: {name}: missing, or not {KINDS[kind]}")
        if not 0 <= self.seed < 1 << 63:
            raise FileError(f"{self.path}: seed: must be from 0 to 2^63 - 1, got {self.seed}")
        names = attributes["entities"].ravel().tolist()
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise FileError(f"{self.path}: entities: expected names, each another")
        if not 1 <= len(names) <= MOST_ENTITIES:
            raise FileError(
                f"{self.path}: entities: expected 1 to {MOST_ENTITIES}, got {len(names)}"
            )

    def _check_fields(self) -> None:
        if "image" not in self._file or not isinstance(self._file["image"], h5py.Dataset):
            raise FileError(f"{self.path}: image: missing")
        image = self._file["image"]
        if image.ndim != 4 or image.shape[3] != 3 or image.dtype != np.uint8:
            raise FileError(
                f"{self.path}: image: expected (N, H, W, 3) uint8, got {image.shape} {image.dtype}"
            )
        n, height, width, _ = image.shape
        pictures = {
            "segmentation": (n, height, width),
            "depth": (n, height, width),
            "amodal": (n, None, height, width),
        }
        for key in self.keys():
            dataset = self._file[key]
            if key == "segmentation" and dataset.dtype != np.uint8:
                raise FileError(f"{self.path}: {key}: expected uint8, got {dataset.dtype}")
            if dataset.dtype.kind not in "biuf":
                raise FileError(f"{self.path}: {key}: expected numbers, got {dataset.dtype}")
            if dataset.shape[:1] != (n,):
                rows = dataset.shape[0] if dataset.shape else "no"
                raise FileError(f"{self.path}: {key}: {rows} rows, but {n} images")
            shape = pictures.get(key, dataset.shape)
            fits = len(shape) == dataset.ndim and all(
                want in (None, have) for want, have in zip(shape, dataset.shape, strict=True)
            )
            if not fits:
                raise FileError(
                    f"{self.path}: {key}: {dataset.shape} for images of {height} x {width}"
                )

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.n

    def __repr__(self) -> str:
        if not self._file:
            return f"SceneFile({str(self.path)!r}, closed)"
        return f"SceneFile({str(self.path)!r}, {self.dataset}, {self.n:,} rows)"

    def __enter__(self) -> SceneFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._joined is not None:
            self._joined.close()
        self._file.close()

    def __getitem__(self, key: str) -> Rows | JoinedRows:
        """Returns a field's rows: an HDF5 dataset, or what reads like one from parts.

        To read rows that are damaged raises a FileError.

        Raises:
            FileError: the file has none of that key, or gives its codes wrong names.
        """
        if key not in self._file:
            raise FileError(f"{self.path}: {key}: missing; there is {', '.join(self.keys())}")
        dataset = self._file[key]
        kind = DATASETS.get(self.dataset)
        if kind is not None and kind.misnames is not None:
            names = dataset.attrs["categories"].tolist()
            if kind.misnames(self.config, key, names):
                raise FileError(
                    f"{self.path}: {key}: an earlier version gave these codes wrong names; make "
                    f"the file again: {kind.command} SOURCE --overwrite"
                )
        if self._joined is not None:
            return JoinedRows(self._joined, key, dataset)
        return Rows(dataset.id)

    def has(self, key: str) -> bool:
        """Whether the file knows this field."""
        return key in self._file

    def keys(self) -> list[str]:
        """Returns the keys of all fields."""
        return dataset_keys(self._file)

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            for key, value in self._file.attrs.items()
        }

    @property
    def hdf5(self) -> h5py.File:
        """The HDF5 file itself."""
        return self._file

    @property
    def is_index(self) -> bool:
        """Whether the rows lie in a folder of parts beside the file."""
        return self._joined is not None

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self._file["image"].shape[0])

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return int(self._file["image"].shape[1])

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return str(self._file.attrs["dataset"])

    @property
    def seed(self) -> int:
        """Seed of every scene's stream."""
        return int(self._file.attrs["seed"])

    @property
    def identity(self) -> str:
        """What decides every row, in one line (`scenes.identity`); to compare it: `is_of`."""
        attributes = self._file.attrs
        config, provenance = str(attributes["config"]), str(attributes.get("provenance", "{}"))
        try:
            return identity_of_json(self.dataset, config, self.seed, provenance)
        except ValueError as error:
            raise FileError(f"{self.path}: config: {error}") from error

    def is_of(self, identity: str) -> bool:
        """Whether its rows are those of an identity, as far as both tell.

        Args:
            identity: of this version, or of an earlier one, which held paths as they were typed.
        """
        return same_scenes(self.identity, identity)

    @property
    def entities(self) -> tuple[str, ...]:
        """Names of the entities in index order."""
        return tuple(str(name) for name in self._file.attrs["entities"])

    @property
    def num_background(self) -> int:
        """Number of entities before the first object."""
        return sum(not name.startswith("object_") for name in self.entities)

    @property
    def config(self) -> Any:
        """The dataset's config, from its JSON."""
        if self.dataset not in DATASETS:
            raise FileError(f"{self.path}: dataset: {self.dataset!r} is unknown to this version")
        try:
            return from_json(str(self._file.attrs["config"]), DATASETS[self.dataset].config)
        except ValueError as error:
            raise FileError(f"{self.path}: config: {error}") from error

    def segmentation(self, rows: Any) -> UInt8[np.ndarray, "*N H W"]:
        """Returns the entity of each pixel of some rows.

        Raises:
            FileError: a pixel is of no entity, or the rows are damaged.
        """
        labels = np.asarray(self["segmentation"][rows])
        if (highest := int(labels.max(initial=0))) >= len(self.entities):
            raise FileError(
                f"{self.path}: segmentation: has entity {highest}, and names of "
                f"{len(self.entities)}"
            )
        return labels

    def masks(self, rows: slice) -> Bool[np.ndarray, "N E H W"]:
        """Returns one mask per entity: disjoint, together covering every pixel."""
        segmentation = self.segmentation(rows)
        return segmentation[:, None] == np.arange(len(self.entities))[:, None, None]
