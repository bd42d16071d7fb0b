"""What scenes are is told by their content: not by a path, nor by where a command was called."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from promises import Promise
from scenes.clevr.config import ClevrConfig
from scenes.cli import main
from scenes.driver import build
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import parts_folder
from scenes.formats.config import ImportedConfig
from scenes.formats.export import export
from scenes.identity import identity_of, same_scenes
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.serialise import to_json
from scenes.verification import verify

IMAGES = 200  # a part of 128 rows, and a bit


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with CLEVR-sized PNGs and a TFRecord of sprites."""
    folder = tmp_path_factory.mktemp("originals")
    (folder / "images").mkdir()
    for number in range(IMAGES):
        color = (number % 256, number // 256, 7)
        Image.new("RGB", (320, 240), color).save(folder / "images" / f"CLEVR_{number:06d}.png")
    build(MultiDSpritesConfig(), n=560, seed=0, out=folder / "sprites.h5", workers=1)
    export(folder / "sprites.h5", folder / "sprites.tfrecords", "tfrecord")
    return folder


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "scenes.cli", *map(str, command)]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)


def kill_halfway(*command: str | Path, cwd: Path, out: Path) -> None:
    """Kills a command when it has made a part but not all of them."""
    words = [sys.executable, "-m", "scenes.cli", *map(str, command)]
    process = subprocess.Popen(words, cwd=cwd, stderr=subprocess.PIPE, start_new_session=True)
    while not list(parts_folder(out).glob("*.h5")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not out.exists(), "it finished before it was killed"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clevr", "import"])
def test_a_build_goes_on_with_its_source_moved_and_called_from_elsewhere(
    originals: Path, tmp_path: Path, kind: str, promise: Promise
) -> None:
    name = {"clevr": "images", "import": "sprites.tfrecords"}[kind]
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out.h5"
    first.mkdir()
    copied = shutil.copytree if kind == "clevr" else shutil.copy
    copied(originals / name, first / name)
    one = ["--workers", "1"] if kind == "clevr" else []
    kill_halfway(kind, first / name, "--out", out, *one, cwd=tmp_path, out=out)
    first.rename(second)
    done = run(kind, name, "--out", "../out.h5", *one, cwd=second)  # a relative path, elsewhere
    assert done.returncode == 0, done.stderr
    assert "scenes: continues; " in done.stderr
    assert verify(out, remade=0).problems == ()
    again = run(kind, second / name, "--out", out, *one, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    whole = tmp_path / "whole.h5"
    assert run(kind, originals / name, "--out", whole, *one, cwd=tmp_path).returncode == 0
    with SceneFile(out) as ours, SceneFile(whole) as theirs:
        assert ours.identity == theirs.identity
        np.testing.assert_array_equal(ours["image"][:], theirs["image"][:])
    promise(
        "A build goes on with its source moved, and from another folder",
        "CLEVR's images and a TFRecord, moved after a SIGKILL",
        1,
        "the same file as without a move",
    )


def test_another_folder_of_the_same_names_and_lengths_is_another_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.h5"
    for number, red in enumerate((10, 11)):
        folder = tmp_path / str(number)
        folder.mkdir()
        image = Image.new("RGB", (320, 240), (red, 0, 0))
        image.save(folder / "CLEVR_000000.png", compress_level=0)
    sizes = {(tmp_path / n / "CLEVR_000000.png").stat().st_size for n in ("0", "1")}
    assert len(sizes) == 1
    assert main(["clevr", str(tmp_path / "0"), "--out", str(out), "--workers", "1"]) == 0
    capsys.readouterr()
    assert main(["clevr", str(tmp_path / "1"), "--out", str(out), "--workers", "1"]) == 2
    assert "exists and is something else" in capsys.readouterr().err


def earlier(config: object, seed: int = 0) -> str:
    """Returns an identity as version 0.2 and earlier stored it."""
    stored = {key: each for key, each in json.loads(to_json(config)).items() if key != "content"}
    return f"{config.dataset} {json.dumps(stored, sort_keys=True)} seed {seed}"  # type: ignore[attr-defined]


ROOMS = ObjectsRoomConfig(size=32)
TFRECORD = ImportedConfig("a/b.tfrecords", "abc", "objects_room", 7, 64)
CLEVR = ClevrConfig("a/images", "0123", 320, 240, content="4567")


@pytest.mark.parametrize("config", [ROOMS, TFRECORD, CLEVR], ids=lambda config: config.dataset)
def test_identities_of_earlier_versions_are_read(config: object) -> None:
    identity = identity_of(config, 0)
    assert same_scenes(identity, earlier(config))
    assert same_scenes(earlier(config), identity)
    assert not same_scenes(identity, earlier(config, seed=1))
    assert "a/" not in identity


def test_labels_of_builds_from_before_a_field_was_added_are_read() -> None:
    whole = json.loads(identity_of(TFRECORD, 0))
    for field in ("more", "counts", "fit", "float_range"):
        del whole["config"][field]
    assert same_scenes(identity_of(TFRECORD, 0), json.dumps(whole))
    other = replace(TFRECORD, more=("b.tfrecords",), counts=(3, 4))
    assert not same_scenes(identity_of(other, 0), json.dumps(whole))


def test_identities_differ_where_scenes_do() -> None:
    pairs = [
        (ROOMS, replace(ROOMS, size=64)),
        (TFRECORD, replace(TFRECORD, items="abd")),
        (CLEVR, replace(CLEVR, content="4568")),
        (ROOMS, MultiDSpritesConfig()),
    ]
    for one, other in pairs:
        assert not same_scenes(identity_of(one, 0), identity_of(other, 0))
        assert not same_scenes(identity_of(one, 0), earlier(other)) or one is CLEVR
    moved = replace(CLEVR, source="/elsewhere/images", items="renamed")
    assert same_scenes(identity_of(CLEVR, 0), identity_of(moved, 0))
    assert same_scenes(identity_of(TFRECORD, 0), earlier(replace(TFRECORD, file="moved")))


def test_the_drawing_s_version_belongs_to_the_identity_and_the_renderer_does_not() -> None:
    config = MultiDSpritesConfig()
    drawn = [json.dumps({"sprites": f"drawn, geometry {version}"}) for version in (1, 2)]
    assert not same_scenes(*(identity_of(config, 0, each) for each in drawn))
    assert same_scenes(identity_of(config, 0), identity_of(config, 0, drawn[1]))
    rendered = [json.dumps({"mujoco": "3", "gl_renderer": name}) for name in ("llvmpipe", "H100")]
    assert same_scenes(*(identity_of(ROOMS, 0, each) for each in rendered))


def test_a_file_is_of_its_own_identity_and_says_what_is_no_identity(originals: Path) -> None:
    with SceneFile(originals / "sprites.h5") as file:
        assert file.is_of(file.identity)
        assert file.is_of(identity_of(file.config, 0))
        for other in ("", "{}", "[" * 10_000, "multi_dsprites {} seed x", '{"dataset": 1}'):
            assert not file.is_of(other)


@pytest.mark.parametrize("kind", ["clevr", "imported", "sprites"])
def test_verify_opens_no_path_that_a_file_names_and_asks_for_it(
    originals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "out.h5"
    source = {"clevr": "images", "imported": "sprites.tfrecords"}.get(kind, "")
    if kind == "clevr":
        command = ["clevr", str(originals / source), "--n", "3", "--workers", "1"]
        assert main([*command, "--out", str(out)]) == 0
    elif kind == "imported":
        assert main(["import", str(originals / source), "--out", str(out)]) == 0
    else:
        # A file that says that its sprites are those of /dev/zero, under a right seal.
        config = MultiDSpritesConfig(dsprites="/dev/zero", dsprites_items="0" * 64)
        forge(originals / "sprites.h5", out, config)
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    (_, said) = capsys.readouterr().out.splitlines()
    assert said.startswith("made none again: ")
    assert said.endswith(", which the file names, is not opened for that; --source PATH is")
    if kind == "sprites":
        return
    assert main(["verify", str(out), "--source", str(originals / source)]) == 0
    assert "again: the same in every byte" in capsys.readouterr().out
    assert main(["verify", str(out), "--source", str(tmp_path / "gone")]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "gone") in line


def forge(path: Path, out: Path, config: MultiDSpritesConfig) -> None:
    """Copies a file under another config, sealed as if it had been built so."""
    from scenes.file.seal import seal
    from scenes.file.writer import field_of

    shutil.copy(path, out)
    with h5py.File(out, "r+") as file, SceneFile(path) as whole:
        file.attrs["config"] = to_json(config)
        seal(file, {key: field_of(file[key]) for key in whole.keys()})  # noqa: SIM118


def test_a_path_that_a_file_names_is_not_opened_to_extend_it(
    originals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.h5"
    forge(originals / "sprites.h5", out, MultiDSpritesConfig(dsprites="/dev/zero"))
    assert main(["sprites", "--n", "570", "--out", str(out)]) == 2
    assert "exists and is something else" in capsys.readouterr().err
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert main(["sprites", "--dsprites", str(path), "--out", str(tmp_path / "a.h5")]) == 2
        assert str(path) in capsys.readouterr().err


def test_a_file_of_an_unknown_dataset_has_an_identity_but_no_config(
    originals: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(originals / "sprites.h5", tmp_path / "a.h5"))
    with h5py.File(path, "r+") as file:
        file.attrs["dataset"] = "cats"
    with SceneFile(path) as file:
        assert file.is_of(file.identity)
        with pytest.raises(FileError, match="dataset: 'cats' is unknown to this version"):
            _ = file.config
