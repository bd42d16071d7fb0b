"""A seal is checked before anything is built on a file."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.cli import main
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.file.schema import parts_folder
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.parts.plan import PartWriter, plan
from scenes.source_list import OpenSource

SPRITES = MultiDSpritesConfig()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 40 scenes."""
    path = tmp_path_factory.mktemp("sound") / "sprites.h5"
    build(SPRITES, n=40, seed=0, out=path, workers=1)
    return path


def change_attribute(file: h5py.File) -> None:
    file.attrs["entities"] = ["background", "car", "dog", "cat", "cup"]


def change_version(file: h5py.File) -> None:
    file.attrs["version"] = "9"


def change_name(file: h5py.File) -> None:
    names = file["factors/shape"].attrs["categories"]
    file["factors/shape"].attrs["categories"] = names[::-1]


def change_meaning(file: h5py.File) -> None:
    file["factors/x"].attrs["meaning"] = "position up"


def change_value(file: h5py.File) -> None:
    file["factors/x"][3, 0] += np.float32(0.25)


def change_checksum(file: h5py.File) -> None:
    file["checksums"][0, 0] ^= 1


def remove_seal(file: h5py.File) -> None:
    del file.attrs["sha256"]


CHANGES = [
    change_attribute,
    change_version,
    change_name,
    change_meaning,
    change_value,
    change_checksum,
    remove_seal,
]


def flip_byte_of_a_chunk(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        content[file["image"].id.get_chunk_info(0).byte_offset + 100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_file_is_not_extended(
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[h5py.File], None],
) -> None:
    path = Path(shutil.copy(sound, tmp_path / "changed.h5"))
    with h5py.File(path, "r+") as file:
        change(file)
    before = path.read_bytes()
    assert main(["sprites", "--n", "60", "--workers", "1", "--out", str(path)]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith(f"scenes: {path}")
    assert path.read_bytes() == before


def test_a_file_with_one_flipped_byte_is_not_extended(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(shutil.copy(sound, tmp_path / "flipped.h5"))
    flip_byte_of_a_chunk(path)
    assert main(["sprites", "--n", "60", "--workers", "1", "--out", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith(f"scenes: {path}: rows 0 to 31 cannot be read")


@pytest.fixture(scope="module")
def killed_late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a build that was killed before its last step."""
    out = tmp_path_factory.mktemp("killed") / "a.h5"
    build(SPRITES, n=600, seed=0, out=out, workers=1, layout="parts")
    out.unlink()
    return out.parent


@pytest.mark.parametrize("layout", ["file", "parts"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_parts_are_neither_joined_nor_indexed(
    killed_late: Path, tmp_path: Path, change: Callable[[h5py.File], None], layout: str
) -> None:
    shutil.copytree(killed_late, tmp_path, dirs_exist_ok=True)
    out, folder = tmp_path / "a.h5", tmp_path / "a.h5.parts"
    part = folder / plan(64, 0, 600)[0].name
    with h5py.File(part, "r+") as file:
        change(file)
    message = f"{part}: damaged; delete it and run the same command again"
    with pytest.raises(CommandError, match=re.escape(message)):
        build(SPRITES, n=600, seed=0, out=out, workers=1, layout=layout)
    assert not out.exists()
    part.unlink()
    build(SPRITES, n=600, seed=0, out=out, workers=1, layout=layout)
    with SceneFile(out) as file:
        assert len(file) == 600


def test_a_part_of_another_seed_is_not_joined(killed_late: Path, tmp_path: Path) -> None:
    shutil.copytree(killed_late, tmp_path, dirs_exist_ok=True)
    out = tmp_path / "a.h5"
    foreign = plan(64, 0, 600)[1]
    foreign.path(parts_folder(out)).unlink()
    PartWriter(OpenSource(SPRITES, 1), parts_folder(out)).write(foreign)
    message = f"{foreign.path(parts_folder(out))} holds scenes of another build than the others"
    with pytest.raises(CommandError, match=re.escape(message)):
        build(SPRITES, n=600, seed=0, out=out, workers=1)


@pytest.mark.parametrize("form", ["tfrecord", "object-centric-library", "parquet", "webdataset"])
@pytest.mark.parametrize("change", [change_attribute, change_name, remove_seal])
def test_a_changed_file_is_not_exported(
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[h5py.File], None],
    form: str,
) -> None:
    path = Path(shutil.copy(sound, tmp_path / "changed.h5"))
    with h5py.File(path, "r+") as file:
        change(file)
    assert main(["export", str(path), "--format", form]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {path}: sha256: ")
    assert [each.name for each in tmp_path.iterdir()] == ["changed.h5"]
