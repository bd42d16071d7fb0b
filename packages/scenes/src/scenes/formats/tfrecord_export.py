"""A file of scenes as a gzipped TFRecord in the layout of multi_object_datasets."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from scenes.atomic import whole_or_not
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.formats.config import ImportedConfig
from scenes.formats.multi_object_datasets import LAYOUTS, Layout
from scenes.formats.tfrecord import encode, write_record
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.progress import counting

NAMES = {"color": "color_rgb", "visibility": "present"}
"""What this project calls their factors, where the names differ."""
OTHER = "the other format is --format object-centric-library"


def layout_of(file: SceneFile) -> Layout:
    """Returns the layout that a file's scenes have in multi_object_datasets.

    Raises:
        FileError: the file's dataset or image size has none, or its masks overlapped.
    """
    config = file.config
    name = config.layout if isinstance(config, ImportedConfig) else file.dataset
    if isinstance(config, MultiDSpritesConfig) and config.variant == "binarized":
        name = "multi_dsprites_binarized"
    if name not in LAYOUTS:
        raise FileError(
            f"{file.path}: dataset: {name!r} has no layout in multi_object_datasets; {OTHER}"
        )
    layout = LAYOUTS[name]
    if file["image"].shape[1:3] != (layout.height, layout.width):
        raise FileError(
            f"{file.path}: image: {name} is {layout.height} x {layout.width} there, "
            f"got {file['image'].shape[1:3]}; {OTHER}"
        )
    if file.has("mask_conflicts") and file["mask_conflicts"][:].any():
        raise FileError(
            f"{file.path}: mask_conflicts: masks that overlap cannot be written back; {OTHER}"
        )
    return layout


def write_tfrecord(file: SceneFile, out: Path, mark: str) -> None:
    """Writes all scenes.

    Args:
        file: the scenes.
        out: the TFRecord.
        mark: is written as the name that gzip keeps of what it packed.

    Raises:
        FileError: as from `layout_of`.
        OSError: it could not be written.
    """
    layout = layout_of(file)
    with (
        whole_or_not(out) as temporary,
        temporary.open("xb") as packed,
        gzip.GzipFile(mark, "wb", compresslevel=6, fileobj=packed, mtime=0) as stream,
        counting("exporting", file.n) as advance,
    ):
        for row in range(file.n):
            write_record(stream, encode(_record(file, layout, row)))
            advance(1)


def _record(file: SceneFile, layout: Layout, row: int) -> dict[str, np.ndarray]:
    masks = file.masks(slice(row, row + 1))[0].astype(np.uint8) * np.uint8(255)  # (E, H, W)
    values = {
        "image": file["image"][row][..., : layout.channels],
        "mask": np.moveaxis(masks, 0, -1) if layout.mask_last else masks,
    }
    for key, (tail, kind) in layout.factors.items():
        name = key if file.has(f"background/{key}") else NAMES.get(key, key)
        objects = _narrowed(file[f"factors/{name}"][row], tail)
        if file.has(f"background/{name}"):
            stored = file[f"background/{name}"][row]
            background = _narrowed(stored.reshape(-1, *stored.shape[-1:] if tail else ()), tail)
        else:
            background = np.full((1, *tail), key == "visibility")
        whole = np.concatenate([background, objects])
        values[key] = whole.astype(kind, casting="same_kind", copy=False)
    return values


def _narrowed(values: np.ndarray, tail: tuple[int, ...]) -> np.ndarray:
    """Returns the first channel of what they store without colour."""
    return values[:, :1] if tail == (1,) else values
