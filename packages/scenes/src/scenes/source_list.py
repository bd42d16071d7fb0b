"""The table of datasets, and the functions that open a config's source of scenes.

To add a dataset, add a folder with its config and its source, and one row here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenes.arrays.config import ARRAYS
from scenes.clevr.config import CLEVR, CLEVR_LIKE
from scenes.command_line import UsageError
from scenes.dataset import Dataset, DatasetConfig
from scenes.formats.config import IMPORTED
from scenes.image_folder.config import IMAGE_FOLDER
from scenes.limits import check_seed
from scenes.multi_dsprites.config import MULTI_DSPRITES
from scenes.objects_room.config import OBJECTS_ROOM, ObjectsRoomConfig
from scenes.render.gl import choose_gl, starting_gl
from scenes.splits.config import SPLIT

if TYPE_CHECKING:
    from scenes.scene import Source

DATASETS: dict[str, Dataset] = {
    dataset.config.dataset: dataset
    for dataset in (
        OBJECTS_ROOM,
        MULTI_DSPRITES,
        CLEVR,
        CLEVR_LIKE,
        IMAGE_FOLDER,
        IMPORTED,
        ARRAYS,
        SPLIT,
    )
}
"""Every dataset by name, as a file's attribute `dataset` has it."""


def open_source(config: DatasetConfig, seed: int) -> Source:
    """Returns the source of a config, which makes scenes by number when they are asked for.

    Example:
        >>> import scenes
        >>> source = scenes.open_source(scenes.MultiDSpritesConfig(), seed=0)
        >>> scene = source[5]
        >>> scene.image.shape, scene.segmentation.shape, sorted(scene.values)[:2]
        ((64, 64, 3), (64, 64), ['background/color_rgb', 'factors/color_rgb'])

    Raises:
        TypeError: no dataset has such a config.
        ValueError: the seed is refused.
        CommandError: the source renders, and OpenGL cannot be started.
    """
    check_seed(seed)
    dataset = DATASETS.get(config.dataset)
    if dataset is None or not isinstance(config, dataset.config):
        raise TypeError(f"no source for {type(config).__name__}")
    return dataset.open(config, seed)


def other_drawing(config: DatasetConfig, provenance: str) -> str:
    """Returns in words how a file's scenes were drawn, where this version draws them differently.

    Scenes of an earlier drawing are as good, but rows of two drawings never go into one file.

    Args:
        config: of the scenes.
        provenance: of their file, as JSON.

    Returns:
        Empty where this version draws the same pixels, the renderer's differences aside.
    """
    drawing = DATASETS[config.dataset].drawing
    stored = json.loads(provenance)
    for key, ours in ({} if drawing is None else drawing(config)).items():
        theirs = stored.get(key, f"{key} without a version")
        if theirs != ours:
            return f"drawn by another version ({theirs}; this one: {ours})"
    return ""


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
    """Opens the Objects Room's source that finds entities by rays, and draws colours by OpenGL."""

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
