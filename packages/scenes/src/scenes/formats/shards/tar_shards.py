"""Shards as tar, which `webdataset` iterates.

Of each scene there are `KEY.image.png`, `KEY.segmentation.png`, `KEY.depth.npy`, `KEY.amodal.npy`
(those that it has) and `KEY.json`, with every other field by its HDF5 key; KEY is the number of its
row. Headers say nothing of who wrote them, or when: the same scenes give the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scenes.formats.shards import png
from scenes.formats.shards.form import PNG_KEYS
from scenes.formats.shards.manifest import Manifest
from scenes.regular_files import open_regular
from scenes.scene import Field
from scenes.serialise import parse_json

NPY_KEYS = ("depth", "amodal")
"""Fields with a value for each pixel that are no image of bytes."""
END = bytes(2 * tarfile.BLOCKSIZE)
"""Two empty blocks end a tar."""


class TarShards:
    """Tar shards of a split.

    Args:
        manifest: of the split.
    """

    made_with: Mapping[str, str] = png.MADE_WITH

    def __init__(self, manifest: Manifest) -> None:
        self._fields = manifest.fields
        self._plain = [key for key in self._fields if key not in PNG_KEYS + NPY_KEYS]

    def encode(self, rows: Mapping[str, np.ndarray], start: int) -> bytes:
        """Returns rows as a piece of a tar."""
        plain = {key: _plain(key, rows[key], start) for key in self._plain}
        members = []
        for place in range(len(rows["image"])):
            name = f"{start + place:09d}"
            for key in self._fields:
                if key in PNG_KEYS:
                    members.append(_member(f"{name}.{key}.png", png.encode_png(rows[key][place])))
                elif key in NPY_KEYS:
                    members.append(_member(f"{name}.{key}.npy", _npy(rows[key][place])))
            values = {key: plain[key][place] for key in self._plain}
            text = json.dumps(values, separators=(",", ":"), allow_nan=False)
            members.append(_member(f"{name}.json", text.encode()))
        return b"".join(members)

    @contextmanager
    def writing(self, stream: BinaryIO) -> Iterator[Callable[[bytes], object]]:
        """Begins a shard, and ends it when all is written."""
        yield stream.write
        stream.write(END)

    def read(self, path: Path, number: int) -> dict[str, np.ndarray]:
        """Returns a row of a shard, all fields by HDF5 key."""
        with open_regular(path) as stream:
            try:
                members = _members(stream, number)
                values = parse_json(members["json"].decode())
                return {
                    key: _value(key, field, members, values) for key, field in self._fields.items()
                }
            except (tarfile.TarError, KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{path}: {error!r}") from error


def _plain(key: str, values: np.ndarray, start: int) -> list[Any]:
    """Returns rows of numbers as JSON has them: NaN, which it has not, becomes null.

    Raises:
        ValueError: one is infinite.
    """
    if values.dtype.kind != "f" or np.isfinite(values).all():
        listed: list[Any] = values.tolist()
        return listed
    for row in np.flatnonzero(np.isinf(values.reshape(len(values), -1)).any(axis=1))[:1]:
        raise ValueError(f"{key}: row {start + row}: an infinite number, which JSON does not have")
    with_nulls = values.astype(object)
    with_nulls[np.isnan(values)] = None
    return list(with_nulls.tolist())


def _npy(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def _member(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    padding = bytes(-len(content) % tarfile.BLOCKSIZE)
    return header.tobuf(tarfile.USTAR_FORMAT) + content + padding


def _members(stream: BinaryIO, number: int) -> dict[str, bytes]:
    """Returns the files of the scene at a place in a shard, by what follows its key."""
    keys: list[str] = []
    members = {}
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            key, _, kind = member.name.partition(".")
            if keys[-1:] != [key]:
                keys.append(key)
            if len(keys) > number + 1:
                break
            if len(keys) == number + 1 and (content := tar.extractfile(member)) is not None:
                members[kind] = content.read()
    return members


def _value(
    key: str, field: Field, members: Mapping[str, bytes], values: Mapping[str, Any]
) -> np.ndarray:
    if key in PNG_KEYS:
        return png.decode_png(members[f"{key}.png"]).reshape(field.shape)
    if key in NPY_KEYS:
        content = io.BytesIO(members[f"{key}.npy"])
        return np.lib.format.read_array(content, allow_pickle=False).reshape(field.shape)
    return np.array(values[key], dtype=field.dtype).reshape(field.shape)
