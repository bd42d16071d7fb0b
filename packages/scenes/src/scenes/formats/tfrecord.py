"""TFRecord files of protobuf Examples, plain or gzipped, without TensorFlow.

The package `tfrecord` brings the Example message and the masked checksum. Its own reader verifies
no checksum, numbers no record and unpacks a gzipped file twice, so the framing is read here.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from scenes.progress import counting

GZIP_MAGIC = b"\x1f\x8b"
BYTE_TAG = b"\x0a\x01"
"""Protobuf's tag and length before each one-byte string of a BytesList."""
MAX_RECORD_BYTES = 1 << 30


class RecordError(ValueError):
    """A record cannot be read; the message starts with the file and the record's number."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


def read_records(path: Path) -> Iterator[bytes]:
    """Yields the records of a file, checksums verified.

    Raises:
        RecordError: the file ends inside a record, or a checksum is wrong.
        OSError: the file cannot be opened.
    """
    number = 0
    with _open(path) as file:
        while True:
            try:
                record = _next_record(file)
            except (EOFError, OSError, zlib.error, ValueError) as error:
                raise RecordError(f"{path}: record {number}: {error}", number) from error
            if record is None:
                return
            yield record
            number += 1


def scan(
    path: Path, wanted: Callable[[bytes], bool] | None = None
) -> tuple[int, RecordError | None]:
    """Returns how many records can be read, and what is wrong with the next one, if anything.

    Args:
        path: the file.
        wanted: says which records count, all by default; a KeyError or ValueError of it is
            something wrong with the record.
    """
    count = 0
    try:
        with counting("counting records") as advance:
            for number, record in enumerate(read_records(path)):
                try:
                    count += wanted is None or wanted(record)
                except (KeyError, ValueError) as error:
                    raise RecordError(f"{path}: record {number}: {error}", number) from error
                advance(1)
    except RecordError as error:
        return count, error
    return count, None


def write_record(file: io.BufferedIOBase, record: bytes) -> None:
    """Appends one record, framed and with checksums."""
    length = struct.pack("<Q", len(record))
    file.write(length + _checksum(length))
    file.write(record + _checksum(record))


class RecordCursor:
    """Records by number over a stream that only goes forward.

    Asking in rising order reads the file once; asking for an earlier record opens it again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = read_records(path)
        self._next = 0

    def __getitem__(self, index: int) -> bytes:
        """Returns record `index`.

        Raises:
            RecordError: it, or one before it, cannot be read.
            IndexError: the file has fewer records.
        """
        if index < self._next:
            self._records = read_records(self._path)
            self._next = 0
        for record in self._records:
            self._next += 1
            if self._next > index:
                return record
        raise IndexError(f"{self._path}: record {index}: there are only {self._next}")


def decode(record: bytes) -> dict[str, np.ndarray]:
    """Returns an Example's features: bytes as uint8, floats as float32, integers as int64.

    A list of byte strings is joined, whether it holds one string or one for each element.

    Raises:
        ValueError: the record is no Example.
    """
    try:
        entries = _RawExample.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(f"not an Example: {error}") from error
    return {entry.key: _values(entry.value) for entry in entries}


def encode(values: Mapping[str, np.ndarray]) -> bytes:
    """Returns an Example: uint8 as one-byte strings, floats as floats, integers as integers."""
    from tfrecord import example_pb2

    example = _RawExample()
    for key in sorted(values):
        flat = np.asarray(values[key]).ravel()
        entry = example.features.feature.add(key=key)
        if flat.dtype == np.uint8:
            wire = np.empty((flat.size, 3), dtype=np.uint8)
            wire[:, :2] = np.frombuffer(BYTE_TAG, dtype=np.uint8)
            wire[:, 2] = flat
            entry.value.bytes_list = wire.tobytes()
        elif np.issubdtype(flat.dtype, np.floating):
            entry.value.float_list = example_pb2.FloatList(value=flat).SerializeToString()
        else:
            entry.value.int64_list = example_pb2.Int64List(value=flat).SerializeToString()
    return example.SerializeToString()


def _raw_example() -> Any:
    """Returns a message like Example, on the wire too, but with each list left unparsed.

    An image and its masks are 40,000 one-byte strings; parsing each took 1.2 ms a record.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="scenes_raw_example.proto", package="scenes_raw", syntax="proto2"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    messages = {
        "Feature": [
            ("bytes_list", kinds.TYPE_BYTES, ""),
            ("float_list", kinds.TYPE_BYTES, ""),
            ("int64_list", kinds.TYPE_BYTES, ""),
        ],
        "Entry": [("key", kinds.TYPE_STRING, ""), ("value", kinds.TYPE_MESSAGE, "Feature")],
        "Features": [("feature", kinds.TYPE_MESSAGE, "Entry")],
        "Example": [("features", kinds.TYPE_MESSAGE, "Features")],
    }
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (key, kind, of) in enumerate(fields, start=1):
            label = kinds.LABEL_REPEATED if of == "Entry" else kinds.LABEL_OPTIONAL
            field = message.field.add(name=key, number=number, type=kind, label=label)
            if of:
                field.type_name = f".scenes_raw.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("scenes_raw.Example"))


_RawExample = _raw_example()


def _values(feature: Any) -> np.ndarray:
    from tfrecord import example_pb2

    if feature.HasField("float_list"):
        values = example_pb2.FloatList.FromString(feature.float_list).value
        return np.array(values, dtype=np.float32)
    if feature.HasField("int64_list"):
        values = example_pb2.Int64List.FromString(feature.int64_list).value
        return np.array(values, dtype=np.int64)
    wire = np.frombuffer(feature.bytes_list, dtype=np.uint8)
    if wire.size % 3 == 0:
        triples = wire.reshape(-1, 3)
        if (triples[:, 0] == BYTE_TAG[0]).all() and (triples[:, 1] == BYTE_TAG[1]).all():
            return triples[:, 2].copy()
    strings = example_pb2.BytesList.FromString(feature.bytes_list).value
    return np.frombuffer(b"".join(strings), dtype=np.uint8)


def _open(path: Path) -> io.BufferedIOBase:
    file = path.open("rb")
    if file.peek(2)[:2] != GZIP_MAGIC:
        return file
    file.close()
    return gzip.open(path, "rb")


def _next_record(file: io.BufferedIOBase) -> bytes | None:
    """Returns the next record, or `None` at a proper end."""
    header = file.read(12)
    if not header:
        return None
    if len(header) < 12:
        raise EOFError("cut short in its header")
    if header[8:] != _checksum(header[:8]):
        raise ValueError("wrong checksum of its length: corrupt, or no TFRecord file")
    (length,) = struct.unpack("<Q", header[:8])
    if length > MAX_RECORD_BYTES:
        raise ValueError(f"claims {length} bytes")
    record = file.read(length + 4)
    if len(record) < length + 4:
        raise EOFError(f"cut short after {len(record)} of {length + 4} bytes")
    if record[length:] != _checksum(record[:length]):
        raise ValueError("wrong checksum of its data: corrupt")
    return record[:length]


def _checksum(data: bytes) -> bytes:
    from tfrecord.writer import TFRecordWriter

    return TFRecordWriter.masked_crc(data)
