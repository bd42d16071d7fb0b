"""Reads scenes with their truth, at the size at which they are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Integer, UInt8
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.fit import way_to
from scenes.progress import counting
from scenes.segmentation import images_at, segmentation_at

READ_AT_ONCE = 512
"""Number of scenes that are averaged down together."""
Known = TypeVar("Known", bound="Truth")


@dataclass(frozen=True)
class Truth:
    """The entity of each pixel in some scenes."""

    segmentation: UInt8[np.ndarray, "N H W"]
    entities: tuple[str, ...]
    num_background: int
    ignored: Bool[np.ndarray, "N H W"] | None = None
    """Pixels that are left out of every score; `None` leaves out none."""

    @property
    def counted(self) -> Integer[np.ndarray, "N H W"]:
        """The entity of each pixel, and the number of entities where it is left out."""
        if self.ignored is None:
            return self.segmentation
        return np.where(self.ignored, len(self.entities), self.segmentation)

    def rows(self: Known, rows: slice | list[int]) -> Known:
        """Returns some of the scenes, in this order."""
        arrays: dict[str, Any] = {
            name: values[rows]
            for name, values in vars(self).items()
            if isinstance(values, np.ndarray)
        }
        return replace(self, **arrays)


@dataclass(frozen=True)
class TestScenes(Truth):
    """Scenes whose truth is known, at the size at which they are scored."""

    __test__ = False  # no test of pytest's

    _: KW_ONLY
    images: UInt8[np.ndarray, "N H W 3"]
    amodal: Bool[np.ndarray, "N O H W"] | None = None
    """Each object's full extent, as if nothing hid it; `None` where the file has none."""


def read_images(
    path: Path, n: int, size: int | None = None
) -> tuple[UInt8[np.ndarray, "N H W 3"], Truth | None]:
    """Reads the first images of a file, with their truth if the file has it.

    Args:
        path: the file.
        n: number of images; all where the file has fewer.
        size: side in pixels of a model's images, as in `read_scenes`.

    Raises:
        UsageError: the images have another size, or are not square as the model's are.
        FileError: the file cannot be read.
    """
    with SceneFile(path) as file:
        size, rows = size_of(file, size), slice(0, n)
        truth = None
        if file.has("segmentation"):
            segmentation = segmentation_at(file.segmentation(rows), size)
            truth = Truth(segmentation, file.entities, file.num_background)
        return images_at(file["image"][rows], size), truth


def read_scenes(path: Path, n: int | None = None, size: int | None = None) -> TestScenes:
    """Reads the first scenes of a file.

    Args:
        path: the file.
        n: number of scenes; all by default.
        size: side in pixels of a model's images, to which the file's are averaged down; by default
            they are not.

    Raises:
        UsageError: the file has fewer scenes, or its images cannot be averaged down to the size.
        FileError: the file cannot be read, or its scenes have no truth.
    """
    with SceneFile(path) as file:
        if n is not None and n > file.n:
            raise UsageError(f"{path}: has {file.n} scenes, fewer than --n {n}")
        size = size_of(file, size)
        readers: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
            "image": images_at,
            "segmentation": segmentation_at,
        }
        if file.has("amodal"):
            readers["amodal"] = _amodal_at
        arrays = _read_fields(file, file.n if n is None else n, size, readers)
        return TestScenes(
            images=arrays["image"],
            segmentation=arrays["segmentation"],
            entities=file.entities,
            num_background=file.num_background,
            amodal=arrays.get("amodal"),
        )


def _read_fields(
    file: SceneFile,
    n: int,
    size: int,
    readers: Mapping[str, Callable[[np.ndarray, int], np.ndarray]],
) -> dict[str, np.ndarray]:
    """Reads the first rows of some fields at a size in pixels, batch by batch, and shows a bar."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in readers}
    with counting("reading", n) as advance:
        for start in range(0, max(1, n), READ_AT_ONCE):
            rows = slice(start, min(start + READ_AT_ONCE, n))
            for name, at_size in readers.items():
                values = file.segmentation(rows) if name == "segmentation" else file[name][rows]
                parts[name].append(at_size(values, size))
            advance(rows.stop - rows.start)
    return {name: np.concatenate(values) for name, values in parts.items()}


def size_of(file: SceneFile, size: int | None) -> int:
    """Returns the height at which a model of `size` takes a file's images; `None` takes any.

    Raises:
        UsageError: the images are not square as the model's are, or no multiple of its size.
    """
    height, width = file["image"].shape[1:3]
    if size is None:
        return height
    if height != width:
        raise UsageError(
            f"{file.path}: images of {height} x {width} pixels (height x width) are not square, as "
            f"the model's {size} x {size} are; {way_to(size)}"
        )
    if height % size:
        raise UsageError(
            f"{file.path}: images of {height} pixels cannot be averaged down to the model's "
            f"{size}; {way_to(size)}"
        )
    return size


def _amodal_at(extents: Bool[np.ndarray, "N O H W"], size: int) -> Bool[np.ndarray, "N O S S"]:
    """Reduces extents to `size` pixels, each of which counts if at least half of it is covered."""
    scenes, objects, height, _ = extents.shape
    if size == height:
        return extents
    factor = height // size
    blocks = extents.reshape(scenes, objects, size, factor, size, factor)
    return blocks.mean((3, 5), dtype=np.float32) >= 0.5
