"""TFRecord files of protobuf Examples, plain or packed by gzip or zlib, without TensorFlow.

The package `tfrecord` brings lists of numbers and the masked checksum. Its own reader verifies no
checksum, bounds no length, numbers no record and unpacks a gzipped file twice, so framing and
messages are read here.
"""

from __future__ import annotations

import io
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from scenes.formats.packed import DAMAGE, unpacked
from scenes.formats.records import RecordError

HEADER_BYTES = 12
"""Of a record: its length, and the length's checksum."""
BYTE_TAG = b"\x0a\x01"
"""Protobuf's tag and length before each one-byte string of a BytesList."""
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3
"""Numbers of the fields of a Feature."""
MAX_RECORD_BYTES = 1 << 26
"""More than the largest layout has: 240 x 320 pixels, 255 masks and an image, 3 bytes for each."""
MAX_FEATURES = 64
MAX_STRINGS = 4096
MAX_FIELDS = 1 << 16
MAX_NUMBERS_BYTES = 1 << 16
"""255 entities of three numbers take 7,650 at most."""


def is_header(head: bytes) -> bool:
    """Whether bytes begin as a record does: with a length, and the checksum of it."""
    return len(head) >= HEADER_BYTES and head[8:HEADER_BYTES] == _checksum(head[:8])


def read_records(path: Path) -> Iterator[bytes]:
    """Yields the records of a file, checksums verified.

    Raises:
        RecordError: the file ends inside a record, or a checksum is wrong.
        OSError: the file cannot be opened.
    """
    number = 0
    with unpacked(path, is_header) as file:
        while True:
            try:
                record = _next_record(file)
            except DAMAGE as error:
                raise RecordError(f"{path}: record {number}: {error}", number) from error
            if record is None:
                return
            yield record
            number += 1


def write_record(file: io.BufferedIOBase, record: bytes) -> None:
    """Appends one record, framed and with checksums."""
    length = struct.pack("<Q", len(record))
    file.write(length + _checksum(length))
    file.write(record + _checksum(record))


def decode(record: bytes) -> dict[str, np.ndarray]:
    """Returns an Example's features: bytes as uint8, floats as float32, integers as int64.

    A list of byte strings is joined, whether it holds one string or one for each element: an image
    and its masks are 40,000 one-byte strings, of which protobuf would make as many objects.

    Raises:
        ValueError: the record is no Example.
    """
    try:
        return {key: _values(feature) for key, feature in _features(record).items()}
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an Example: {error}") from error


def decode_strings(record: bytes, key: str) -> list[bytes]:
    """Returns the byte strings of one of an Example's features, each by itself.

    Raises:
        ValueError: the record is no Example, the feature is none of strings, or has very many.
    """
    try:
        number, content = _list_of(_features(record).get(key, memoryview(b"")))
        if number != BYTES_LIST:
            raise ValueError(f"{key}: numbers, not bytes")
        strings = [bytes(part) for part in islice(_parts(content, 1), MAX_STRINGS + 1)]
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an Example: {error}") from error
    if len(strings) > MAX_STRINGS:
        raise ValueError(f"{key}: more than {MAX_STRINGS:,} strings")
    return strings


def _features(record: bytes) -> dict[str, memoryview]:
    """Returns an Example's features by name, not decoded yet."""
    found: dict[str, memoryview] = {}
    for features in _parts(memoryview(record), 1):
        for entry in _parts(features, 1):
            key = "".join(str(name, "utf-8") for name in _parts(entry, 1))
            if len(found) >= MAX_FEATURES:
                raise ValueError(f"more than {MAX_FEATURES} features")
            for feature in _parts(entry, 2):
                found[key] = feature
    return found


def encode(values: Mapping[str, np.ndarray]) -> bytes:
    """Returns an Example: uint8 as one-byte strings, floats as floats, integers as integers."""
    example_pb2 = _package()[0]
    entries = []
    for key in sorted(values):
        flat = np.asarray(values[key]).ravel()
        if flat.dtype == np.uint8:
            wire = np.empty((flat.size, 3), dtype=np.uint8)
            wire[:, :2] = np.frombuffer(BYTE_TAG, dtype=np.uint8)
            wire[:, 2] = flat
            number, content = BYTES_LIST, wire.tobytes()
        elif np.issubdtype(flat.dtype, np.floating):
            number = FLOAT_LIST
            content = example_pb2.FloatList(value=flat).SerializeToString()
        else:
            number = INT64_LIST
            content = example_pb2.Int64List(value=flat).SerializeToString()
        feature = _part(number, content)
        entries.append(_part(1, _part(1, key.encode()) + _part(2, feature)))
    return _part(1, b"".join(entries))


