import gzip
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from scenes.formats.records import RecordError
from scenes.formats.tfrecord import (
    MAX_RECORD_BYTES,
    decode,
    decode_strings,
    encode,
    read_records,
    write_record,
)
from tfrecord.writer import TFRecordWriter

VALUES = {
    "image": np.arange(256, dtype=np.uint8),
    "x": np.array([0.5, -1.25, np.float32(1) / 3], dtype=np.float32),
    "count": np.array([-3, 7], dtype=np.int64),
}


def framed(count):
    stream = io.BytesIO()
    for number in range(count):
        write_record(stream, encode({**VALUES, "number": np.array([number])}))
    return stream.getvalue()


def scan(path):
    """Returns how many records can be read, and what is wrong with the next one."""
    count = 0
    try:
        for _ in read_records(path):
            count += 1
    except RecordError as error:
        return count, error
    return count, None


def numbers(path):
    return [int(decode(record)["number"][0]) for record in read_records(path)]


def test_features_come_back_exactly():
    values = decode(encode(VALUES))
    for key, value in VALUES.items():
        assert values[key].dtype == value.dtype
        np.testing.assert_array_equal(values[key], value)


def test_bytes_stored_as_one_string_are_read_too():
    record = TFRecordWriter.serialize_tf_example({"image": (b"abcdef", "byte")})
    assert decode(record)["image"].tobytes() == b"abcdef"


def test_records_are_those_of_the_package_tfrecord(tmp_path):
    from tfrecord.reader import tfrecord_loader

    path = tmp_path / "a.tfrecords"
    path.write_bytes(framed(3))
    theirs = list(tfrecord_loader(str(path), None))
    assert [int(record["number"][0]) for record in theirs] == [0, 1, 2]
    np.testing.assert_array_equal(theirs[0]["x"], VALUES["x"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress])
def test_plain_gzipped_and_deflated_files_are_read(tmp_path, pack):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(pack(framed(5)))
    assert numbers(path) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("level", range(10))
def test_zlib_of_any_level_is_told_from_its_beginning_and_a_cut_is_noticed(tmp_path, level):
    path = tmp_path / "a.tfrecords"
    packed = zlib.compress(framed(5), level)
    path.write_bytes(packed)
    assert numbers(path) == [0, 1, 2, 3, 4]
    path.write_bytes(packed[:-6])
    assert "cut short in its zlib stream" in str(scan(path)[1])


def test_a_record_whose_length_looks_like_gzip_is_read_plain(tmp_path):
    path = tmp_path / "a.tfrecords"
    for magic in (b"\x1f\x8b", b"\x78\x9c"):
        stream = io.BytesIO()
        write_record(stream, bytes(int.from_bytes(magic, "little")))
        assert stream.getvalue()[:2] == magic
        path.write_bytes(stream.getvalue())
        assert scan(path) == (1, None)


def test_byte_strings_come_one_by_one():
    record = TFRecordWriter.serialize_tf_example({"masks": ([b"ab", b"", b"c"], "byte")})
    assert decode_strings(record, "masks") == [b"ab", b"", b"c"]
    assert decode_strings(record, "none") == []
    with pytest.raises(ValueError, match="x: numbers, not bytes"):
        decode_strings(encode(VALUES), "x")


def test_a_truncated_file_names_the_record_and_keeps_those_before(tmp_path):
    path = tmp_path / "a.tfrecords"
    whole = framed(4)
    path.write_bytes(whole[: len(whole) * 7 // 8])
    count, error = scan(path)
    assert count == 3
    with pytest.raises(RecordError, match=re.escape(f"{path}: record 3: cut short")):
        raise error


def test_a_truncated_gzip_stream_names_the_record(tmp_path):
    path = tmp_path / "a.tfrecords"
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    for _ in range(8):
        write_record(stream, encode({"image": rng.integers(256, size=9000, dtype=np.uint8)}))
    packed = gzip.compress(stream.getvalue())
    path.write_bytes(packed[: len(packed) * 5 // 8])
    count, error = scan(path)
    assert 3 <= count <= 5
    assert str(error).startswith(f"{path}: record {count}: ")


def test_a_flipped_byte_is_a_wrong_checksum(tmp_path):
    path = tmp_path / "a.tfrecords"
    data = bytearray(framed(4))
    data[len(data) // 4 + 40] ^= 1
    path.write_bytes(bytes(data))
    count, error = scan(path)
    assert count == 1
    assert str(error) == f"{path}: record 1: wrong checksum of its data: corrupt"


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(b"not a TFRecord file, but long enough")
    assert "wrong checksum of its length" in str(scan(path)[1])


def test_features_are_those_of_tensorflow_s_messages():
    """`example_pb2` is TensorFlow's own definition; both ways, all three kinds of lists."""
    from tfrecord import example_pb2

    theirs = example_pb2.Example.FromString(encode(VALUES)).features.feature
    assert b"".join(theirs["image"].bytes_list.value) == VALUES["image"].tobytes()
    assert list(theirs["x"].float_list.value) == VALUES["x"].tolist()
    assert list(theirs["count"].int64_list.value) == [-3, 7]
    values = decode(example_pb2.Example.FromString(encode(VALUES)).SerializeToString())
    for key, value in VALUES.items():
        np.testing.assert_array_equal(values[key], value)


def header(length):
    stream = io.BytesIO()
    write_record(stream, b"")
    content = stream.getvalue()[12:]
    size = struct.pack("<Q", length)
    return size + TFRecordWriter.masked_crc(size) + content


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("length", [MAX_RECORD_BYTES + 1, 10**18, 2**64 - 1])
def test_a_record_that_claims_more_than_any_layout_is_refused_unread(tmp_path, pack, length):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(pack(header(length)))
    said = f"{path}: record 0: claims {length:,} bytes; at most 67,108,864 are read"
    assert str(scan(path)[1]) == said


def test_a_gzipped_bomb_is_refused_at_its_first_record(tmp_path):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    assert str(scan(path)[1]).startswith(f"{path}: record 0: wrong checksum of its length")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"\x0a\x05\x0a", "a field of 5 bytes, where 1 are left"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "where 0 are left"),
        (b"\x0b", "unknown kind 3"),
        (b"\xff" * 11, "more than 64 bits"),
        (b"\x08\x01" * (1 << 17), "more than 65,536 fields"),
        (encode({str(i): np.zeros(1, np.uint8) for i in range(65)}), "more than 64 features"),
        (encode({"x": np.zeros(1 << 15, np.float32)}), "a list of numbers of 131,076 bytes"),
        (encode({"x": np.full(1 << 14, 2**60)}), "a list of numbers of 147,4"),
    ],
)
def test_what_is_no_example_or_too_long_for_one_is_refused(record, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        decode(record)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
def test_only_files_are_opened(tmp_path, kind):
    path = tmp_path / "a.tfrecords"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.symlink_to(tmp_path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=re.escape(f"{path}: {kind}, not a file")):
        next(read_records(path))
