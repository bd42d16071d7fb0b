"""Scenes whose truth is known, at the size at which they are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.segmentation import images_at, segmentation_at


@dataclass(frozen=True)
class TestScenes:
    """Scenes whose truth is known, at the size at which they are scored."""

    __test__ = False  # no test of pytest's

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"]
    entities: tuple[str, ...]
    num_background: int
    amodal: Bool[np.ndarray, "N O H W"] | None = None
    """Each object's full extent, as if nothing hid it; `None` where the file does not know it."""
    ignored: Bool[np.ndarray, "N H W"] | None = None
    """Pixels that are left out of every score; `None` leaves out none."""


def read_scenes(path: Path, n: int | None = None, size: int | None = None) -> TestScenes:
    """Reads the first scenes of a file.

    Args:
        path: a file of this project's.
        n: number of scenes; all by default.
        size: side in pixels of a model's images, to which these are averaged down; the file's own
            by default.

    Raises:
        UsageError: the file has fewer scenes or another size, or its images are not square as the
            model's are.
        FileError: it cannot be read, or its scenes have no truth.
    """
    with SceneFile(path) as file:
        if n is not None and n > file.n:
            raise UsageError(f"{path}: has {file.n} scenes, fewer than --n {n}")
        size = size_of(file, size)
        rows = slice(0, n)
        return TestScenes(
            images=images_at(file["image"][rows], size),
            segmentation=segmentation_at(file.segmentation(rows), size),
            entities=file.entities,
            num_background=file.num_background,
            amodal=_amodal_at(file["amodal"][rows], size) if file.has("amodal") else None,
        )


def size_of(file: SceneFile, size: int | None) -> int:
    """Returns the height of a file's images as a model of `size` takes them; `None` takes any.

    Raises:
        UsageError: they are not square as the model's are, or no multiple of its size.
    """
    height, width = file["image"].shape[1:3]
    if size is None:
        return height
    if height != width:
        raise UsageError(
            f"{file.path}: images of {height} x {width} pixels (height x width) are not square, as "
            f"the model's {size} x {size} are; crop images and segmentations to squares before "
            "they are made a file of scenes (`scenes clevr` crops CLEVR's)"
        )
    if height % size:
        raise UsageError(
            f"{file.path}: images of {height} pixels cannot be averaged down to the model's {size}"
        )
    return size


def _amodal_at(extents: Bool[np.ndarray, "N O H W"], size: int) -> Bool[np.ndarray, "N O S S"]:
    """Reduces extents to `size` pixels: where at least half of the area is covered."""
    scenes, objects, height, _ = extents.shape
    if size == height:
        return extents
    factor = height // size
    blocks = extents.reshape(scenes, objects, size, factor, size, factor)
    return blocks.mean((3, 5), dtype=np.float32) >= 0.5
