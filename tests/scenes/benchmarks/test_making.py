"""`build_benchmark` and `scenes benchmark`: made, extended, compared, and refused in one line."""

import os
import shutil
from pathlib import Path

import h5py
import pytest
from scenes.benchmarks import making
from scenes.benchmarks.making import build_benchmark
from scenes.cli import main
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.verification import verify


def test_the_command_makes_a_file_and_says_how_it_was_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", "multi_dsprites", "--workers", "1"]) == 0
    out = Path("data/benchmark/multi_dsprites.h5")
    said = capsys.readouterr().out
    assert said.startswith(f"{out}:\n  320 scenes of multi_dsprites, version ")
    assert said.count("exactly those of the benchmark") == 2
    assert verify(out, remade=2).problems == ()
    before = out.stat().st_mtime_ns
    assert main(["benchmark", "multi_dsprites"]) == 0
    assert out.stat().st_mtime_ns == before, "a finished file stays"


def test_rooms_are_drawn_by_osmesa_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "egl")
    comparison = build_benchmark("rooms_empty", out=tmp_path / "rooms.h5")
    assert comparison.problems == ()
    assert "llvmpipe" in comparison.drawn_by
    assert (os.environ["MUJOCO_GL"], os.environ["PYOPENGL_PLATFORM"]) == ("egl", "egl")


def test_of_a_file_with_more_scenes_the_first_are_compared(
    monkeypatch: pytest.MonkeyPatch, sprites: Path, tmp_path: Path
) -> None:
    path = tmp_path / "more.h5"
    shutil.copy(sprites, path)
    build(MultiDSpritesConfig(split="test"), n=330, seed=0, out=path, workers=1)
    assert build_benchmark("multi_dsprites", out=path).exact
    with SceneFile(path) as file:
        assert file.n == 330


def test_a_file_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    build(MultiDSpritesConfig(), n=2, seed=0, out=path, workers=1)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists and is something else; --overwrite replaces it"):
        build_benchmark("multi_dsprites", out=path)
    assert path.read_bytes() == before
    path.write_text("no HDF5")
    with pytest.raises(UsageError, match="exists and is something else; --overwrite replaces it"):
        build_benchmark("multi_dsprites", out=path)
    assert path.read_text() == "no HDF5"


def test_scenes_that_are_not_the_benchmark_s_are_told_and_kept(
    sprites: Path, tmp_path: Path
) -> None:
    path = tmp_path / "changed.h5"
    shutil.copy(sprites, path)
    with h5py.File(path, "r+") as file:
        file["image"][0, 0, 0] += 1
    message = f"{path}: not multi_dsprites: pixels .* by the same OpenGL"
    with pytest.raises(CommandError, match=message):
        build_benchmark("multi_dsprites", out=path)
    assert path.exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["cats"], "no benchmark 'cats'; there are rooms_test, "),
        (["<b>\n"], "no benchmark '<b>"),
        (["rooms", "--out", "rooms.h5"], "--out is one file, and rooms is 4; leave it out"),
        (["rooms_test", "--n", "321"], "321"),
        (["multi_dsprites", "--workers", "0"], "--workers must be at least 1, got 0"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert line in said.err
    assert list(tmp_path.iterdir()) == []


def test_from_python_a_family_and_other_numbers_of_scenes_are_refused() -> None:
    with pytest.raises(UsageError, match="rooms is several benchmarks; make one at a time"):
        build_benchmark("rooms")
    with pytest.raises(UsageError, match="--n 7: rooms_test has checksums of 320 and 10,000"):
        build_benchmark("rooms_test", n=7)


def test_without_osmesa_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scenes.render.gl._installed", lambda gl: gl != "osmesa")
    with pytest.raises(CommandError, match="MUJOCO_GL=osmesa needs libOSMesa; on Debian: apt-get"):
        build_benchmark("rooms_test", out=tmp_path / "rooms.h5")
    assert making.file_of("x").name == "x.h5"
