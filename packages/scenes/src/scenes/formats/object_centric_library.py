"""A file of scenes as HDF5 and metadata of object-centric-library.

What its classes read (its `data/datasets.py` and `config/dataset/*.yaml`):

- `MultiObjectDataset`: `image`, `mask`, `visibility` and `num_actual_objects`.
- `Multidsprites`: besides, `color` as RGB in [0, 1], and for its downstream tasks `x`, `y`,
  `scale`, `shape`.
- `Clevr`: besides, `pixel_coords`, and `x`, `y`, `size`, `shape`, `material`, `color`.

The metadata lie in `<part of the name before the first dash>-metadata.npy`, a dictionary: of a
number its mean, variance and shape; of a code the number of its values. A code has a last axis of
length 1, which its loader takes off; so have numbers, and visibility outside the Objects Room.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from scenes.atomic import whole_or_not
from scenes.clevr.properties import CODES
from scenes.clevr.view import pixel_coords
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.formats.config import ImportedConfig
from scenes.hdf5_output import hdf5_output
from scenes.progress import counting

ROWS = 64
SPRITE_SHAPES = 4
"""Square, ellipse and heart are 1, 2 and 3; 0 is none."""
NO_METADATA = -1


@dataclass(frozen=True)
class Column:
    """One of the HDF5's datasets."""

    read: Callable[[SceneFile, slice], np.ndarray]
    """Returns some rows of it."""
    categories: int = 0
    """How many values a code may have; 0 for a number, `NO_METADATA` for pictures."""

    def metadata(self, moments: _Moments) -> dict[str, Any]:
        """Returns what the metadata say of it; nothing of pictures."""
        if self.categories == NO_METADATA:
            return {}
        if self.categories:
            return {"type": "categorical", "num_categories": self.categories}
        return moments.metadata()


def metadata_path(out: Path) -> Path:
    """Returns where that library looks for the metadata of a file."""
    return out.with_name(f"{out.stem.split('-')[0]}-metadata.npy")


def write_object_centric_library(file: SceneFile, out: Path, mark: str) -> None:
    """Writes all scenes; the HDF5 gets its name last, when its metadata are there.

    Args:
        file: the scenes, with a segmentation.
        out: the HDF5.
        mark: is written before HDF5's own first byte, and into the metadata.

    Raises:
        FileError: the file has no segmentation, or a code is no whole number in its range.
        OSError: it could not be written.
    """
    columns = columns_of(file)
    moments = {name: _Moments() for name in columns}
    shapes = {}
    with whole_or_not(out) as temporary:
        with (
            hdf5_output(temporary, mark.encode()) as output,
            counting("exporting", file.n) as advance,
        ):
            for start in range(0, file.n, ROWS):
                rows = slice(start, min(start + ROWS, file.n))
                for name, column in columns.items():
                    values = column.read(file, rows)
                    shapes[name] = values.shape[1:]
                    target = output.file.require_dataset(
                        name, (file.n, *values.shape[1:]), values.dtype
                    )
                    target[rows] = values
                    if column.categories == 0:
                        moments[name].add(values)
                output.check()
                advance(rows.stop - start)
        dataset: dict[str, Any] = {"type": "dataset_property", "num_samples": file.n}
        metadata = {"self.dataset": {**dataset, "made_by": mark}}
        for name, column in columns.items():
            if about := column.metadata(moments[name]):
                metadata[name] = {**about, "shape": shapes[name]}
        content = io.BytesIO()
        np.save(content, np.array(metadata), allow_pickle=True)
        with whole_or_not(metadata_path(out)) as described:
            described.write_bytes(content.getbuffer())
            out.unlink(missing_ok=True)  # so that no file lies beside another one's metadata


class _Moments:
    """Mean and variance of a number over all scenes and entities, of blocks of rows."""

    def __init__(self) -> None:
        self._count: Any = 0
        self._sum: Any = 0.0
        self._squares: Any = 0.0

    def add(self, values: np.ndarray) -> None:
        """Adds rows; what is not known is left out."""
        numbers = values.astype(np.float64).reshape(-1, values.shape[-1])
        self._count = self._count + np.isfinite(numbers).sum(axis=0)
        self._sum = self._sum + np.nansum(numbers, axis=0)
        self._squares = self._squares + np.nansum(numbers**2, axis=0)

    def metadata(self) -> dict[str, Any]:
        """Returns what their loader scales by."""
        count = np.maximum(self._count, 1)
        mean = self._sum / count
        var = np.maximum(self._squares / count - mean**2, 0)
        return {"type": "numerical", "mean": mean, "var": var}


