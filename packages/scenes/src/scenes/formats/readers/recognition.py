"""The table of formats that are read, each told from a file's first bytes, not from its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.formats.multi_object_datasets import LayoutReader, first_record
from scenes.formats.packed import DAMAGE, HEAD_BYTES, is_gzip, is_zlib, unpacked
from scenes.formats.readers.array_reader import FloatRange
from scenes.formats.readers.encoded_scene import is_picture
from scenes.formats.readers.encoded_tfrecord import has_pictures, open_encoded
from scenes.formats.readers.numpy_files import open_npy, open_npz
from scenes.formats.readers.object_centric_hdf5 import open_object_centric
from scenes.formats.readers.tar_shards import is_tar, open_tar
from scenes.formats.records import Reader, RecordError
from scenes.formats.tfrecord import is_header
from scenes.regular_files import open_regular

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048)
"""Where HDF5 may begin, behind a block of the user's."""


@dataclass(frozen=True)
class Format:
    """One row of the table."""

    name: str
    is_of: Callable[[bytes], bool]
    """Whether a file, unpacked if it is packed, begins so."""
    open: Callable[[Path, FloatRange | None], Reader]
    """Opens a reader; raises `RecordError` where the first record cannot be read."""
    packed: bool = False
    """Whether the file may be packed as a whole."""


def _open_tfrecord(path: Path, _: FloatRange | None) -> Reader:
    return open_encoded(path) if has_pictures(first_record(path)) else LayoutReader(path)


def _open_parquet(path: Path, _: FloatRange | None) -> Reader:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise UsageError(
            f"{path}: Parquet is read by pyarrow: pip install 'scenes[parquet]'"
        ) from None
    from scenes.formats.readers.parquet import open_parquet

    return open_parquet(path)


TFRECORD = Format("TFRecord", is_header, _open_tfrecord, packed=True)
FORMATS = (
    Format("Parquet", lambda head: head[:4] == b"PAR1", _open_parquet),
    Format(
        "object-centric-library's HDF5",
        lambda head: any(head[at : at + 8] == HDF5_MAGIC for at in HDF5_PLACES),
        open_object_centric,
    ),
    Format("npz", lambda head: head[:4] == b"PK\x03\x04", open_npz),
    Format("npy", lambda head: head[:6] == b"\x93NUMPY", open_npy),
    Format("tar", is_tar, lambda path, _: open_tar(path), packed=True),
    TFRECORD,
)
"""Every format, in the order in which they are tried."""


def format_of(path: Path) -> Format:
    """Returns a file's format.

    A file that begins as none does is taken for a TFRecord where its name says so, or where it is
    packed: the reader then says what is wrong with it.

    Raises:
        RecordError: it is of none.
        ValueError: it is no regular file.
        OSError: it cannot be opened.
    """
    with open_regular(path) as file:
        head = file.read(HDF5_PLACES[-1] + len(HDF5_MAGIC))
    for form in FORMATS:
        if form.is_of(head):
            return form
    packed = is_gzip(head) or is_zlib(head)
    if packed:
        inside = _unpacked_head(path)
        for form in FORMATS:
            if form.packed and form.is_of(inside):
                return form
    if packed or ".tfrecord" in path.name:
        return TFRECORD
    if is_picture(head):
        raise RecordError(f"{path}: a picture; scenes images reads folders of them")
    names = ", ".join(form.name for form in FORMATS)
    raise RecordError(f"{path}: of none of the formats that are read: {names}")


def open_reader(path: Path, float_range: FloatRange | None = None) -> Reader:
    """Opens a file of any of the formats.

    Args:
        path: the file.
        float_range: what is black and what is white in images of floats.

    Raises:
        RecordError: it is of none, or its first record cannot be read.
        OSError: it cannot be opened.
    """
    return format_of(path).open(path, float_range)


def _unpacked_head(path: Path) -> bytes:
    try:
        with unpacked(path, lambda _: False) as stream:
            return stream.read(HEAD_BYTES)
    except DAMAGE:
        return b""
