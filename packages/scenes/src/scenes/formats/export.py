"""Finished files in other projects' formats, written whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from scenes.atomic import whole_or_not
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.seal import check_seal
from scenes.formats.config import ImportedConfig
from scenes.formats.multi_object_datasets import LAYOUTS, Layout
from scenes.formats.tfrecord import encode, write_record
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.progress import counting

ROWS = 64
ExportFormat = Literal["tfrecord", "object-centric-library"]


def default_name(path: Path, form: ExportFormat) -> Path:
    """Returns the name of an export beside its file."""
    ending = ".tfrecords" if form == "tfrecord" else "-ocl.hdf5"
    return path.with_name(f"{path.stem}{ending}")


def export(path: Path, out: Path, form: ExportFormat) -> int:
    """Writes a file in another project's format.

    Args:
        path: the file.
        out: where it goes; what is there is replaced.
        form: multi_object_datasets' TFRecord, or object-centric-library's HDF5 and metadata.

    Returns:
        The number of scenes.

    Raises:
        FileError: the file has no such form.
        ValueError: the name would make the other project change the labels.
    """
    with SceneFile(path) as file:
        check_seal(path, file.hdf5)
    write = export_tfrecord if form == "tfrecord" else export_object_centric_library
    return write(path, out)


def export_tfrecord(path: Path, out: Path) -> int:
    """Writes a gzipped TFRecord in the layout of multi_object_datasets.

    Returns:
        The number of records.

    Raises:
        FileError: the file's dataset or image size has no such layout.
    """
    with SceneFile(path) as file:
        layout = _layout(file)
        with (
            whole_or_not(out) as temporary,
            gzip.open(temporary, "wb", compresslevel=6) as stream,
            counting("exporting", file.n) as advance,
        ):
            for row in range(file.n):
                write_record(stream, encode(_record(file, layout, row)))
                advance(1)
        return file.n


def _layout(file: SceneFile) -> Layout:
    config = file.config
    name = config.layout if isinstance(config, ImportedConfig) else file.dataset
    if isinstance(config, MultiDSpritesConfig) and config.variant == "binarized":
        name = "multi_dsprites_binarized"
    if name not in LAYOUTS:
        raise FileError(f"{file.path}: dataset: {name!r} has no layout in multi_object_datasets")
    layout = LAYOUTS[name]
    if file["image"].shape[1:3] != (layout.height, layout.width):
        raise FileError(
            f"{file.path}: image: {name} is {layout.height} x {layout.width} there, "
            f"got {file['image'].shape[1:3]}"
        )
    if file.has("mask_conflicts") and file["mask_conflicts"][:].any():
        raise FileError(f"{file.path}: mask_conflicts: masks that overlap cannot be written back")
    return layout


def _record(file: SceneFile, layout: Layout, row: int) -> dict[str, np.ndarray]:
    masks = file.masks(slice(row, row + 1))[0].astype(np.uint8) * np.uint8(255)  # (E, H, W)
    values = {
        "image": file["image"][row][..., : layout.channels],
        "mask": np.moveaxis(masks, 0, -1) if layout.mask_last else masks,
    }
    for key, (tail, kind) in layout.factors.items():
        ours = {"color": "color_rgb", "visibility": "present"}.get(key, key)
        name = key if file.has(f"background/{key}") else ours
        objects = _narrowed(file[f"factors/{name}"][row].astype(kind), tail)
        if file.has(f"background/{name}"):
            given = file[f"background/{name}"][row]
            background = _narrowed(given.reshape(-1, *given.shape[-1:] if tail else ()), tail)
        else:
            background = np.full((1, *tail), float(key == "visibility"))
        values[key] = np.concatenate([background.astype(kind), objects])
    return values


def _narrowed(values: np.ndarray, tail: tuple[int, ...]) -> np.ndarray:
    """Returns the first channel of what they store without colour."""
    return values[:, :1] if tail == (1,) else values


def export_object_centric_library(path: Path, out: Path) -> int:
    """Writes that library's HDF5, and its metadata as `<out>-metadata.npy` beside it.

    Returns:
        The number of scenes.

    Raises:
        FileError: the file has no segmentation.
        ValueError: the name would make that library repair labels that are right.
    """
    if out.stem.startswith("objects_room"):
        raise ValueError(
            f"{out}: under the name objects_room that library changes the labels; choose another"
        )
    with (
        SceneFile(path) as file,
        whole_or_not(out) as temporary,
        h5py.File(temporary, "w") as target,
        counting("exporting", file.n) as advance,
    ):
        entities, first = len(file.entities), file.num_background
        segmentation = file["segmentation"]
        shape = (file.n, *segmentation.shape[1:], 1)
        images = target.create_dataset("image", file["image"].shape, "uint8")
        mask = target.create_dataset("mask", shape, "uint8")
        tail = () if file.dataset == "objects_room" else (1,)
        visibility = np.zeros((file.n, entities, *tail), dtype=np.float32)
        for start in range(0, file.n, ROWS):
            rows = slice(start, min(start + ROWS, file.n))
            images[rows], mask[rows] = file["image"][rows], segmentation[rows][..., None]
            seen = file.masks(rows).any(axis=(2, 3)).astype(np.float32)
            visibility[rows] = seen.reshape(*seen.shape, *tail)
            advance(rows.stop - start)
        objects = visibility.reshape(file.n, entities)[:, first:].sum(axis=1, keepdims=True)
        target["visibility"] = visibility
        target["num_actual_objects"] = objects.astype(np.float32)
        metadata = {
            "self.dataset": {"type": "dataset_property", "num_samples": file.n},
            **{
                key: {
                    "type": "numerical",
                    "mean": values.mean(axis=0),
                    "var": values.var(axis=0),
                    "shape": values.shape[1:],
                }
                for key, values in (("visibility", visibility), ("num_actual_objects", objects))
            },
        }
        beside = out.with_name(f"{out.stem}-metadata.npy")
        with whole_or_not(beside) as described, described.open("wb") as stream:
            np.save(stream, np.array(metadata), allow_pickle=True)
        return file.n
