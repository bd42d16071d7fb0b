"""Checksums cover what scenes are and how they were drawn, apart, and nothing else."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.benchmarks.content import PIXELS, digests
from scenes.file.reader import SceneFile


@pytest.fixture
def copy(sprites: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sprites, tmp_path / "copy.h5"))


def test_the_first_rows_alone_count(sprites: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["image"][64] += 1
    with SceneFile(sprites) as one, SceneFile(copy) as other:
        assert digests(one, 64) == digests(other, 64)
        assert digests(one, 65) != digests(other, 65)


def test_a_field_is_a_factor_or_drawn(sprites: Path, copy: Path) -> None:
    with SceneFile(sprites) as file:
        before, keys = digests(file, 320), file.keys()
    assert "factors/x" in keys
    for key in keys:
        with h5py.File(copy, "r+") as file:
            stored = file[key][7]
            file[key][7] = ~stored if stored.dtype == bool else stored + 1
        with SceneFile(copy) as file:
            found = digests(file, 320)
        assert (found.factors == before.factors) == (key in PIXELS), key
        assert (found.pixels == before.pixels) == (key not in PIXELS), key
        with h5py.File(copy, "r+") as file:
            file[key][7] = stored


def test_the_last_bit_of_a_factor_counts(sprites: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        value = file["factors/x"][3, 0]
        file["factors/x"][3, 0] = np.nextafter(value, np.float32(2))
    with SceneFile(sprites) as one, SceneFile(copy) as other:
        assert digests(one, 320).factors != digests(other, 320).factors


def test_names_of_codes_and_entities_count_and_attributes_do_not(copy: Path) -> None:
    with SceneFile(copy) as file:
        before = digests(file, 320)
    with h5py.File(copy, "r+") as file:
        file.attrs["version"] = "9.9.9"
    with SceneFile(copy) as file:
        assert digests(file, 320) == before
    with h5py.File(copy, "r+") as file:
        names = file["factors/shape"].attrs["categories"]
        file["factors/shape"].attrs["categories"] = names[::-1]
    with SceneFile(copy) as file:
        assert digests(file, 320).factors != before.factors
