"""The weights that ship keep the scores that they carry, on scenes rendered anew."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation.shipped_weights import STEADY, check, config_of_tests, notes, scenes_of
from monet.weights import SHIPPED, read_weights, save_weights
from scenes.clevr.config import ClevrConfig
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.serialise import to_json

TOOL = Path(__file__).resolve().parents[2] / "tools" / "ship_weights"
EARLIER = Path(__file__).resolve().parents[1] / "scenes" / "earlier_drawings" / "sprites.h5"
SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.endswith("_64") else ())
        for name in SHIPPED_NAMES
    ],
)
def test_shipped_weights_keep_their_scores(name: str, tmp_path: Path) -> None:
    carried, anew = check(read_weights(SHIPPED / f"{name}.safetensors"), tmp_path)
    assert set(carried) == {"model", "refined"}
    for row, scores in carried.items():
        assert set(scores) == set(STEADY)
        assert anew[row] == pytest.approx(scores, abs=0.01)
    assert anew["refined"]["ari_fg"] > anew["model"]["ari_fg"]


def test_the_law_of_the_test_scenes_is_that_of_the_notes_the_training_file_or_the_argument(
    tmp_path: Path, run_folder: Path
) -> None:
    weights = read_weights(run_folder / "model.safetensors")
    with SceneFile(weights.config.data) as file:
        assert config_of_tests(weights) == replace(file.config, split="test")
    noted = replace(weights, notes={"test": '{"split": "test", "size": 96}'})
    assert config_of_tests(noted) == ObjectsRoomConfig(split="test", size=96)
    assert config_of_tests(noted, '{"size": 64}') == ObjectsRoomConfig(split="test", size=64)
    with pytest.raises(ValueError, match="brightness"):
        config_of_tests(weights, '{"brightness": 1}')
    absent = replace(weights, config=replace(weights.config, data=tmp_path / "absent.h5"))
    with pytest.raises(UsageError, match=re.escape("absent.h5 is not here; give the law of its")):
        config_of_tests(absent)
    with pytest.raises(UsageError, match="no test scenes of clevr can be made"):
        config_of_tests(replace(weights, dataset="clevr"), to_json(ClevrConfig("x", "", 320, 240)))


def test_scenes_of_an_earlier_drawing_are_not_scored_for_todays(tmp_path: Path) -> None:
    path = tmp_path / "multi_dsprites_test_64px.h5"
    shutil.copy(EARLIER, path)
    with SceneFile(path) as file:
        config, n = file.config, file.n
    with pytest.raises(UsageError, match=re.escape(f"{path}: drawn by another version")):
        scenes_of(config, n, 64, tmp_path)


def test_notes_name_no_commit_that_the_weights_do_not_name(
    tmp_path: Path, run_folder: Path
) -> None:
    weights = read_weights(run_folder / "model.safetensors")
    config = config_of_tests(weights, '{"size": 32}')
    scenes = scenes_of(config, 64, 32, tmp_path)
    known = {"seed": "0", "how": "by hand"}
    written, _ = notes(replace(weights, notes=known), config, scenes)
    assert {name: written[name] for name in known} == known
    assert set(written) == {*known, "test", "checked", "scores"}
    written, _ = notes(replace(weights, notes={"commit": "0123abc"}), config, scenes)
    assert written["commit"] == "0123abc"


def test_ship_weights_asks_for_the_law_where_no_file_tells_it(
    tmp_path: Path, run_folder: Path
) -> None:
    weights = read_weights(run_folder / "model.safetensors")
    path, config = tmp_path / "mine.safetensors", replace(weights.config, data=Path("absent.h5"))
    save_weights(path, weights.tensors, config, weights.step, weights.dataset)
    result = subprocess.run(
        [sys.executable, TOOL, path, "mine"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ship_weights: {path}: its training file absent.h5 is not")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]
