"""Tar files of the webdataset convention as scenes: members that share a key are one sample.

Members are read one after the other and never written anywhere. Their headers are read here, since
Python's tarfile ends in silence at a damaged one, and keeps every member that it has passed.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scenes.formats.packed import DAMAGE, unpacked
from scenes.formats.readers.sample_reader import Sample, SampleReader
from scenes.formats.records import RecordError
from scenes.serialise import parse_json

BLOCK_BYTES = 512
MOST_MEMBER_BYTES = 64 << 20
MOST_HEADER_BYTES = 1 << 16
"""Of a name that has a block of its own."""
MOST_JSON_BYTES = 1 << 20
MOST_MEMBERS = 512
"""Of one sample."""
PICTURES = ("png", "jpg", "jpeg", "webp")
IMAGES = (*PICTURES, *(f"{name}.{kind}" for name in ("image", "img") for kind in PICTURES))
MASKS = ("segmentation.png", "mask.png", "seg.png", "label.png")
JSON = "json"
LONG_NAME, PAX, PAX_OF_ALL, LONG_LINK = b"L", b"x", b"g", b"K"
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)

Member = tuple[str, bytes]
"""Name and content."""


def is_tar(head: bytes) -> bool:
    """Whether a file's first block is the header of a tar's first member."""
    if len(head) < BLOCK_BYTES or head[257:262] != b"ustar":
        return False
    try:
        _header(head[:BLOCK_BYTES])
    except ValueError:
        return False
    return True


def open_tar(path: Path) -> SampleReader:
    """Returns a reader of a tar file, plain or gzipped.

    Raises:
        RecordError: its first sample cannot be read.
    """
    return SampleReader(path, "tar", partial(_samples, path))


def _samples(path: Path, start: int) -> Iterator[Sample]:
    number = 0
    try:
        for key, members in _groups(path):
            if number >= start:
                yield _sample(key, members)
            number += 1
    except DAMAGE as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{path}: record {number}: {error}", number) from error


def _groups(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yields the members of each sample by what follows their key."""
    key, members, size = "", dict[str, bytes](), 0
    with unpacked(path, is_tar) as stream:
        for name, content in _members(stream):
            folder, _, last = name.rpartition("/")
            if last.startswith("."):  # as webdataset has it: no key
                continue
            stem, _, ending = last.partition(".")
            its_key = posixpath.join(folder, stem)
            if its_key != key and members:
                yield key, members
                members, size = {}, 0
            key, ending = its_key, ending.lower()
            size += len(content)
            if ending in members:
                raise ValueError(f"{name}: twice in one sample")
            if len(members) >= MOST_MEMBERS or size > MOST_MEMBER_BYTES:
                raise ValueError(
                    f"{name}: more than {MOST_MEMBERS} members, or {MOST_MEMBER_BYTES:,} bytes, in "
                    "one sample"
                )
            members[ending] = content
    if members:
        yield key, members


def _sample(key: str, members: dict[str, bytes]) -> Sample:
    image = next((name for name in IMAGES if name in members), None)
    if image is None:
        raise ValueError(f"{key}: no picture ({', '.join(PICTURES)}); it has {', '.join(members)}")
    mask = next((name for name in MASKS if name in members), None)
    masks: bytes | list[bytes] | None = None if mask is None else members[mask]
    numbered = sorted(name for name in members if _number_of_mask(name) is not None)
    if mask is None and numbered:
        masks = [members[name] for name in sorted(numbered, key=lambda n: _number_of_mask(n) or 0)]
    features: dict[str, np.ndarray] = {}
    unread: list[str] = []
    if JSON in members:
        if len(members[JSON]) > MOST_JSON_BYTES:
            raise ValueError(f"{key}.json: more than {MOST_JSON_BYTES:,} bytes")
        try:
            whole = parse_json(members[JSON].decode())
        except ValueError as error:
            raise ValueError(f"{key}.json: {error}") from error
        _collect("", whole, features, unread)
    used = {image, mask, JSON, *(numbered if mask is None else ())}
    unread += [name for name in members if name not in used]
    return Sample(members[image], masks, features, tuple(unread), key)


def _number_of_mask(name: str) -> int | None:
    """Returns the number of one object's mask, such as 3 of `mask.3.png`; `None` if it is none."""
    words = name.replace("_", ".").split(".")
    if len(words) == 3 and words[0] in ("mask", "masks") and words[2] == "png":
        return int(words[1]) if words[1].isascii() and words[1].isdigit() else None
    return None


def _collect(name: str, value: Any, features: dict[str, np.ndarray], unread: list[str]) -> None:
    """Adds the numbers of a JSON object, those inside another as `NAME/KEY`; names what is none."""
    if isinstance(value, dict):
        for key, inside in value.items():
            _collect(f"{name}/{key}" if name else str(key), inside, features, unread)
        return
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(None)
    if array.dtype.kind in "biuf":
        features[name] = array
    else:
        unread.append(name or JSON)


def _members(stream: io.BufferedIOBase) -> Iterator[Member]:
    """Yields the files of a tar.

    Raises:
        ValueError: a member is a link, a device or the like, its name leads elsewhere, or the tar
            is damaged.
        EOFError: it is cut short.
    """
    longer: dict[str, str] = {}
    while True:
        block = stream.read(BLOCK_BYTES)
        if block == bytes(BLOCK_BYTES):
            return
        if len(block) < BLOCK_BYTES:
            raise EOFError("cut short: a tar ends with blocks of zeros")
        member = _header(block)
        size = int(longer.get("size", member.size))
        if member.type in (PAX, PAX_OF_ALL, LONG_NAME, LONG_LINK):
            content = _content(stream, member.size, MOST_HEADER_BYTES, "a long name")
            if member.type == LONG_NAME:
                longer["path"] = content.rstrip(b"\0").decode(errors="surrogateescape")
            elif member.type == PAX:
                longer |= _pax(content)
            continue
        name = longer.get("path", member.name)
        longer = {}
        if member.isdir():
            continue
        if member.type not in REGULAR:
            raise ValueError(f"{name}: no regular file; links and devices are not read")
        if name.startswith("/") or ".." in name.split("/") or "\0" in name:
            raise ValueError(f"{name}: a name that leads elsewhere")
        yield name, _content(stream, size, MOST_MEMBER_BYTES, name)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise ValueError(f"a damaged header: {error}") from error


def _content(stream: io.BufferedIOBase, size: int, most: int, name: str) -> bytes:
    if not 0 <= size <= most:
        raise ValueError(f"{name}: declares {size:,} bytes; at most {most:,} are read")
    padded = -(-size // BLOCK_BYTES) * BLOCK_BYTES
    content = stream.read(padded)
    if len(content) < padded:
        raise EOFError(f"cut short in {name}")
    return content[:size]


def _pax(content: bytes) -> dict[str, str]:
    """Returns the long name, or the size, of the next member; of times and owners nothing.

    Raises:
        ValueError: the records are damaged.
    """
    told = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) + 2 < int(length) <= len(content):
            raise ValueError("a damaged header: its records have wrong lengths")
        record, content = content[len(length) + 1 : int(length)], content[int(length) :]
        key, equals, value = record.rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size") and equals:
            told[key.decode()] = value.decode(errors="surrogateescape")
        if key.startswith(b"GNU.sparse"):
            raise ValueError("a sparse file, which is not read")
    if not told.get("size", "0").isdigit():
        raise ValueError("a damaged header: its size is no number")
    return told
