"""NumPy's files as scenes: an npz of `images` and masks, or npy files of each; no pickles."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from scenes.formats.npy_stream import NpyArray, StoredArray
from scenes.formats.npz_file import ENDING, NpzFile
from scenes.formats.readers.array_reader import IMAGES, MASKS, ArrayReader, FloatRange
from scenes.formats.records import RecordError
from scenes.regular_files import open_regular

MOST_MEMBERS = 256


def masks_beside(path: Path) -> Path | None:
    """Returns the npy file of masks that belongs to one of images; `None` where there is none.

    It is `masks.npy` or `segmentation.npy` beside `images.npy`, or `NAME_masks.npy` and so on
    beside `NAME.npy` or `NAME_images.npy`.
    """
    beginning = _beginning(path, IMAGES)
    if beginning is None:
        beginning = f"{path.stem}_"
    for word in MASKS:
        other = path.with_name(f"{beginning}{word}{path.suffix}")
        if other != path and other.is_file():
            return other
    return None


def is_masks(path: Path) -> bool:
    """Whether an npy file is the masks of another one in its folder."""
    beginning = _beginning(path, MASKS)
    if beginning is None:
        return False
    names = [f"{beginning}{name}" for name in IMAGES] + [beginning.removesuffix("_")]
    return any(path.with_name(f"{name}{path.suffix}").is_file() for name in names if name)


def _beginning(path: Path, words: Sequence[str]) -> str | None:
    """Returns `NAME_` of a file `NAME_WORD`, and nothing of `WORD`; `None` of other names."""
    for word in words:
        if f"_{path.stem}".endswith(f"_{word}"):
            return path.stem.removesuffix(word)
    return None


def open_npy(path: Path, float_range: FloatRange | None) -> ArrayReader:
    """Returns a reader of an npy file of images, and of the masks beside it, if there are.

    Raises:
        RecordError: it holds no images, or its masks do not suit them.
    """
    arrays: dict[str, StoredArray] = {IMAGES[0]: _array(path)}
    if (masks := masks_beside(path)) is not None:
        arrays[MASKS[1]] = _array(masks)
    return ArrayReader(path, "npy", arrays, float_range=float_range)


def _array(path: Path) -> StoredArray:
    try:
        return NpyArray(partial(open_regular, path))
    except (ValueError, EOFError) as error:
        raise RecordError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def open_npz(path: Path, float_range: FloatRange | None) -> ArrayReader:
    """Returns a reader of an npz file.

    Raises:
        RecordError: it is damaged, holds no images, or arrays that do not suit each other.
    """
    arrays: dict[str, StoredArray] = {}
    unread: list[str] = []
    try:
        with NpzFile.open(path) as file:
            names = file.archive.namelist()
    except ValueError as error:
        raise RecordError(str(error)) from error
    if len(names) > MOST_MEMBERS:
        raise RecordError(f"{path}: {len(names):,} arrays; at most {MOST_MEMBERS} are read")
    for member in names:
        name = member.removesuffix(ENDING)
        try:
            array = NpyArray(partial(_member, path, member))
        except Exception as error:  # of zipfile, zlib and NumPy's header: any
            if name in IMAGES + MASKS:
                raise RecordError(f"{path}: {name}: {error}") from error
            unread.append(name)
            continue
        arrays[name] = array
    image = next((arrays[name] for name in IMAGES if name in arrays), None)
    if image is not None:  # what is no row for each image, such as a version, is not read
        odd = [name for name in arrays if arrays[name].shape[0] != image.shape[0]]
        unread += [name for name in odd if name not in IMAGES + MASKS]
        arrays = {name: arrays[name] for name in arrays if name not in unread}
    return ArrayReader(path, "npz", arrays, float_range=float_range, unread=tuple(unread))


@contextmanager
def _member(path: Path, name: str) -> Iterator[io.BufferedIOBase]:
    content: Any  # a ZipExtFile, which mypy knows as IO[bytes]
    with NpzFile.open(path) as file, file.archive.open(name) as content:
        yield content