def columns_of(file: SceneFile) -> dict[str, Column]:
    """Returns what is written of a file, by their names.

    Raises:
        FileError: the file has no segmentation.
    """
    config = file.config
    kind = config.layout if isinstance(config, ImportedConfig) else file.dataset
    tail = () if kind == "objects_room" else (1,)
    first = file.num_background
    file["segmentation"]  # a FileError that names it

    def visibility(file: SceneFile, rows: slice) -> np.ndarray:
        seen = file.masks(rows).any(axis=(2, 3)).astype(np.float32)
        return seen.reshape(*seen.shape, *tail)

    def count(file: SceneFile, rows: slice) -> np.ndarray:
        seen = file.masks(rows)[:, first:].any(axis=(2, 3))
        return seen.sum(axis=1, keepdims=True).astype(np.float32)

    return {
        "image": Column(lambda file, rows: file["image"][rows], NO_METADATA),
        "mask": Column(lambda file, rows: file.segmentation(rows)[..., None], NO_METADATA),
        "visibility": Column(visibility, 2),
        "num_actual_objects": Column(count),
        **_factors_of(file, kind),
    }


def _factors_of(file: SceneFile, kind: str) -> dict[str, Column]:
    if kind in ("multi_dsprites", "multi_dsprites_binarized"):
        color = "color" if file.has("factors/color") else "color_rgb"
        return {
            **_numbers("x", "y", "scale", "orientation"),
            "shape": _code("shape", SPRITE_SHAPES),
            "color": Column(lambda file, rows: _rgb(_entities(file, rows, color))),
        }
    if kind == "tetrominoes":
        return _numbers("x", "y", "shape", "color")
    codes = {name: _code(name, len(names)) for name, names in CODES.items()}
    if kind == "clevr_with_masks":
        return {**_numbers("x", "y", "z", "rotation", "pixel_coords"), **codes}
    if kind in ("clevr", "clevr_like"):
        places = {name: _axis(column) for column, name in enumerate("xyz")}
        return {
            **places,
            "rotation": Column(lambda file, rows: np.rad2deg(_entities(file, rows, "rotation"))),
            "pixel_coords": Column(_pixel_coords),
            **codes,
        }
    return {}


def _numbers(*names: str) -> dict[str, Column]:
    return {name: Column(partial(_entities, name=name)) for name in names}


def _axis(column: int) -> Column:
    return Column(lambda file, rows: _entities(file, rows, "position")[..., column : column + 1])


def _code(name: str, categories: int) -> Column:
    def read(file: SceneFile, rows: slice) -> np.ndarray:
        values = _entities(file, rows, name)
        if (values != np.rint(values)).any() or (values < 0).any() or (values >= categories).any():
            raise FileError(
                f"{file.path}: factors/{name}: rows {rows.start} to {rows.stop - 1}: not all are "
                f"codes from 0 to {categories - 1}"
            )
        return values.astype(np.uint8)

    return Column(read, categories)


def _entities(file: SceneFile, rows: slice, name: str) -> Shaped[np.ndarray, "N E D"]:
    """Returns a factor of all entities; zeros where a background has none."""
    objects = file[f"factors/{name}"][rows]
    objects = objects.reshape(*objects.shape[:2], -1)
    first = file.num_background
    whole = np.zeros((len(objects), first + objects.shape[1], objects.shape[2]), objects.dtype)
    whole[:, first:] = objects
    if file.has(f"background/{name}"):
        whole[:, :first] = file[f"background/{name}"][rows].reshape(len(whole), first, -1)
    return whole


def _rgb(colors: Shaped[np.ndarray, "N E D"]) -> Float[np.ndarray, "N E 3"]:
    """Returns colours of which binarized sprites have one channel."""
    return np.repeat(colors, 3, axis=-1) if colors.shape[-1] == 1 else colors


def _pixel_coords(file: SceneFile, rows: slice) -> Float[np.ndarray, "N E 3"]:
    """Returns where the objects' centres are seen; NaN where the file has no camera."""
    place = _entities(file, rows, "position")
    coords = np.full(place.shape, np.nan, dtype=np.float32)
    if knows_camera(file):
        for scene, camera in enumerate(file["camera/position"][rows]):
            coords[scene] = pixel_coords(camera, place[scene])
    present = _entities(file, rows, "present").astype(bool)
    return np.where(present, coords, np.float32(0))


def knows_camera(file: SceneFile) -> bool:
    """Whether a file says where the camera stands, without which pixel coordinates are unknown."""
    return file.has("camera/position")
