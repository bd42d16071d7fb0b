"""What a dataset is: a config, what makes its scenes, and what people call it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from scenes.scene import Source


@runtime_checkable
class DatasetConfig(Protocol):
    """What `scenes.driver` asks of every config."""

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        ...

    @property
    def size(self) -> int:
        """The longer side of the images in pixels."""
        ...

    @property
    def isolated(self) -> bool:
        """Whether its source is opened in separate processes only, never in the caller's.

        Such a source must have no `limit`, which the caller would have to ask it for.
        """
        ...

    @property
    def sequential(self) -> bool:
        """Whether one worker makes all scenes, in order."""
        ...


@dataclass(frozen=True)
class Dataset:
    """One row of the table of datasets (`scenes.source_list.DATASETS`)."""

    config: type[Any]
    """Its config, a `DatasetConfig` that names it in `dataset`."""
    title: str
    """What people call it."""
    command: str
    """The command that makes it."""
    open: Callable[[Any, int], Source]
    """Opens the source of a config and a seed; imports what makes the scenes only then."""
    test_config: Callable[[Any], DatasetConfig] | None
    """From a config of training scenes to that of the test scenes which follow the same law;
    `None` where no scenes can be made anew."""
    drawing: Callable[[Any], Mapping[str, str]] | None = None
    """From a config, the entries of a file's provenance that name the version of what draws its
    scenes; `None` where no version drew otherwise."""
    places: tuple[str, ...] = ()
    """Fields of its config that say where the scenes were read from, not what they are."""
    moved: Callable[[Any, Path, Path | None], Any] | None = None
    """From a config, the path of what its scenes are read from and that of CLEVR's scenes JSON to
    the same config, read from there; `None` where config and seed alone make the scenes."""
    misnames: Callable[[Any, str, Sequence[str]], bool] | None = None
    """Whether a file of a config gives a field's codes wrong names, as an earlier version did; from
    the config, the field's key and its names. `None` where no version did."""


def sha256_of(path: Path) -> str:
    """Returns the digest of a file that scenes are read from.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
