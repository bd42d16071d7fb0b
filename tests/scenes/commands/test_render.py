"""`scenes render`: what it writes, and one line for what it cannot do."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import Kind


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """Returns all files with their bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_the_command_writes_views_depth_extents_and_held_out_scenes(folder, capsys):
    arguments = [
        "render",
        "--size",
        "32",
        "--views",
        "2",
        "--depth",
        "--amodal",
        "--only-held-out",
        "--hold-out",
        "shape=sphere,hue=0.9-0.1",
        "shape=triangle",
        "--workers",
        "1",
    ]
    assert main([*arguments, "--n", "4"]) == 0
    path = Path("data/objects_room/train_only_held_out_2_views.h5")
    said = f"{path}: 4 scenes of train_only_held_out_2_views (8 rows, 2 views each), "
    assert capsys.readouterr().out.startswith(said)
    assert main([*arguments, "--n", "7"]) == 0
    with SceneFile(path) as file:
        assert file.n == 14
        assert file.config == ObjectsRoomConfig(
            size=32,
            views=2,
            depth=True,
            amodal=True,
            only_held_out=True,
            hold_out=(Kind(("sphere",), (0.9, 0.1)), Kind(("triangle",))),
        )
        np.testing.assert_array_equal(file["scene"][:], np.arange(14) // 2)
        np.testing.assert_array_equal(file["view"][:], np.arange(14) % 2)
    with h5py.File(path) as plain:
        assert plain["depth"].shape == (14, 32, 32)
        assert plain["depth"].dtype == np.float16
        assert plain["amodal"].shape == (14, 3, 32, 32)
        for key in ("image", "factors/size", "camera/pitch", "scene", "view"):
            assert plain[key].attrs["meaning"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--n 0", "--n must be at least 1, got 0"),
        ("--size 15", "--size must be even, from 16 to 512, got 15"),
        ("--objects 12", "--objects must be from 0 to 9, got 12"),
        ("--objects 2 --split test", "--objects is a split of its own; leave --split out"),
        (
            "--split objects",
            "no condition 'objects'; there are train, test, empty_room, "
            "six_objects, identical_color, four_identical and objects_0 to 9",
        ),
        ("--views 0", "--views must be from 1 to 64, got 0"),
        ("--seed -1", "--seed must be from 0 to 2^63 - 1, got -1"),
        ("--only-held-out", "--only-held-out needs --hold-out, which names the objects"),
        (
            "--hold-out shape=cone",
            "no shape 'cone'; there are box, sphere, cylinder, capsule, icosahedron, triangle",
        ),
        ("--hold-out hue=0-1", "--hold-out leaves no object of --shapes"),
    ],
)
def test_a_wrong_request_is_one_line_and_changes_nothing(arguments, line, folder, capsys):
    assert main(["render", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"scenes: {line}\n"
    assert printed.out == ""
    assert everything_in(folder) == {}


def test_a_file_of_another_config_or_seed_is_left_alone(folder, capsys):
    out = ["render", "--n", "2", "--size", "16", "--workers", "1", "--out", "rooms.h5"]
    assert main(out) == 0
    before = everything_in(folder)
    for other in (["--split", "test"], ["--seed", "1"], ["--hold-out", "shape=box"]):
        capsys.readouterr()
        assert main([*out, *other]) == 2
        said = "scenes: rooms.h5 exists and is something else; --overwrite replaces it\n"
        assert capsys.readouterr().err == said
        assert everything_in(folder) == before
    assert main([*out, "--split", "test", "--overwrite"]) == 0
    with SceneFile(Path("rooms.h5")) as file:
        assert file.config.split == "test"


def test_a_folder_that_cannot_be_made_is_one_line(folder, capsys):
    Path("taken").write_text("a file where a folder should be")
    before = everything_in(folder)
    assert main(["render", "--n", "2", "--out", "taken/rooms.h5"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("scenes: ")
    assert "taken" in error
    assert error.count("\n") == 1
    assert everything_in(folder) == before


@pytest.mark.parametrize(
    ("way", "line"),
    [
        ("osmesa", "MUJOCO_GL=osmesa needs libOSMesa; on Debian: apt-get install libosmesa6"),
        ("egl", "MUJOCO_GL=egl needs libEGL; on Debian: apt-get install libegl1"),
    ],
)
def test_a_missing_gl_library_is_one_line_with_its_package(way, line, folder, capsys, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", way)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    assert main(["render", "--n", "2"]) == 1
    assert capsys.readouterr().err == f"scenes: {line}\n"
    assert everything_in(folder) == {}


@pytest.mark.skipif("DISPLAY" in os.environ, reason="with a display a window can be opened")
def test_opengl_that_cannot_be_started_is_one_line_with_what_to_try(folder):
    command = [sys.executable, "-W", "ignore", "-m", "scenes.cli", "render", "--n", "2"]
    done = subprocess.run(
        command,
        env={**os.environ, "MUJOCO_GL": "glfw"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("scenes: MUJOCO_GL=glfw: OpenGL cannot be start")
    assert "MUJOCO_GL=osmesa draws without a display" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_way_to_render_that_there_is_not_is_one_line(folder, capsys, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    assert main(["render", "--n", "2"]) == 1
    line = "scenes: MUJOCO_GL must be osmesa, egl or glfw, got 'vulkan'\n"
    assert capsys.readouterr().err == line
    assert everything_in(folder) == {}
