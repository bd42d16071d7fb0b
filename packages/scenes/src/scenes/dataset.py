"""The row of a dataset in the table of datasets: its config, its source, and its names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from scenes.render.gl import choose_gl, starting_gl

if TYPE_CHECKING:
    from scenes.scene import Source


@runtime_checkable
class DatasetConfig(Protocol):
    """What `scenes.driver` needs to know from every config."""

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
        """Whether the source may be opened in separate processes only, never in the caller's.

        Such a source must have no `limit`, which the caller would have to open it for.
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
    """The class of its config, a `DatasetConfig` whose `dataset` is the dataset's name."""
    title: str
    """Name for people."""
    command: str
    """The command that makes it, or the function where there is no command."""
    open: Callable[[Any, int], Source]
    """Opens the source of a config and a seed; imports what makes the scenes only then."""
    test_config: Callable[[Any], DatasetConfig] | None
    """Takes a config of training scenes, and returns that of test scenes under the same law; `None`
    where no scenes can be made anew."""
    from_arrays: bool = False
    """Whether its scenes came as arrays in memory, so that nothing can make them again."""
    drawing: Callable[[Any], Mapping[str, str]] | None = None
    """Takes a config, and returns the entries of a file's provenance that name the version of the
    drawing; `None` where every version draws the same."""
    places: tuple[str, ...] = ()
    """Fields of its config that say where the scenes were read from, not what they are."""
    moved: Callable[[Any, Path, Path | None], Any] | None = None
    """Takes a config, another path of what its scenes are read from, and one of CLEVR's scenes JSON
    or of a folder of masks; returns the config with these paths. `None` where config and seed alone
    make the scenes."""
    misnames: Callable[[Any, str, Sequence[str]], bool] | None = None
    """Takes a config, a field's key and the names of its codes; returns whether these are the wrong
    names that an earlier version wrote. `None` where none did."""


def on_demand(module: str, name: str, *, renders: bool = False) -> Callable[[Any, int], Source]:
    """Returns a function that opens a source; its module is imported when that is first called.

    Reading a file needs no source, and the import may load MuJoCo, which takes a while.

    Args:
        module: of the source, such as `scenes.multi_dsprites.source`.
        name: of its class, which takes a config and a seed.
        renders: whether OpenGL must be chosen before the import.
    """

    def open_source(config: Any, seed: int) -> Source:
        if renders:
            choose_gl()
        with starting_gl() if renders else nullcontext():
            kind = getattr(import_module(module), name)
        source: Source = kind(config, seed)
        return source

    return open_source


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file that scenes are read from.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
