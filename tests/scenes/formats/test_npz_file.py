import io
import os
import re
import zipfile

import numpy as np
import pytest
from fuzzing import MUTATED, NEVER, Target, check
from numpy.lib import format as npy
from scenes.formats.npz_file import NpzFile

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def read(path):
    with NpzFile.open(path) as file:
        return file.read("imgs", (2, 3, 4), "|u1")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("values", [VALUES, np.asfortranarray(VALUES)])
def test_an_array_comes_back(tmp_path, save, values):
    save(tmp_path / "a.npz", imgs=values, other=np.zeros(3))
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), VALUES)
    with NpzFile.open(tmp_path / "a.npz") as file:
        assert file.lacks(("imgs", "classes")) == ["classes"]


def write(path, shape, content):
    """An npz whose header says what it likes."""
    header = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, fields)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imgs.npy", header.getvalue() + content)


@pytest.mark.parametrize(
    ("shape", "content", "said"),
    [
        ((10**9, 64, 64), b"", "imgs: expected (2, 3, 4) uint8, got (1000000000, 64, 64) uint8"),
        ((-1,), b"", "imgs: expected (2, 3, 4) uint8, got (-1,) uint8"),
        ((2, 3, 4), bytes(23), "imgs: not as long as its header says"),
        ((2, 3, 4), bytes(25), "imgs: not as long as its header says"),
    ],
)
def test_a_lying_header_is_refused_before_anything_is_allocated(tmp_path, shape, content, said):
    path = tmp_path / "a.npz"
    write(path, shape, content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {said}")):
        read(path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_never_loaded(tmp_path):
    path, sprung = tmp_path / "a.npz", tmp_path / "sprung"
    np.savez(path, imgs=np.array([Trap(sprung)], dtype=object))
    with pytest.raises(ValueError, match=re.escape(f"{path}: imgs: expected (2, 3, 4) uint8")):
        read(path)
    assert not sprung.exists()


def test_what_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    for content in (b"", b"no npz", b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(f"{path}: ")):
            read(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=re.escape(f"{path}: a pipe, not a file")):
        read(path)


@pytest.mark.slow
def test_damage(tmp_path, promise):
    targets = []
    for name, save in (("stored", np.savez), ("compressed", np.savez_compressed)):
        content = io.BytesIO()
        save(content, imgs=VALUES)
        targets.append(Target(name, content.getvalue(), ".npz", read))
    cases = check(targets, tmp_path, cases=1000)
    promise("Damaged npz files crash or hang nothing", MUTATED, cases, NEVER)
