"""Batches of training images: shuffled, repeatable from any step, and read ahead of their use."""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHUNK_ROWS
from scenes.fit import way_to
from scenes.segmentation import images_at, segmentation_at
from torch import Tensor

from monet.config import HELD_OUT
from monet.training.batch import Batch

WINDOW_BYTES = 512 << 20
"""Images that are read into memory together and shuffled among each other."""
PIECE_CHUNKS = 256
"""Chunks that are copied to the device together."""


@dataclass(frozen=True)
class Window:
    """Part of an epoch: rows that are in memory together."""

    epoch: int
    number: int
    """Which window of the epoch."""


class TrainingImages:
    """Batches of a file's training images as a function of (seed, step).

    Each epoch permutes the file's chunks, cuts their order into windows that fit in memory, and
    permutes the rows of each window. The next window is read in the background; a file that fits
    in one window is read once. The order is the same if all images lie on the device.

    Args:
        file: the file to read; it must stay open as long as this object.
        size: side of the model's images; a file whose size is a multiple is averaged down.
        batch_size: images a step.
        seed: decides the order.
        held_out: scenes at the end of the file that are left out.
        device: where batches go.
        on_device: keep all images there instead of reading ahead, where `fits_on_device`.
        with_segmentation: give each image's segmentation too.
        window_bytes: size of a window's images.

    Raises:
        UsageError: the images cannot be averaged down to the size, or there are too few.
        FileError: there is no segmentation.
        CommandError: the device has too little memory for the images.
    """

    def __init__(
        self,
        file: SceneFile,
        size: int,
        batch_size: int,
        seed: int,
        *,
        held_out: int = HELD_OUT,
        device: torch.device | None = None,
        on_device: bool = False,
        with_segmentation: bool = False,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        check_size(file, size)
        self.rows = file.n - held_out
        if self.rows < batch_size:
            raise UsageError(
                f"{file.path}: {file.n} images are too few: {held_out} are held out for scores and "
                f"a batch takes {batch_size}; it needs {held_out + batch_size}, or fewer of either "
                "(--held-out, --batch-size)"
            )
        self._file, self._size, self._batch, self._seed = file, size, batch_size, seed
        self._device = torch.device("cpu") if device is None else device
        self._keys = ("image", "segmentation") if with_segmentation else ("image",)
        for key in self._keys:
            file[key]
        unit = math.lcm(CHUNK_ROWS, batch_size)  # a window is whole chunks and whole batches
        self._window_rows = max(1, window_bytes // (3 * size**2) // unit) * unit
        self._windows = -(-self.rows // self._window_rows)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="window")
        self._ahead: dict[Window, Future[Batch]] = {}
        self._everything: Batch | None = None
        self.resident: Batch | None = self._read_to_device() if on_device else None
        """All training scenes, if they lie on the device."""
        self._window: Window | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of one pass through the images."""
        return self.rows // self._batch

    def batch(self, step: int) -> Batch:
        """Returns the scenes of a step, counted from 0, on the device."""
        if self.resident is None:
            return self.read(step).to(self._device)
        return self.resident.take(self.rows_of(step).to(self._device))

    def read(self, step: int) -> Batch:
        """Returns the scenes of a step, on the host."""
        window, rows = self._place(step)
        return self._read(window).take(self._order[rows])

    def rows_of(self, step: int) -> Int64[Tensor, " B"]:
        """Returns the rows of a step among all training scenes, on the host."""
        _, rows = self._place(step)
        return self._window_scenes[self._order[rows]]

    def _place(self, step: int) -> tuple[Window, slice]:
        """Returns a step's window and its slice of the window's order."""
        epoch, position = divmod(step, self.steps_per_epoch)
        number, offset = divmod(position * self._batch, self._window_rows)
        window = Window(epoch, number)
        if window != self._window:  # the same for all batches of a window
            self._window = window
            starts = CHUNK_ROWS * torch.tensor(self._chunks(window))
            scenes = (starts[:, None] + torch.arange(CHUNK_ROWS)).flatten()
            self._window_scenes = scenes[scenes < self.rows]
            rng = np.random.default_rng([self._seed, epoch, number + 1])
            self._order = torch.from_numpy(rng.permutation(len(self._window_scenes)))
        return window, slice(offset, offset + self._batch)

    def close(self) -> None:
        """Ends the reading ahead."""
        self._reader.shutdown(cancel_futures=True)

    def _read(self, window: Window) -> Batch:
        if self._windows == 1:
            if self._everything is None:
                self._everything = self._scenes(self._chunks(window))
            return self._everything
        follows = Window(window.epoch, window.number + 1)
        if follows.number == self._windows:
            follows = Window(window.epoch + 1, 0)
        self._ahead = {
            w: self._ahead.get(w) or self._reader.submit(self._scenes, self._chunks(w))
            for w in (window, follows)
        }
        return self._ahead[window].result()

    def _chunks(self, window: Window) -> list[int]:
        """Returns the chunks of a window, sorted; a last chunk that is not full stays the last."""
        if self._windows == 1:
            return list(range(-(-self.rows // CHUNK_ROWS)))
        full, part = divmod(self.rows, CHUNK_ROWS)
        rng = np.random.default_rng([self._seed, window.epoch, 0])
        order = [*rng.permutation(full).tolist(), *([full] if part else [])]
        count = self._window_rows // CHUNK_ROWS
        return sorted(order[window.number * count : (window.number + 1) * count])

    def _read_to_device(self) -> Batch:
        """Copies the file to the device piece by piece, so that the host never holds all of it."""
        chunks = range(-(-self.rows // CHUNK_ROWS))
        shape = (self.rows, self._size, self._size)
        try:
            images = torch.empty((*shape, 3), dtype=torch.uint8, device=self._device)
            segmentation = None
            if "segmentation" in self._keys:
                segmentation = torch.empty(shape, dtype=torch.uint8, device=self._device)
        except RuntimeError as error:
            raise CommandError(
                f"{self._file.path}: {math.prod(shape) * 3 / 1e9:,.1f} GB of images do not fit on "
                f"the {self._device.type}; --data.cache host reads them as they are needed"
            ) from error
        for start in range(0, len(chunks), PIECE_CHUNKS):
            piece = self._scenes(chunks[start : start + PIECE_CHUNKS])
            rows = slice(start * CHUNK_ROWS, start * CHUNK_ROWS + len(piece))
            images[rows] = piece.images.to(self._device)
            if segmentation is not None and piece.segmentation is not None:
                segmentation[rows] = piece.segmentation.to(self._device)
        return Batch(images, segmentation)

    def _scenes(self, chunks: list[int] | range) -> Batch:
        arrays = {key: torch.from_numpy(self._pixels(key, chunks)) for key in self._keys}
        return Batch(arrays["image"], arrays.get("segmentation"))

    def _pixels(self, key: str, chunks: list[int] | range) -> UInt8[np.ndarray, "N H W *C"]:
        # One call reads neighbouring chunks together.
        labelled = key == "segmentation"
        reduce = segmentation_at if labelled else images_at
        parts, dataset = [], self._file[key]
        start = 0
        for i, chunk in enumerate(chunks):
            if i + 1 < len(chunks) and chunks[i + 1] == chunk + 1 and i - start < CHUNK_ROWS:
                continue
            rows = slice(chunks[start] * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, self.rows))
            values = self._file.segmentation(rows) if labelled else dataset[rows]
            parts.append(reduce(values, self._size))
            start = i + 1
        return np.concatenate(parts)


def fits_on_device(rows: int, size: int, device: torch.device, *, with_segmentation: bool) -> bool:
    """Whether all training scenes fit in half of a GPU's free memory; on a CPU always false.

    Args:
        rows: number of scenes.
        size: side of the model's images.
        device: the GPU or CPU.
        with_segmentation: whether each image's segmentation goes with it.
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return rows * size**2 * (3 + with_segmentation) <= free // 2


@dataclass(frozen=True)
class HeldOut:
    """The scenes kept for scores."""

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"] | None
    """`None` where the file has none."""
    num_background: int


def read_held_out(file: SceneFile, size: int, count: int = HELD_OUT) -> HeldOut:
    """Reads the file's last scenes, `count` of them where it has as many, at the model's size."""
    rows = slice(max(0, file.n - count), file.n)
    labelled = file.has("segmentation")
    return HeldOut(
        images=images_at(file["image"][rows], size),
        segmentation=segmentation_at(file.segmentation(rows), size) if labelled else None,
        num_background=file.num_background,
    )


def check_size(file: SceneFile, size: int) -> None:
    """Refuses a file whose images cannot be averaged down to the model's size.

    Raises:
        UsageError: they are no square, or no multiple of it.
    """
    height, width = file["image"].shape[1:3]
    if height != width or height % size:
        pixels = str(height) if height == width else f"{height} x {width}"
        raise UsageError(
            f"{file.path}: images of {pixels} pixels cannot be averaged down to the model's "
            f"{size}; {way_to(size)}"
        )


def noise(seed: int, step: int, *shape: int) -> Float[Tensor, "*shape"]:
    """Returns a step's unit Gaussian noise, which depends on seed and step alone."""
    # NumPy's generator, since torch's reads only the lower 32 bits of its seed.
    rng = np.random.default_rng([seed, step])
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
