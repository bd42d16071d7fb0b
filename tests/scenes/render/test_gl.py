"""Which OpenGL draws: MUJOCO_GL's word counts, and PYOPENGL_PLATFORM follows it."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scenes.cli import main
from scenes.command_line import CommandError
from scenes.render import gl
from scenes.render.gl import choose_gl, gl_environment

RENDER = [sys.executable, "-W", "ignore", "-m", "scenes.cli", "render", "--n", "2", "--size", "16"]


@pytest.fixture(autouse=True)
def _environment_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores the environment, into which the choice is written, after the test."""
    gl._say_once.cache_clear()
    for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "LP_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def render(out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RENDER, "--out", str(out)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("platform", ["egl", "glx", "GLX", "osmesa", ""])
def test_our_choice_of_osmesa_draws_whatever_pyopengl_was_told(
    tmp_path: Path, platform: str
) -> None:
    # Without a GPU; where there is one, MUJOCO_GL=osmesa says the same.
    unset = {} if gl.has_gpu() else {"MUJOCO_GL": ""}
    done = render(tmp_path / "rooms.h5", PYOPENGL_PLATFORM=platform, **unset)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_word_for_egl_may_be_in_capitals_and_pyopengl_follows(tmp_path: Path) -> None:
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("libEGL is not installed")
    done = render(tmp_path / "rooms.h5", MUJOCO_GL="EGL", PYOPENGL_PLATFORM="osmesa")
    if "OpenGL cannot be started" in done.stderr:
        pytest.skip(f"EGL cannot be started here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unset", ["", "  "])
def test_an_empty_mujoco_gl_counts_as_unset(monkeypatch: pytest.MonkeyPatch, unset: str) -> None:
    monkeypatch.setenv("MUJOCO_GL", unset)
    monkeypatch.setattr(gl, "has_gpu", lambda: False)
    assert choose_gl() == gl.Choice("osmesa", "there is no GPU")
    assert os.environ["MUJOCO_GL"] == os.environ["PYOPENGL_PLATFORM"] == "osmesa"


def test_a_window_may_be_drawn_by_whatever_pyopengl_was_told() -> None:
    assert gl_environment("glfw", "egl")["PYOPENGL_PLATFORM"] == "egl"
    assert gl_environment("glfw", "osmesa")["PYOPENGL_PLATFORM"] == ""


def test_a_gpu_without_libegl_is_left_for_osmesa_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = ctypes.util.find_library
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(gl, "has_gpu", lambda: True)
    monkeypatch.setattr(
        ctypes.util, "find_library", lambda name: None if name == "EGL" else find(name)
    )
    assert choose_gl().gl == "osmesa"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "scenes: a GPU is here, but OSMesa draws on the CPU: EGL needs libEGL (on Debian: apt-get "
        "install libegl1)"
    )


def test_macos_draws_in_mujocos_own_way_and_says_that_it_is_untested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("MUJOCO_GL", "")
    assert choose_gl().gl == choose_gl().gl == ""
    assert os.environ["MUJOCO_GL"] == ""
    said = "scenes: macOS: MuJoCo's own OpenGL draws, which is untested here\n"
    assert capsys.readouterr().err == said
    monkeypatch.setenv("MUJOCO_GL", "CGL")
    assert choose_gl().gl == "cgl"
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(CommandError, match="MUJOCO_GL must be cgl or glfw, got 'egl'"):
        choose_gl()


def test_windows_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["render", "--n", "2"]) == 2
    assert capsys.readouterr().err == (
        "scenes: Windows is not supported (locks need fcntl); WSL is\n"
    )


def test_the_command_lines_start_without_fcntl() -> None:
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import scenes.cli; sys.platform = 'win32'; sys.exit(scenes.cli.main(['verify', 'a.h5']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "scenes: Windows is not supported (locks need fcntl); WSL is\n"
