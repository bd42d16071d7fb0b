"""The question whether EGL tells the truth: asked for real, once for each driver, and kept."""

import ctypes.util
import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from scenes.cli import main
from scenes.driver import build
from scenes.file.errors import NO_LOCKS
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.render import answers, gl
from scenes.render.answers import reason_against, remember
from scenes.render.examination import Examination
from scenes.render.gl import Choice, choose_gl

LYING = Examination("egl", "none", equal=0.97, equal_inside=0.99, depth_error_m=0.5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a cache folder of the test's own, and lets the choice of OpenGL end with it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gl._say_once.cache_clear()
    for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "LP_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return tmp_path / "cache" / "scenes"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this machine look like one with a GPU and EGL, where MUJOCO_GL is not set."""
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(gl, "has_gpu", lambda: True)
    monkeypatch.setattr(gl, "_installed", lambda way: True)


def answering(monkeypatch: pytest.MonkeyPatch, examination: Examination) -> list[str]:
    """Makes the examination give this answer; returns a list that grows by one per examination."""
    asked = []

    def examine(way, request, *, limit_s):
        asked.append(way)
        return replace(examination, gl=way)

    monkeypatch.setattr(answers, "examine", examine)
    return asked


def test_osmesa_is_asked_for_real_and_its_answer_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason_against("osmesa") == ""
    (question,) = json.loads((cache / "opengl.json").read_text())
    assert question.startswith("osmesa; mujoco ")
    asked = answering(monkeypatch, LYING)
    assert reason_against("osmesa") == ""
    assert asked == []


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(answers, "gpu_driver", lambda: "another"),
        lambda patch: patch.setattr(answers, "version", lambda name: "another"),
        lambda patch: patch.setenv("MUJOCO_EGL_DEVICE_ID", "1"),
    ],
    ids=["driver", "version", "device"],
)
def test_another_driver_is_asked_again(change, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, LYING)
    said = (
        "3.00% of pixels are of another entity than rays say; depths are up to 50.0 cm from the "
        "rays'"
    )
    assert [reason_against("egl") for _ in range(2)] == [said, said]
    assert len(asked) == 1
    change(monkeypatch)
    assert reason_against("egl") == said
    assert len(asked) == 2
    reason_against("osmesa")
    assert len(asked) == 3


def test_a_driver_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason_against("osmesa", limit_s=0.01) == "nothing was drawn in 0.01 s"
    asked = answering(monkeypatch, LYING)
    assert reason_against("osmesa") == "nothing was drawn in 0.01 s"
    assert asked == []


def test_an_opengl_that_cannot_be_started_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Examination("egl", "none", "OpenGL cannot be started: no device", started=False)
    asked = answering(monkeypatch, failed)
    assert reason_against("egl") == reason_against("egl") == failed.failure
    assert asked == ["egl", "egl"]


@pytest.mark.usefixtures("gpu")
def test_egl_is_asked_for_real(cache: Path) -> None:
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("libEGL is not installed")
    if reason := reason_against("egl"):
        pytest.skip(f"EGL cannot be used here: {reason}")
    assert choose_gl() == Choice("egl", "there is a GPU")
    assert '"egl; mujoco ' in (cache / "opengl.json").read_text()


@pytest.mark.parametrize("content", ["", "[]", '{"egl": 3}', "\x00"])
def test_a_cache_of_something_else_is_none(
    cache: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    (cache / "opengl.json").write_text(content)
    asked = answering(monkeypatch, LYING)
    assert reason_against("egl") == reason_against("egl") != ""
    assert asked == ["egl"]


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    asked = answering(monkeypatch, LYING)
    assert reason_against("egl") == reason_against("egl") != ""
    assert asked == ["egl", "egl"]


@pytest.mark.parametrize("number", NO_LOCKS, ids=errno.errorcode.get)
def test_a_cache_on_a_disk_without_locks_is_used_all_the_same(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    asked = answering(monkeypatch, LYING)
    assert reason_against("egl") == reason_against("egl") != ""
    assert asked == ["egl"]


@pytest.mark.usefixtures("gpu")
def test_a_gpu_whose_egl_tells_the_truth_draws(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, replace(LYING, equal=0.999, equal_inside=1.0, depth_error_m=0.0))
    assert choose_gl() == Choice("egl", "there is a GPU")
    assert os.environ["MUJOCO_GL"] == os.environ["PYOPENGL_PLATFORM"] == "egl"
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("gpu")
def test_a_build_falls_back_to_osmesa_with_one_line_where_egl_lies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = answering(monkeypatch, LYING)
    for n in (2, 4):
        monkeypatch.setenv("MUJOCO_GL", "")
        gl._say_once.cache_clear()  # as in a process of its own
        build(ObjectsRoomConfig(size=16), n=n, seed=0, out=tmp_path / "rooms.h5", workers=1)
        assert capsys.readouterr().err == (
            "scenes: a GPU is here, but OSMesa draws on the CPU: 3.00% of pixels are of another "
            "entity than rays say; depths are up to 50.0 cm from the rays'; `scenes doctor` asks "
            "again\n"
        )
    assert asked == ["egl"]
    with SceneFile(tmp_path / "rooms.h5") as file:
        assert file.n == 4


@pytest.mark.usefixtures("gpu")
def test_without_osmesa_the_fallback_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answering(monkeypatch, LYING)
    monkeypatch.setattr(gl, "_installed", lambda way: way == "egl")
    assert main(["render", "--n", "2", "--out", str(tmp_path / "rooms.h5")]) == 1
    _, line = capsys.readouterr().err.splitlines()
    assert line == "scenes: MUJOCO_GL=osmesa needs libOSMesa; on Debian: apt-get install libosmesa6"


def test_the_users_word_is_not_questioned(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, LYING)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr(gl, "_installed", lambda way: True)
    assert choose_gl() == Choice("egl", "MUJOCO_GL says so")
    assert asked == []


def test_what_the_doctor_finds_replaces_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, LYING)
    assert reason_against("egl") != ""
    assert remember(replace(LYING, equal=1.0, equal_inside=1.0, depth_error_m=0.0)) == ""
    assert reason_against("egl") == ""
    assert asked == ["egl"]


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert answers.cache_folder() == Path("/somewhere/.cache/scenes")
