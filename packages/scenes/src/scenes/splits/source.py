"""Rows of a file as a source, so that a split is built, continued and verified as any file is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenes.file.checked_rows import CheckedRows
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHUNK_ROWS, dataset_keys
from scenes.file.seal import SEALED_BY, check_seal
from scenes.file.writer import field_of
from scenes.parts.heartbeat import Beat, no_beat
from scenes.scene import Field, Scene
from scenes.splits.config import SplitConfig


def seal_of(path: Path) -> str:
    """Returns the `sha256` of a file, after its attributes and checksums were found to be of it.

    Raises:
        FileError: they are not, or there is none.
    """
    with SceneFile(path) as file:
        check_seal(path, file.hdf5)
        return str(file.attributes[SEALED_BY])


class SplitSource:
    """Some rows of a file, each checked against that file's checksums as it is read.

    Raises:
        FileError: the file is not the one that the config was made of.
    """

    dataset = SplitConfig.dataset

    def __init__(self, config: SplitConfig, seed: int) -> None:
        self._file = SceneFile(Path(config.file))
        self._rows_of_file = CheckedRows(self._file)
        if self._file.attributes[SEALED_BY] != config.content:
            raise FileError(f"{config.file}: it changed since its rows were chosen")
        self.config = config
        self.seed = seed
        self.entities = self._file.entities
        self.provenance: Mapping[str, str] = json.loads(self._file.provenance)
        hdf5 = self._file.hdf5
        self.fields: Mapping[str, Field] = {key: field_of(hdf5[key]) for key in dataset_keys(hdf5)}
        self.limit: int | None = config.n
        self.beat: Beat = no_beat
        self._rows: Int64[np.ndarray, " N"] = np.concatenate(
            [np.arange(start, stop) for start, stop in config.ranges]
        )

    def __getitem__(self, index: int) -> Scene:
        """Returns the scene of the split's row `index`.

        Raises:
            FileError: it is not as it was written.
        """
        row = {key: values[0] for key, values in self.rows(range(index, index + 1)).items()}
        image, segmentation = row.pop("image"), row.pop("segmentation", None)
        return Scene(image, segmentation, row)

    def rows(self, numbers: range) -> dict[str, np.ndarray]:
        """Returns all fields of the split's rows `numbers`, by HDF5 key.

        Raises:
            FileError: they are not as they were written.
        """
        wanted = self._rows[numbers.start : numbers.stop]
        blocks = [self._chosen(block, wanted) for block in _blocks(wanted)]
        return {key: np.concatenate([block[key] for block in blocks]) for key in self.fields}

    def _chosen(self, block: range, wanted: Int64[np.ndarray, " M"]) -> dict[str, np.ndarray]:
        """Returns those of the wanted rows that lie in a block of whole chunks."""
        self.beat()
        whole = self._rows_of_file.read(block.start, block.stop)
        first, last = np.searchsorted(wanted, (block.start, block.stop))
        inside = wanted[first:last] - block.start
        return {key: values[inside] for key, values in whole.items()}


def _blocks(rows: Int64[np.ndarray, " M"]) -> Iterator[range]:
    """Yields the chunks that hold rows, neighbouring ones as one block."""
    chunks = np.unique(rows // CHUNK_ROWS)
    for run in np.split(chunks, np.flatnonzero(np.diff(chunks) > 1) + 1):
        yield range(int(run[0]) * CHUNK_ROWS, (int(run[-1]) + 1) * CHUNK_ROWS)