def _parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yields the content of each field of a protobuf message that has one number.

    Raises:
        DecodeError: it is no message, or the field holds a number rather than bytes.
    """
    for number, content in _fields(message):
        if number == wanted:
            yield content


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields number and content of each field that holds bytes; other fields are passed over."""
    place = 0
    for _ in range(MAX_FIELDS):
        if place == len(message):
            return
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, place = _varint(message, place)
            continue
        if kind not in _LENGTHS:
            raise DecodeError(f"a field of the unknown kind {kind}")
        length, start = _varint(message, place) if kind == 2 else (_LENGTHS[kind], place)
        place = start + length
        if place > len(message):
            raise DecodeError(f"a field of {length} bytes, where {len(message) - start} are left")
        if kind == 2:
            yield number, message[start:place]
    raise DecodeError(f"more than {MAX_FIELDS:,} fields")


_LENGTHS = {1: 8, 2: 0, 5: 4}
"""Bytes of a field by its kind in protobuf's wire format; those of kind 2 say it themselves."""


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns the number at a place, and the place behind it."""
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(message):
            raise DecodeError("cut short in a number")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise DecodeError("a number of more than 64 bits")


def _part(number: int, content: bytes) -> bytes:
    """Returns a field that holds bytes."""
    length, size = len(content), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + size + content


def _list_of(feature: memoryview) -> tuple[int, memoryview]:
    """Returns the kind and the content of a feature's list: of several the last, as in protobuf."""
    last = deque(_fields(feature), maxlen=1)
    return last.pop() if last else (BYTES_LIST, memoryview(b""))


def _values(feature: memoryview) -> np.ndarray:
    example_pb2 = _package()[0]
    number, content = _list_of(feature)
    if number == BYTES_LIST:
        return _joined(content)
    if number not in (FLOAT_LIST, INT64_LIST):
        raise ValueError(f"a feature of the unknown kind {number}")
    if len(content) > MAX_NUMBERS_BYTES:
        raise ValueError(
            f"a list of numbers of {len(content):,} bytes; at most {MAX_NUMBERS_BYTES:,} are read"
        )
    if number == FLOAT_LIST:
        floats = example_pb2.FloatList.FromString(content.tobytes()).value
        return np.array(floats, dtype=np.float32)
    integers = example_pb2.Int64List.FromString(content.tobytes()).value
    return np.array(integers, dtype=np.int64)


def _joined(content: memoryview) -> np.ndarray:
    wire = np.frombuffer(content, dtype=np.uint8)
    if wire.size % 3 == 0:
        triples = wire.reshape(-1, 3)
        if (triples[:, 0] == BYTE_TAG[0]).all() and (triples[:, 1] == BYTE_TAG[1]).all():
            return triples[:, 2].copy()
    strings = bytearray()
    for string in _parts(content, 1):
        strings += string
    return np.frombuffer(strings, dtype=np.uint8)


def _next_record(file: io.BufferedIOBase) -> bytes | None:
    """Returns the next record, or `None` at a proper end."""
    header = file.read(HEADER_BYTES)
    if not header:
        return None
    if len(header) < HEADER_BYTES:
        raise EOFError("cut short in its header")
    if not is_header(header):
        raise ValueError("wrong checksum of its length: corrupt, or no TFRecord file")
    (length,) = struct.unpack("<Q", header[:8])
    if length > MAX_RECORD_BYTES:
        raise ValueError(f"claims {length:,} bytes; at most {MAX_RECORD_BYTES:,} are read")
    record = file.read(length + 4)
    if len(record) < length + 4:
        raise EOFError(f"cut short after {len(record)} of {length + 4} bytes")
    if record[length:] != _checksum(record[:length]):
        raise ValueError("wrong checksum of its data: corrupt")
    return record[:length]


def _checksum(data: bytes) -> bytes:
    return _package()[1](data)


@cache
def _package() -> tuple[Any, Callable[[bytes], bytes]]:
    """Returns the messages of numbers and the masked checksum of the package `tfrecord`.

    Where torch is installed the package loads it, which takes seconds, unless that import fails.
    """
    if "tfrecord" in sys.modules:
        return _parts_of_package()
    sys.modules["tfrecord.torch"] = None  # type: ignore[assignment]  # makes that import fail
    try:
        return _parts_of_package()
    finally:
        del sys.modules["tfrecord.torch"]


def _parts_of_package() -> tuple[Any, Callable[[bytes], bytes]]:
    from tfrecord import example_pb2
    from tfrecord.writer import TFRecordWriter

    return example_pb2, TFRecordWriter.masked_crc
