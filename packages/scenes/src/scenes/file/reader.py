"""Reads the HDF5 file that every dataset, model and score shares (`scenes.file.schema`)."""

from __future__ import annotations

import operator
from pathlib import Path
from types import TracebackType
from typing import Any, overload

import h5py
import numpy as np
from jaxtyping import Bool, UInt8

from scenes.file.columns import check_attributes, check_fields
from scenes.file.errors import FileError, refusal_of_system
from scenes.file.part_rows import JoinedParts, JoinedRows
from scenes.file.rows import CACHE_BYTES, Rows
from scenes.file.schema import PARTS, dataset_keys, parts_folder
from scenes.file.seal import plain
from scenes.file.structure import check_structure
from scenes.identity import identity_of_json, same_scenes
from scenes.serialise import from_json
from scenes.source_list import DATASETS
from scenes.splits.config import SplitConfig


def open_hdf5(path: Path) -> h5py.File:
    """Opens an HDF5 file for reading, after another process has parsed its structure.

    Raises:
        FileError: it is no HDF5, damaged, or holds what `scenes.file.metadata` refuses.
        CommandError: it cannot be read in a minute.
        OSError: the system refuses it, or another program is writing it.
    """
    check_structure(path)
    try:
        return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)
    except OSError as error:
        if error.errno is not None:  # HDF5's own errors have no number
            raise refusal_of_system(error.errno, path) from error
        raise FileError(f"{path}: not a readable HDF5 file, or cut short") from error


