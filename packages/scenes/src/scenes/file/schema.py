"""The HDF5 file that every dataset, model and score shares (schema 1).

Root attributes: `schema`, `dataset`, `config` (JSON), `seed`, `version` (of this package),
`entities` (names in index order), `provenance` (JSON: renderer and versions), `sha256` (see
`scenes.file.seal`), `complete`.

Each field is an HDF5 dataset. Its first axis is the row, and the table gives the other axes. Its
attributes are its `meaning`, `unit` and `categories` (names of its codes). A field that a source
does not know is absent, never zeros. O is the largest number of objects in a scene. Rows of
`factors` and `amodal` beyond a scene's objects are zeros, and `factors/present` says which count.

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
| `factors/shape` | (O,) uint8 | a code; imported tetrominoes and sprites: float32, unchanged |
| `factors/size` | (O,) float32 | Objects Room: metres, 0.5 to 1; CLEVR: a code, uint8 |
| `factors/material`, `factors/color` | (O,) uint8 | CLEVR: codes; imported: RGB, (O, 3) float32 |
| `factors/color_rgb`, `factors/color_hsv` | (O, 3) float32 | 0 to 1 |
| `factors/position` | (O, 3) float32 | metres, z up |
| `factors/rotation` | (O,) float32 | rad about the vertical, 0 to 2 pi |
| `factors/x`, `factors/y` | (O,) float32 | sprites: 0 to 1, from the left and from the top |
| `factors/scale`, `factors/orientation` | (O,) float32 | sprites: 0.5 to 1; rad, 0 to 2 pi |
| `factors/z`, `factors/visibility` | (O,) float32 | imported, unchanged |
| `factors/pixel_coords` | (O, 3) float32 | imported, unchanged |
| `background/KEY` | as `factors/KEY` | imported: the factor of the background's entities |
| `background/wall_rgb`, `background/floor_rgb` | (3,) float32 | Objects Room: 0 to 1 |
| `background/color_rgb` | (3,) float32 | sprites: 0 to 1 |
| `background/lamp_position` | (3, 3) float32 | CLEVR-like: metres; key, fill and back lamp |
| `camera/position` | (3,) float32 | metres, z up |
| `camera/yaw`, `camera/pitch` | () float32 | Objects Room: rad, from the x axis; above horizontal |

Two more datasets are no fields: `checksums` has a row for each chunk of rows, and in an index of
parts `parts` has the first row of each part and the row after its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

SCHEMA = 1
CHUNK_ROWS = 16
"""Rows that are compressed together; to read one at random, all of them are unpacked."""
MOST_ENTITIES = 255
"""Most entities, background included, because a segmentation has a byte for each pixel."""
CHECKSUMS = "checksums"
PARTS = "parts"


def dataset_keys(file: h5py.File) -> list[str]:
    """Returns the keys of all fields, those in groups included.

    Not by HDF5's own visit, which parses more than `scenes.file.metadata` has examined.
    """

    def inside(group: h5py.Group) -> Iterator[str]:
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                yield from (f"{name}/{key}" for key in inside(item))
            else:
                yield name

    return sorted(set(inside(file)) - {CHECKSUMS, PARTS})


def parts_folder(path: Path) -> Path:
    """Returns the folder of a file's parts: while it is built, or for good with an index."""
    return path.with_name(f"{path.name}.parts")


def part_name(start: int, stop: int) -> str:
    """Returns the file name of the part that holds rows `start` to `stop`."""
    return f"{start:010d}-{stop:010d}.h5"


def part_stop(name: str) -> int:
    """Returns the `stop` of a part's file name."""
    return int(name.removesuffix(".h5").split("-")[1])
