"""Multi-object scene datasets with ground truth: Objects Room, Multi-dSprites, CLEVR.

A scene is a function of (config, seed, number), so a file is its config, its seed and its length:

    >>> import scenes
    >>> scenes.build(scenes.MultiDSpritesConfig(), n=100, seed=0, out="sprites.h5")
    >>> file = scenes.SceneFile("sprites.h5")
    >>> file["image"][:16].shape, file.entities[:2]
    ((16, 64, 64, 3), ('background', 'object_0'))

`build` makes or extends a file, `SceneFile` reads one, `verify` checks one against its config.
`write_arrays` makes a file of arrays, `split` training and test files of one, `build_benchmark` a
fixed test file, and `open_source` gives scenes without a file. There is a config for each dataset:
`ObjectsRoomConfig`, `MultiDSpritesConfig`, `ClevrConfig`, `ClevrLikeConfig`, `ImageFolderConfig`,
`ImportedConfig`. `images_at` and `segmentation_at` average down. A file that cannot be used raises
a `FileError`.

Further in: `scenes.file.schema` says what a file holds, `scenes.source_list` lists the datasets,
and `scenes.cli` the commands, which are calls of these names.
"""

from typing import TYPE_CHECKING

from scenes.entrance import entrance

if TYPE_CHECKING:
    from scenes.arrays.writing import write_arrays
    from scenes.benchmarks.making import build_benchmark
    from scenes.clevr.config import ClevrConfig, ClevrLikeConfig
    from scenes.driver import build
    from scenes.file.errors import FileError
    from scenes.file.reader import SceneFile
    from scenes.formats.config import ImportedConfig
    from scenes.image_folder.config import ImageFolderConfig
    from scenes.multi_dsprites.config import MultiDSpritesConfig
    from scenes.objects_room.config import ObjectsRoomConfig
    from scenes.segmentation import images_at, segmentation_at
    from scenes.source_list import open_source
    from scenes.splits.splitting import split
    from scenes.verification import verify

__all__ = [
    "ClevrConfig",
    "ClevrLikeConfig",
    "FileError",
    "ImageFolderConfig",
    "ImportedConfig",
    "MultiDSpritesConfig",
    "ObjectsRoomConfig",
    "SceneFile",
    "build",
    "build_benchmark",
    "images_at",
    "open_source",
    "segmentation_at",
    "split",
    "verify",
    "write_arrays",
]

# Loaded on first use: a command's --help needs none of them, and a reader of files no renderer.
_HOMES = {
    "ClevrConfig": "scenes.clevr.config",
    "ClevrLikeConfig": "scenes.clevr.config",
    "FileError": "scenes.file.errors",
    "ImageFolderConfig": "scenes.image_folder.config",
    "ImportedConfig": "scenes.formats.config",
    "MultiDSpritesConfig": "scenes.multi_dsprites.config",
    "ObjectsRoomConfig": "scenes.objects_room.config",
    "SceneFile": "scenes.file.reader",
    "build": "scenes.driver",
    "build_benchmark": "scenes.benchmarks.making",
    "images_at": "scenes.segmentation",
    "open_source": "scenes.source_list",
    "segmentation_at": "scenes.segmentation",
    "split": "scenes.splits.splitting",
    "verify": "scenes.verification",
    "write_arrays": "scenes.arrays.writing",
}

__getattr__, __dir__ = entrance(__name__, _HOMES)
