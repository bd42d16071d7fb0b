"""Blocks come in their order, a few at a time, and a value without a place names its file."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scenes.file.checked_rows import CheckedRows
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.formats.shards import encoding
from scenes.formats.shards.encoding import Encoder


class Numbers:
    """A form that makes nothing of its rows; the first blocks take longest."""

    def __init__(self) -> None:
        self.made_with: dict[str, str] = {}
        self.first = threading.Event()

    def encode(self, rows, start):
        if start == 0:
            self.first.wait(5)
        self.first.set()
        return start

    def writing(self, stream):
        raise NotImplementedError

    def read(self, path, number):
        raise NotImplementedError


def test_blocks_come_in_order_and_a_few_are_read_ahead(sprites, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_BYTES", 1)
    with SceneFile(sprites) as file, ThreadPoolExecutor(2) as pool:
        rows = CheckedRows(file)
        read: list[int] = []
        whole = rows.read
        monkeypatch.setattr(rows, "read", lambda a, b: read.append(a) or whole(a, b))
        blocks = Encoder(rows, Numbers(), pool, 1).blocks(range(16, 40))
        assert next(blocks) == (16, 16)
        assert read == [16, 32]
        assert list(blocks) == [(8, 32)]
        assert list(Encoder(rows, Numbers(), pool, 2).blocks(range(40))) == [
            (16, 0),
            (16, 16),
            (8, 32),
        ]


def test_what_a_form_refuses_names_the_file(sprites):
    class Refuses(Numbers):
        def encode(self, rows, start):
            raise ValueError("x: row 3: no place")

    with SceneFile(sprites) as file, ThreadPoolExecutor(1) as pool:
        blocks = Encoder(CheckedRows(file), Refuses(), pool, 1).blocks(range(40))
        with pytest.raises(FileError, match=re.escape(f"{sprites}: x: row 3: no place")):
            next(blocks)


def test_whole_chunks_are_read(sprites):
    with SceneFile(sprites) as file:
        rows = CheckedRows(file)
        assert len(rows.read(32, 48)["image"]) == 8
        np.testing.assert_array_equal(rows.read(16, 32)["image"], file["image"][16:32])
        with pytest.raises(ValueError, match="rows 3 to 16 are not whole chunks of 16"):
            rows.read(3, 16)
