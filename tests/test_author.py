"""What rendering loads is what dm_control authors."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scenes.clevr import stage
from scenes.objects_room import arena

ROOT = Path(__file__).resolve().parent.parent
AUTHOR = ROOT / "tools" / "author"


@pytest.fixture(scope="module")
def author() -> dict[str, Callable]:
    """Returns the functions of tools/author."""
    return runpy.run_path(str(AUTHOR))


def compiled(root) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(root.to_xml_string(), root.get_assets())


def contents(model: mujoco.MjModel) -> bytes:
    """Returns every array, option and name of a model."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def test_the_packaged_files_are_what_dm_control_authors() -> None:
    done = subprocess.run([sys.executable, AUTHOR, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_check_names_the_file_that_differs(
    author: dict[str, Callable],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stale = tmp_path / "room.xml"
    stale.write_text(arena.ROOM.read_text().replace("fovy", "fovx"))
    monkeypatch.setattr(arena, "ROOM", stale)
    assert author["main"](["--check"]) == 1
    assert (
        capsys.readouterr().err
        == f"tools/author: {stale} is not what tools/author writes; run it\n"
    )


@pytest.mark.parametrize("max_objects", [0, 1, 6, 9])
@pytest.mark.parametrize(("size", "quality"), [(64, arena.FAST), (32, arena.FULL)])
def test_the_room_that_is_loaded_is_byte_for_byte_the_one_authored_whole(
    author: dict[str, Callable], max_objects: int, size: int, quality: arena.Quality
) -> None:
    loaded = arena.build_model(max_objects, size, quality)
    assert loaded.nbody == 1 + max_objects
    assert contents(loaded) == contents(compiled(author["room"](max_objects, size, quality)))


@pytest.mark.parametrize(("max_objects", "shadow_map", "samples"), [(1, 512, 4), (10, 2048, 8)])
def test_the_stage_that_is_loaded_is_byte_for_byte_the_one_authored_whole(
    author: dict[str, Callable], max_objects: int, shadow_map: int, samples: int
) -> None:
    loaded = stage.build_model(max_objects, shadow_map=shadow_map, samples=samples)
    whole = compiled(author["clevr_stage"](max_objects, shadow_map, samples))
    assert whole.geom("ground").castshadow[0]
    whole.geom_castshadow[whole.geom("ground").id] = 0  # which dm_control cannot say
    assert loaded.nmesh == 1 + 3 * max_objects
    assert contents(loaded) == contents(whole)


def test_a_number_in_the_files_is_the_same_number_when_read(author: dict[str, Callable]) -> None:
    shortest = author["shortest"]
    for value in np.random.default_rng(0).normal(size=200):
        assert np.float64(shortest(f"{value:.17g}", np.float64)) == value
        assert np.float32(shortest(f"{value:.17g}", np.float32)) == np.float32(value)
