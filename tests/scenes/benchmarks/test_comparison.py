"""A file is a benchmark by what it holds: exactly, or within the bounds for another OpenGL."""

import json
import shutil
from pathlib import Path

import h5py
import pytest
from scenes.benchmarks.comparison import Comparison, compare, recognise
from scenes.benchmarks.table import BENCHMARKS, REFERENCE_ROWS, VERSION, digests_of
from scenes.driver import build
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig

SPRITES = BENCHMARKS["multi_dsprites"]


@pytest.fixture
def copy(sprites: Path, tmp_path: Path) -> Path:
    """Returns the benchmark under a name that says nothing."""
    return Path(shutil.copy(sprites, tmp_path / "rooms_test.h5"))


def compared(path: Path) -> Comparison:
    with SceneFile(path) as file:
        return compare(file, SPRITES, 320)


def drawn_elsewhere(path: Path) -> None:
    """Lets a file say that another OpenGL drew it, by the same version of the drawing."""
    with h5py.File(path, "r+") as file:
        provenance = json.loads(file.attrs["provenance"])
        file.attrs["provenance"] = json.dumps({**provenance, "gl_renderer": "another"})


def test_a_file_made_here_is_the_benchmark_exactly(sprites: Path) -> None:
    comparison = compared(sprites)
    assert (comparison.exact, comparison.problems) == (True, ())
    assert comparison.found == digests_of("multi_dsprites", 320)
    assert f"320 scenes of multi_dsprites, version {VERSION}" in comparison.summary()
    assert comparison.summary()[-1].endswith("exactly those of the benchmark")


def test_other_pixels_are_compared_within_bounds_and_it_is_said(copy: Path) -> None:
    drawn_elsewhere(copy)
    with h5py.File(copy, "r+") as file:
        file["image"][106, :8, :8] += 1
    comparison = compared(copy)
    assert (comparison.exact, comparison.problems) == (False, ())
    said = " ".join(comparison.summary())
    assert "another OpenGL's, so scenes 0, 106, 213, 319 were compared" in said
    assert "at most 4 of 255 apart on average, at most 0.5% of labels unlike" in said
    assert '"gl_renderer": "another"' in said


def test_pixels_beyond_the_bounds_are_a_problem(copy: Path) -> None:
    drawn_elsewhere(copy)
    with h5py.File(copy, "r+") as file:
        file["image"][REFERENCE_ROWS[1]] = 255 - file["image"][REFERENCE_ROWS[1]]
        file["segmentation"][319] = 0
    first, second = compared(copy).problems
    assert first.startswith("image of scene 106: ")
    assert second.startswith("segmentation of scene 319: ")
    with SceneFile(copy) as file:
        assert recognise(file, 320) is None


def test_other_pixels_of_the_same_renderer_are_a_problem(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["image"][9, 0, 0] += 1
    (problem,) = compared(copy).problems
    assert problem.startswith("pixels ")
    assert problem.endswith("by the same OpenGL")


def test_other_factors_are_a_problem(copy: Path) -> None:
    drawn_elsewhere(copy)
    with h5py.File(copy, "r+") as file:
        file["factors/x"][0, 0] += 1e-6
    (problem,) = compared(copy).problems
    assert problem.startswith("factors ")


def test_a_benchmark_is_known_by_content_and_not_by_its_name(copy: Path, tmp_path: Path) -> None:
    with SceneFile(copy) as file:
        known = recognise(file, 320)
        assert known is not None
        assert known.name == "multi_dsprites"
        assert recognise(file, 319) is None
        assert recognise(file, 10_000) is None
    for number, config in enumerate((MultiDSpritesConfig(split="test"), MultiDSpritesConfig())):
        path = tmp_path / f"{number}" / "multi_dsprites.h5"
        build(config, n=320, seed=1 - number, out=path, workers=1)
        with SceneFile(path) as file:
            assert recognise(file, 320) is None


def test_a_damaged_file_is_said_to_be_damaged(copy: Path) -> None:
    with h5py.File(copy) as file:
        chunk = file["factors/x"].id.get_chunk_info(0)
    content = bytearray(copy.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    copy.write_bytes(content)
    with SceneFile(copy) as file, pytest.raises(FileError, match="factors/x"):
        recognise(file, 320)
