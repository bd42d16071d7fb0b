"""Which source of scenes belongs to a config, opened in whatever process asks."""

from __future__ import annotations

import ctypes.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError
from scenes.config import (
    ClevrConfig,
    ClevrLikeConfig,
    DatasetConfig,
    ImportedConfig,
    MultiDSpritesConfig,
    ObjectsRoomConfig,
)
from scenes.scene import Source

GL_LIBRARIES = {"osmesa": ("OSMesa", "libosmesa6"), "egl": ("EGL", "libegl1")}
"""Shared library that each value of MUJOCO_GL needs, and Debian's package of it."""


def open_source(config: DatasetConfig, seed: int) -> Source:
    """Returns the source of a config.

    Raises:
        TypeError: no source belongs to this config.
        CommandError: it renders, and OpenGL cannot be started.
    """
    if isinstance(config, ObjectsRoomConfig):
        choose_gl()
        with starting_gl():
            from scenes.objects_room.source import ObjectsRoomSource

        return ObjectsRoomSource(config, seed)
    if isinstance(config, MultiDSpritesConfig):
        from scenes.multi_dsprites.source import MultiDSpritesSource

        return MultiDSpritesSource(config, seed)
    if isinstance(config, ClevrConfig):
        from scenes.clevr.source import ClevrFolderSource, ClevrRecordsSource

        kind = ClevrFolderSource if config.num_entities is None else ClevrRecordsSource
        return kind(config, seed)
    if isinstance(config, ClevrLikeConfig):
        choose_gl()
        with starting_gl():
            from scenes.clevr.likeness import ClevrLikeSource

        return ClevrLikeSource(config, seed)
    if isinstance(config, ImportedConfig):
        from scenes.formats.multi_object_datasets import ImportedSource

        return ImportedSource(config, seed)
    raise TypeError(f"no source for {type(config).__name__}")


def choose_gl() -> None:
    """Lets MuJoCo render without a display: MUJOCO_GL's way, else EGL with a GPU, else OSMesa.

    It must run before mujoco is imported. One thread a process: at these sizes LLVM's threads
    gain nothing (measured), one process per core does.

    Raises:
        CommandError: MUJOCO_GL names no such way, or the library that it needs is missing.
    """
    gpu = Path("/dev/nvidiactl").exists() or any(Path("/dev/dri").glob("renderD*"))
    chosen = os.environ.setdefault("MUJOCO_GL", "egl" if gpu else "osmesa").lower()
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if chosen not in (*GL_LIBRARIES, "glfw"):
        raise CommandError(f"MUJOCO_GL must be osmesa, egl or glfw, got {chosen!r}")
    if chosen in GL_LIBRARIES:
        library, package = GL_LIBRARIES[chosen]
        if ctypes.util.find_library(library) is None:
            raise CommandError(
                f"MUJOCO_GL={chosen} needs lib{library}; on Debian: apt-get install {package}"
            )


@contextmanager
def starting_gl() -> Iterator[None]:
    """Says what to try where OpenGL cannot be started, as MuJoCo is imported or later.

    Raises:
        CommandError: anything failed within.
    """
    try:
        yield
    except Exception as error:  # each way has errors of its own
        raise CommandError(
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: OpenGL cannot be started: "
            f"{str(error).rstrip('.')}; "
            "MUJOCO_GL=osmesa draws without a display or a GPU"
        ) from error


@dataclass(frozen=True)
class OpenSource:
    """Opens the source of a config and a seed, in whatever process calls it."""

    config: DatasetConfig
    seed: int

    def __call__(self) -> Source:
        """Returns the source."""
        return open_source(self.config, self.seed)
