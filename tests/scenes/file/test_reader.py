"""Files: what is written is read, and what is no file of ours is said."""

import copy
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.cli import main
from scenes.driver import build
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig

SPRITES = MultiDSpritesConfig()


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 600 scenes."""
    path = tmp_path_factory.mktemp("file") / "sprites.h5"
    build(SPRITES, n=600, seed=3, out=path, workers=1)
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the same scenes as an index of two parts."""
    path = tmp_path_factory.mktemp("file") / "index.h5"
    build(SPRITES, n=600, seed=3, out=path, workers=1, layout="parts")
    return path


def test_a_file_says_what_it_is(sprites: Path) -> None:
    with SceneFile(sprites) as file:
        assert (file.n, file.image_size, file.dataset, file.seed) == (600, 64, "multi_dsprites", 3)
        assert file.config == SPRITES
        assert file.entities == ("background", "object_0", "object_1", "object_2", "object_3")
        assert file.num_background == 1
        assert not file.is_index
        assert file.attributes["complete"] is True
        for key in file.keys():  # noqa: SIM118
            assert len(file[key]) == 600
            assert file[key].attrs["meaning"]


def test_a_file_has_a_length_and_prints_as_what_it_is(sprites: Path) -> None:
    with SceneFile(sprites) as file:
        assert len(file) == file.n == 600
        keys = ", ".join(file.keys())
        assert repr(file) == (
            f"SceneFile({str(sprites)!r}, multi_dsprites, 600 rows of 64 x 64 pixels: {keys})"
        )
    assert repr(file) == f"SceneFile({str(sprites)!r}, closed)"


@pytest.mark.parametrize("name", ["sprites", "index"])
def test_a_scene_is_its_fields_by_number(name: str, request: pytest.FixtureRequest) -> None:
    file = SceneFile(request.getfixturevalue(name))
    for number, row in ((0, 0), (599, 599), (-1, 599), (-600, 0), (np.int64(3), 3)):
        scene = file[number]
        assert list(scene) == file.keys()
        for key, value in scene.items():
            assert isinstance(value, np.ndarray)
            np.testing.assert_array_equal(value, file[key][row])
    for rows in (slice(2, 5), slice(-2, None), slice(0, 20, 3), slice(5, 5)):
        for key, values in file[rows].items():
            np.testing.assert_array_equal(values, file[key][:][rows])
    for wrong in (600, -601):
        with pytest.raises(IndexError, match=f"row {wrong} of 600"):
            file[wrong]
    with pytest.raises(TypeError):
        file[1.5]  # type: ignore[call-overload]
    assert sum(int(scene["num_objects"]) for scene in file) == file["num_objects"][:].sum()
    file.close()
    with pytest.raises(ValueError, match="closed; open it again with SceneFile"):
        file[0]


def test_a_file_pickles_by_its_path_and_reads_without_a_with(
    sprites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sprites.parent)
    packed = pickle.dumps(SceneFile(sprites.name))
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(packed)
    assert again.path == sprites
    np.testing.assert_array_equal(again[7]["image"], SceneFile(sprites)["image"][7])
    copied = copy.deepcopy(again)
    again.close()
    assert copied.n == 600


def test_masks_are_disjoint_and_cover_every_pixel(sprites: Path) -> None:
    with SceneFile(sprites) as file:
        masks = file.masks(slice(0, 50))
        assert masks.shape == (50, 5, 64, 64)
        assert (masks.sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "selection",
    [
        0,
        -1,
        np.int64(511),
        slice(None),
        slice(500, 530),
        slice(-3, None),
        slice(530, 500),
        slice(0, 600, 97),
        slice(None, None, -60),
        [599, 3, 512, 3],
        np.array([511, 512]),
        np.arange(600) % 100 == 0,
        ...,
        (slice(510, 514), 5),
        (slice(510, 514), slice(2, 9), 7),
        (511, 3),
        ([1, 513], slice(0, 4)),
    ],
    ids=str,
)
def test_an_index_reads_as_an_array_does(index: Path, selection: object) -> None:
    with SceneFile(index) as file:
        dataset = file["segmentation"]
        whole = np.asarray(dataset)
        assert (dataset.shape, dataset.dtype, len(dataset)) == (whole.shape, whole.dtype, 600)
        taken, expected = dataset[selection], whole[selection]
        np.testing.assert_array_equal(taken, expected)
        assert taken.dtype == expected.dtype


