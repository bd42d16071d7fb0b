"""A scene, and the protocol of everything that makes scenes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from scenes.command_line import CommandError
from scenes.limits import narrowed
from scenes.parts.heartbeat import Beat, no_beat


@dataclass(frozen=True)
class Field:
    """Describes one HDF5 dataset of a file, as it is in every row."""

    shape: tuple[int, ...]
    """Shape of one row, without the leading axis of rows."""
    dtype: str
    """NumPy's name of the type, such as `uint8` or `float32`."""
    meaning: str
    """One line for the dataset's attribute `meaning`."""
    unit: str = ""
    """Unit of the values, such as `m` or `rad`; empty where there is none."""
    categories: tuple[str, ...] = ()
    """Names of the integer codes, in order, where the values are codes."""


@dataclass(frozen=True)
class Scene:
    """One row of a file: an image, and everything that is known about it."""

    image: UInt8[np.ndarray, "H W 3"]
    """RGB."""
    segmentation: UInt8[np.ndarray, "H W"] | None = None
    """Entity index of each pixel; `None` where the source does not know it."""
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Every other field by its HDF5 key, such as `factors/shape`, padded to its `Field.shape`."""

    def row(self) -> dict[str, np.ndarray]:
        """Returns all fields by HDF5 key."""
        row = {"image": self.image, **self.values}
        if self.segmentation is not None:
            row["segmentation"] = self.segmentation
        return row


class UnreadableSceneError(CommandError):
    """A single item of a source, which the message names, cannot be read; the others can."""


@runtime_checkable
class Source(Protocol):
    """Scenes as a function of (config, seed, index).

    Attributes:
        dataset: name of the dataset, such as `objects_room`.
        config: frozen dataclass from which, with the seed, the source was made.
        seed: entropy of every scene's random stream.
        entities: names of the entities in index order, background first.
        fields: what every row holds, by HDF5 key, `image` included.
        provenance: all that decides the bytes beside (config, seed, index), such as the renderer's
            version strings; a file never mixes rows of different provenance.
        limit: number of scenes, or `None` where they never end.
        beat: is called for each block of rows and for each attempt at a scene. A driver sets it to
            learn whether the source still works (`scenes.parts.heartbeat`).
    """

    dataset: str
    config: Any
    seed: int
    entities: tuple[str, ...]
    fields: Mapping[str, Field]
    provenance: Mapping[str, str]
    limit: int | None
    beat: Beat

    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`, which is always the same, in whatever order scenes are asked for.

        Raises:
            UnreadableSceneError: this item cannot be read; the build ends, its finished parts stay.
        """
        ...

    def rows(self, numbers: range) -> dict[str, np.ndarray]:
        """Returns all fields of consecutive scenes, by HDF5 key: the same scenes as `[]` returns.

        Raises:
            UnreadableSceneError: as from `[]`.
        """
        ...


class OneByOne(ABC):
    """Gives `rows` to a source that makes its scenes one by one."""

    fields: Mapping[str, Field]
    beat: Beat = staticmethod(no_beat)

    @abstractmethod
    def __getitem__(self, index: int) -> Scene:
        """Returns scene `index`."""

    def rows(self, numbers: range) -> dict[str, np.ndarray]:
        """Returns all fields of scenes `numbers`, by HDF5 key."""
        rows = {
            key: np.empty((len(numbers), *field.shape), dtype=field.dtype)
            for key, field in self.fields.items()
        }
        for place, number in enumerate(numbers):
            self.beat()
            scene = self[number].row()
            for key, values in rows.items():
                values[place] = narrowed(np.asarray(scene[key]), values.dtype, key)
        return rows


def scene_rng(seed: int, stream: int, index: int) -> np.random.Generator:
    """Returns the random stream of one scene.

    Args:
        seed: the user's seed; 0 is a seed like any other.
        stream: fixed number of the split, so that no two splits share a stream.
        index: number of the scene.
    """
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(stream, index)))
    )
