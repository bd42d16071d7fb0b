"""scores.json says which benchmark it is of, by what the scenes' file holds."""

import json
import shutil
from pathlib import Path

import h5py
import pytest
from evaluation.scores.benchmark_scenes import benchmark_scenes
from evaluation.scores.result_files import from_json, to_json
from evaluation.scores.results import FileScores
from evaluation.scores.scoring import score
from evaluation.scores.truth import read_scenes
from scenes.benchmarks.making import build_benchmark
from scenes.benchmarks.table import VERSION, digests_of


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a benchmark under another name, and its truth as predictions."""
    folder = tmp_path_factory.mktemp("benchmark")
    build_benchmark("multi_dsprites", out=folder / "any.h5", workers=1)
    with h5py.File(folder / "any.h5") as file, h5py.File(folder / "p.h5", "w") as predictions:
        predictions["segmentation"] = file["segmentation"][:]
    return folder


def test_scores_of_all_its_scenes_are_of_the_benchmark(place: Path) -> None:
    result = score(place / "any.h5", place / "p.h5", baselines=False)
    known, listed = result.benchmark, digests_of("multi_dsprites", 320)
    assert known is not None
    assert (known.name, known.version, known.rows) == ("multi_dsprites", VERSION, 320)
    assert (known.size, known.exact) == (64, True)
    assert (known.factors, known.pixels) == (listed.factors, listed.pixels)
    assert from_json(to_json(result)) == result
    assert json.loads(to_json(result))["benchmark"]["name"] == "multi_dsprites"


def test_scores_of_fewer_scenes_or_pixels_are_of_none(place: Path) -> None:
    fewer = score(place / "any.h5", place / "p.h5", n=12, baselines=False)
    assert fewer.benchmark is None
    assert "benchmark" not in json.loads(to_json(fewer))
    ignoring = score(place / "any.h5", place / "p.h5", ignore_label=0, baselines=False)
    assert ignoring.benchmark is None


def test_the_size_is_that_at_which_scenes_were_scored(place: Path) -> None:
    known = benchmark_scenes(place / "any.h5", read_scenes(place / "any.h5", 320, 32))
    assert known is not None
    assert known.size == 32


def test_a_changed_file_of_the_same_name_is_of_none(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "multi_dsprites.h5"
    shutil.copy(place / "any.h5", path)
    with h5py.File(path, "r+") as file:
        file["segmentation"][0] = 0
    assert benchmark_scenes(path, read_scenes(path)) is None


def test_files_from_before_are_read(place: Path) -> None:
    content = json.loads(to_json(score(place / "any.h5", place / "p.h5", n=2, baselines=False)))
    assert "benchmark" not in content
    result = from_json(json.dumps(content))
    assert isinstance(result, FileScores)
    assert result.benchmark is None