def test_a_row_outside_an_index_is_an_error(index: Path) -> None:
    with SceneFile(index) as file:
        for row in (600, -601):
            with pytest.raises(IndexError, match=re.escape(f"row {row} of 600")):
                file["image"][row]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__delitem__("schema"), "no attribute 'schema': not a file of"),
        (lambda file: file.attrs.__setitem__("schema", 2), "schema 2, this version reads 1"),
        (lambda file: file.attrs.__setitem__("complete", False), "half-written; run the command"),
        (lambda file: file.__delitem__("image"), "image: missing"),
        (lambda file: file.move("segmentation", "image2"), None),
    ],
)
def test_a_file_that_cannot_serve_is_refused_with_its_reason(
    sprites: Path, tmp_path: Path, change, message: str | None
) -> None:
    path = tmp_path / "changed.h5"
    path.write_bytes(sprites.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    if message is None:
        with SceneFile(path) as file, pytest.raises(FileError, match="segmentation: missing; ther"):
            file["segmentation"]
    else:
        with pytest.raises(FileError, match=re.escape(f"{path}: {message}")):
            SceneFile(path)


def test_missing_cut_and_foreign_files_are_refused(sprites: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(FileError, match=re.escape(f"{path}: no such file; scenes render makes")):
        SceneFile(path)
    path.write_bytes(sprites.read_bytes()[:-100])
    with pytest.raises(FileError, match=re.escape(f"{path}: not a readable HDF5 file, or cut")):
        SceneFile(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(FileError, match="not a file of this project"):
        SceneFile(path)


def test_what_the_system_refuses_is_not_called_cut_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(IsADirectoryError, match=re.escape(f"'{tmp_path}'")):
        SceneFile(tmp_path)
    assert main(["sprites", "--n", "5", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"scenes: {tmp_path}: is a directory\n"
    with h5py.File(tmp_path / "a.h5", "w"):
        reader = subprocess.run(
            [sys.executable, "-m", "scenes.cli", "verify", tmp_path / "a.h5"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert reader.returncode == 1
    assert reader.stderr == f"scenes: {tmp_path / 'a.h5'}: another program is writing it\n"


@pytest.mark.parametrize("form", ["sprites", "index"])
def test_rows_that_are_damaged_are_told_with_file_and_key(
    request: pytest.FixtureRequest, tmp_path: Path, form: str
) -> None:
    whole: Path = request.getfixturevalue(form)
    path = damaged = Path(shutil.copy(whole, tmp_path / "copy.h5"))
    if form == "index":
        folder = tmp_path / "index.h5.parts"
        shutil.copytree(whole.parent / folder.name, folder)
        path = Path(shutil.copy(whole, tmp_path / "index.h5"))
        damaged = min(folder.glob("*.h5"))
    with h5py.File(damaged) as file:
        place = file["image"].id.get_chunk_info(0).byte_offset
    content = bytearray(damaged.read_bytes())
    content[place + 50] ^= 255
    damaged.write_bytes(content)
    message = f"{damaged}: image: cannot be read: "
    with SceneFile(path) as file:
        rows = file["image"]
        reads: list[Callable[[], object]] = [
            lambda: rows[:9],
            lambda: rows[3],
            lambda: np.asarray(rows),
            lambda: rows[:, 0],
        ]
        for read in reads:
            with pytest.raises(FileError, match=re.escape(message)):
                read()
    assert main(["show", str(path), "--out", str(tmp_path / "a.png")]) == 2