class SceneFile:
    """A finished file, or index of parts, open for reading: `len(file)` scenes by number.

    It may be used as a context manager; otherwise it is closed with its last reference. Unpickled
    in another process, such as one of a torch DataLoader, it opens the same file again.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=3, seed=0, out="sprites.h5")
        >>> file = scenes.SceneFile("sprites.h5")
        >>> len(file), file["image"][:2].shape, file["num_objects"][:].tolist()
        (3, (2, 64, 64, 3), [3, 1, 2])
        >>> scene = file[-1]
        >>> scene["image"].shape, scene["segmentation"].shape, int(scene["num_objects"])
        ((64, 64, 3), (64, 64), 2)
        >>> file[:2]["segmentation"].shape
        (2, 64, 64)

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
        # Kept open: with a dataset HDF5 also closes its cache of unpacked chunks.
        self._fields: dict[str, Rows | JoinedRows] = {}
        try:
            check_attributes(self.path, self._file.attrs)
            self._keys = dataset_keys(self._file)
            check_fields(self.path, {key: self._file[key] for key in self._keys})
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

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.n

    def __repr__(self) -> str:
        if not self._file:
            return f"SceneFile({str(self.path)!r}, closed)"
        _, height, width, _ = self._file["image"].shape
        rows = f"{self.n:,} rows of {height} x {width} pixels"
        return f"SceneFile({str(self.path)!r}, {self.dataset}, {rows}: {', '.join(self.keys())})"

    def __reduce__(self) -> tuple[type[SceneFile], tuple[Path]]:
        return SceneFile, (self.path.absolute(),)

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

    @overload
    def __getitem__(self, key: str) -> Rows | JoinedRows: ...

    @overload
    def __getitem__(self, key: int | np.integer | slice) -> dict[str, np.ndarray]: ...

    def __getitem__(
        self, key: str | int | np.integer | slice
    ) -> Rows | JoinedRows | dict[str, np.ndarray]:
        """Returns a field by its key, or all fields of some rows.

        Reading rows that are damaged raises a FileError.

        Args:
            key: a string for a field, whose rows are then read as those of an HDF5 dataset; the
                number of a scene, negative ones counted from the end, for its arrays by key; or a
                slice, for the arrays of several scenes.

        Raises:
            FileError: the file has no field of that key, or gives its codes wrong names.
            IndexError: there is no row of that number.
        """
        if not self._file:
            raise ValueError(f"{self.path}: closed; open it again with SceneFile")
        if isinstance(key, str):
            return self._field(key)
        if isinstance(key, slice):
            rows: Any = key
        else:
            rows = operator.index(key)
            if not -self.n <= rows < self.n:
                raise IndexError(f"{self.path}: row {rows} of {self.n:,}")
            rows %= self.n
        return {name: np.asarray(self._field(name)[rows]) for name in self._keys}

    def _field(self, key: str) -> Rows | JoinedRows:
        if key not in self._fields:
            self._fields[key] = self._open_field(key)
        return self._fields[key]

    def _open_field(self, key: str) -> Rows | JoinedRows:
        if key not in self._file:
            raise FileError(f"{self.path}: {key}: missing; there is {', '.join(self._keys)}")
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
        """Whether the file has a field of this key."""
        return key in self._file

    def keys(self) -> list[str]:
        """Returns the keys of all fields."""
        return list(self._keys)

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes."""
        return plain(self._file.attrs)

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
        """Name of the dataset; for a split, that of the file it was taken from."""
        recipe = self._split
        return str(self._file.attrs["dataset"]) if recipe is None else recipe.of_dataset

    @property
    def seed(self) -> int:
        """Seed of every scene's stream."""
        return int(self._file.attrs["seed"])

    @property
    def provenance(self) -> str:
        """What made the rows, as a JSON object: renderer and versions, as far as they are known."""
        return str(self._file.attrs.get("provenance", "{}"))

    @property
    def identity(self) -> str:
        """All that decides the rows, on one line (`scenes.identity`); `is_of` compares it."""
        attributes = self._file.attrs
        dataset, config = str(attributes["dataset"]), str(attributes["config"])
        try:
            return identity_of_json(dataset, config, self.seed, self.provenance)
        except ValueError as error:
            raise FileError(f"{self.path}: config: {error}") from error

    def is_of(self, identity: str) -> bool:
        """Whether its rows are those of an identity, as far as both of them say.

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
        """Config of the dataset; for a split, that of the file it was taken from."""
        recipe = self._split
        if recipe is None:
            return self.recipe
        return self._config_of(recipe.of_dataset, recipe.of_config)

    @property
    def recipe(self) -> Any:
        """The config that makes this file: the dataset's, or that of a split of another file."""
        attributes = self._file.attrs
        return self._config_of(str(attributes["dataset"]), str(attributes["config"]))

    @property
    def _split(self) -> SplitConfig | None:
        """How the rows were chosen, where this file is a split of another one; else `None`."""
        if self._file.attrs["dataset"] != SplitConfig.dataset:
            return None
        recipe: SplitConfig = self.recipe
        return recipe

    def _config_of(self, dataset: str, config: str) -> Any:
        if dataset not in DATASETS:
            raise FileError(f"{self.path}: dataset: {dataset!r} is unknown to this version")
        try:
            return from_json(config, DATASETS[dataset].config)
        except ValueError as error:
            raise FileError(f"{self.path}: config: {error}") from error

    def segmentation(self, rows: Any) -> UInt8[np.ndarray, "*N H W"]:
        """Returns the entity of each pixel in some rows.

        Raises:
            FileError: a pixel's entity has no name, or the rows are damaged.
        """
        labels = np.asarray(self["segmentation"][rows])
        self.check_entities(labels)
        return labels

    def check_entities(self, labels: UInt8[np.ndarray, "*N H W"]) -> None:
        """Refuses rows of the segmentation in which a pixel is of no entity.

        Raises:
            FileError: one is.
        """
        if (highest := int(labels.max(initial=0))) >= len(self.entities):
            raise FileError(
                f"{self.path}: segmentation: has entity {highest}, and names of "
                f"{len(self.entities)}"
            )

    def masks(self, rows: slice) -> Bool[np.ndarray, "N E H W"]:
        """Returns one mask per entity: disjoint, together covering every pixel."""
        segmentation = self.segmentation(rows)
        return segmentation[:, None] == np.arange(len(self.entities))[:, None, None]
