"""Which source of scenes belongs to a config, opened in whatever process asks."""

from __future__ import annotations

from dataclasses import dataclass

from scenes.command_line import UsageError
from scenes.config import (
    ClevrConfig,
    ClevrLikeConfig,
    DatasetConfig,
    ImportedConfig,
    MultiDSpritesConfig,
    ObjectsRoomConfig,
)
from scenes.render.gl import choose_gl, starting_gl
from scenes.scene import Source


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


@dataclass(frozen=True)
class OpenSource:
    """Opens the source of a config and a seed, in whatever process calls it."""

    config: DatasetConfig
    seed: int

    def __call__(self) -> Source:
        """Returns the source."""
        return open_source(self.config, self.seed)


@dataclass(frozen=True)
class OpenByRays:
    """The same for the Objects Room, where rays tell the entities, and OpenGL only the colours."""

    config: DatasetConfig
    seed: int

    def __call__(self) -> Source:
        """Returns the source.

        Raises:
            UsageError: the config is another dataset's.
            CommandError: OpenGL cannot be started.
        """
        if not isinstance(self.config, ObjectsRoomConfig):
            raise UsageError(f"rays tell the Objects Room's entities, not {self.config.dataset}'s")
        choose_gl()
        with starting_gl():
            from scenes.objects_room.source import ObjectsRoomSource

        return ObjectsRoomSource(self.config, self.seed, by_rays=True)
