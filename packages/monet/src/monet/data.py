"""Batches of training images: shuffled, repeatable from any step, and read ahead of their use."""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from scenes.command_line import UsageError
from scenes.file import CHUNK_ROWS, SceneFile, images_at, segmentation_at
from torch import Tensor

HELD_OUT = 320
"""The last scenes of a file, which are never trained on; they feed the scores during training."""
WINDOW_BYTES = 512 << 20
"""Images that are read together and shuffled among each other."""


@dataclass(frozen=True)
class Window:
    """Rows of one epoch that are in memory together."""

    epoch: int
    number: int
    """Which window of the epoch."""


class TrainingImages:
    """Batches of a file's training images as a function of (seed, step).

    An epoch permutes the file's chunks, cuts them into windows that fit in memory and permutes the
    rows of each; the window after the current one is read in the background. A file that fits in
    one window is read once.

    Args:
        file: where from; it stays open as long as this.
        size: side of the model's images; a file whose size is a multiple is averaged down.
        batch_size: images a step.
        seed: decides the order.
        window_bytes: size of a window.

    Raises:
        UsageError: the size does not fit, or there are too few images.
    """

    def __init__(
        self,
        file: SceneFile,
        size: int,
        batch_size: int,
        seed: int,
        *,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        check_size(file, size)
        self.rows = file.n - HELD_OUT
        if self.rows < batch_size:
            raise UsageError(
                f"{file.path}: {file.n} images are too few: {HELD_OUT} are held out for scores and "
                f"a batch takes {batch_size}; it needs {HELD_OUT + batch_size}"
            )
        self._file, self._size, self._batch, self._seed = file, size, batch_size, seed
        whole = CHUNK_ROWS * batch_size // math.gcd(CHUNK_ROWS, batch_size)
        self._window_rows = max(1, window_bytes // (3 * size**2) // whole) * whole
        self._windows = -(-self.rows // self._window_rows)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="window")
        self._ahead: dict[Window, Future[np.ndarray]] = {}
        self._everything: np.ndarray | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of one pass through the images."""
        return self.rows // self._batch

    def batch(self, step: int) -> UInt8[Tensor, "B H W 3"]:
        """Returns the images of a step, counted from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        number, offset = divmod(position * self._batch, self._window_rows)
        images = self._read(Window(epoch, number))
        order = self._order(epoch, number + 1, len(images))
        return torch.from_numpy(images[order[offset : offset + self._batch]])

    def close(self) -> None:
        """Ends the reading ahead."""
        self._reader.shutdown(cancel_futures=True)

    def _order(self, *key: int) -> Int64[np.ndarray, " N"]:
        *stream, length = key
        if getattr(self, "_order_key", None) != key:  # the same for all batches of a window
            rng = np.random.default_rng([self._seed, *stream])
            self._order_key, self._order_rows = key, rng.permutation(length)
        return self._order_rows

    def _read(self, window: Window) -> UInt8[np.ndarray, "N H W 3"]:
        if self._windows == 1:
            if self._everything is None:
                self._everything = self._images(range(-(-self.rows // CHUNK_ROWS)))
            return self._everything
        follows = Window(window.epoch, window.number + 1)
        if follows.number == self._windows:
            follows = Window(window.epoch + 1, 0)
        wanted = (window, follows)
        self._ahead = {
            w: self._ahead.get(w) or self._reader.submit(self._images, self._chunks(w))
            for w in wanted
        }
        return self._ahead[window].result()

    def _chunks(self, window: Window) -> list[int]:
        """Returns the file's chunks in a window; one cut by the end always comes last."""
        full, part = divmod(self.rows, CHUNK_ROWS)
        rng = np.random.default_rng([self._seed, window.epoch, 0])
        order = [*rng.permutation(full).tolist(), *([full] if part else [])]
        count = self._window_rows // CHUNK_ROWS
        return sorted(order[window.number * count : (window.number + 1) * count])

    def _images(self, chunks: list[int] | range) -> UInt8[np.ndarray, "N H W 3"]:
        # Neighbouring chunks are read by one call.
        parts, dataset = [], self._file["image"]
        start = 0
        for i, chunk in enumerate(chunks):
            if i + 1 < len(chunks) and chunks[i + 1] == chunk + 1 and i - start < CHUNK_ROWS:
                continue
            rows = slice(chunks[start] * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, self.rows))
            parts.append(images_at(dataset[rows], self._size))
            start = i + 1
        return np.concatenate(parts)


@dataclass(frozen=True)
class HeldOut:
    """The scenes kept for scores."""

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"] | None
    """`None` where the file has none."""
    num_background: int


def held_out(file: SceneFile, size: int) -> HeldOut:
    """Reads the file's last scenes at the model's size."""
    rows = slice(max(0, file.n - HELD_OUT), file.n)
    known = file.has("segmentation")
    return HeldOut(
        images=images_at(file["image"][rows], size),
        segmentation=segmentation_at(file["segmentation"][rows], size) if known else None,
        num_background=file.num_background,
    )


def check_size(file: SceneFile, size: int) -> None:
    """Refuses a file whose images cannot be averaged down to the model's size.

    Raises:
        UsageError: they are no multiple of it.
    """
    if file.image_size % size:
        raise UsageError(
            f"{file.path}: images of {file.image_size} pixels cannot be averaged down to the "
            f"model's {size}"
        )


def noise(seed: int, step: int, *shape: int) -> Float[Tensor, "*shape"]:
    """Returns the unit Gaussian noise of a step: the same however the run was interrupted."""
    # Not torch's generator, which looks at the lower 32 bits of its seed only.
    rng = np.random.default_rng([seed, step])
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
