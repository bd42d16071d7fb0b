"""The HDF5 file that every dataset, model and score shares (schema 1).

Root attributes: `schema`, `dataset`, `config` (JSON), `seed`, `version` (of this package),
`entities` (names in index order), `provenance` (JSON: renderer and versions), `sha256` (see
`scenes.file.seal`), `complete`.

Each field is an HDF5 dataset. Its first axis is the row, and the table gives the other axes. Its
attributes are its `meaning`, `unit` and `categories` (names of its codes). What a source does not
know is absent, never zeros. O is the most objects of a scene: rows of `factors` and `amodal` beyond
those placed are zeros, and `factors/present` says which count.

| field | row | values |
|---|---|---|
| `image` | (H, W, 3) uint8 | RGB |
| `segmentation` | (H, W) uint8 | index into `entities` of each pixel |
| `depth` | (H, W) float16 | metres along the camera's axis, above 0; the sky is inf |
| `amodal` | (O, H, W) bool | each object's full extent, as if nothing hid it |
| `num_objects`, `num_visible` | () uint8 | objects placed; objects with at least one pixel |
| `scene`, `view` | () uint32, uint8 | several views: which scene, and which view of it |
| `mask_conflicts` | () int32 | imported: pixels that are not in exactly one mask |
| `factors/present` | (O,) bool | which rows of the factors count |
| `factors/visible_pixels` | (O,) int32 | pixels that nothing hides |
| `factors/shape` | (O,) uint8 | a code; imported tetrominoes and sprites: float32, as they were |
| `factors/size` | (O,) float32 | Objects Room: metres, 0.5 to 1; CLEVR: a code, uint8 |
| `factors/material`, `factors/color` | (O,) uint8 | CLEVR: codes; imported: RGB, (O, 3) float32 |
| `factors/color_rgb`, `factors/color_hsv` | (O, 3) float32 | 0 to 1 |
| `factors/position` | (O, 3) float32 | metres, z up |
| `factors/rotation` | (O,) float32 | rad about the vertical, 0 to 2 pi |
| `factors/x`, `factors/y` | (O,) float32 | sprites: 0 to 1, from the left and from the top |
| `factors/scale`, `factors/orientation` | (O,) float32 | sprites: 0.5 to 1; rad, 0 to 2 pi |
| `factors/z`, `factors/visibility` | (O,) float32 | imported, as they were |
| `factors/pixel_coords` | (O, 3) float32 | imported, as they were |
| `background/KEY` | as `factors/KEY` | imported: the same of the background's entities |
| `background/wall_rgb`, `background/floor_rgb` | (3,) float32 | Objects Room: 0 to 1 |
| `background/color_rgb` | (3,) float32 | sprites: 0 to 1 |
| `background/lamp_position` | (3, 3) float32 | CLEVR-like: metres; key, fill and back lamp |
| `camera/position` | (3,) float32 | metres, z up |
| `camera/yaw`, `camera/pitch` | () float32 | Objects Room: rad, from the x axis; above horizontal |

Two datasets are no fields: `checksums` has a row for each chunk of rows, and `parts`, in an index
of parts, the first row of each part and the row after its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

SCHEMA = 1
CHUNK_ROWS = 16
"""Rows that are compressed together: a shuffled read unpacks 16 images to get one."""
MOST_ENTITIES = 255
"""Background included: a segmentation is bytes."""
CHECKSUMS = "checksums"
PARTS = "parts"


def dataset_keys(file: h5py.File) -> list[str]:
    """Returns the keys of all fields, groups entered.

    HDF5's own visit would parse more than `scenes.file.metadata` has parsed before.
    """

    def inside(group: h5py.Group) -> Iterator[str]:
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                yield from (f"{name}/{key}" for key in inside(item))
            else:
                yield name

    return sorted(set(inside(file)) - {CHECKSUMS, PARTS})


def parts_folder(path: Path) -> Path:
    """Returns the folder of a file's parts, in which they lie while it is built or for good."""
    return path.with_name(f"{path.name}.parts")


def part_name(start: int, stop: int) -> str:
    """Returns the file name of the part that holds rows `start` to `stop`."""
    return f"{start:010d}-{stop:010d}.h5"


def part_stop(name: str) -> int:
    """Returns the `stop` of a part's file name."""
    return int(name.removesuffix(".h5").split("-")[1])
