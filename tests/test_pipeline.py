"""The words a user types, run as they are: render, train, score."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

BIN = Path(sys.executable).parent


def shell(command: str, cwd: Path) -> str:
    """Runs a command line in bash as in an activated environment."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder in which the three chained commands have run."""
    folder = tmp_path_factory.mktemp("pipeline")
    shell(
        "scenes render --n 600 --size 64"
        " && monet-train --preset quick --steps 40 --log-every 5"
        " && eval generalise --slots 9 --n 12",
        folder,
    )
    return folder


def test_the_chained_commands_leave_a_file_a_run_and_scores(pipeline: Path) -> None:
    with h5py.File(pipeline / "data/objects_room/train.h5") as file:
        assert file["image"].shape == (600, 64, 64, 3)
    (run,) = (pipeline / "runs").iterdir()
    for name in ("config.json", "metrics.jsonl", "model.safetensors", "state.pt"):
        assert (run / name).stat().st_size > 0
    (scores,) = pipeline.glob("results/**/scores.json")
    conditions = json.loads(scores.read_text())["conditions"]
    expected = {f"objects_{n}" for n in range(7)} | {"identical_color", "four_identical"}
    assert expected <= conditions.keys()
    for name in expected:
        statistic = conditions[name]["ari"]
        assert -1 <= statistic["low"] <= statistic["mean"] <= statistic["high"] <= 1
        assert statistic["count"] == 12
    assert conditions["objects_1"]["ari_fg"]["mean"] is None, "one object: nothing to compare"
    for name in ("decompositions.png", "generalisation.pdf"):
        assert (scores.parent / name).stat().st_size > 0


def test_training_lowers_the_loss(pipeline: Path) -> None:
    (metrics,) = pipeline.glob("runs/*/metrics.jsonl")
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_eval_runs_as_a_script_of_its_own_too(pipeline: Path) -> None:
    printed = shell(f"{BIN / 'eval'} generalise --slots 9 --n 12", pipeline)
    assert "one colour" in printed


MASKS = """
import h5py, pathlib
pathlib.Path("masks").mkdir()
for path in pathlib.Path("data/objects_room").glob("*.h5"):
    with h5py.File(path) as scenes, h5py.File(f"masks/{path.name}", "w") as masks:
        masks["segmentation"] = scenes["image"][..., 0] // 64
"""


@pytest.mark.slow
def test_masks_made_elsewhere_are_scored_in_every_condition(tmp_path: Path) -> None:
    (tmp_path / "masks.py").write_text(MASKS)
    printed = shell(
        "eval conditions --n 2 --size 16 && python masks.py && eval generalise --predictions masks",
        tmp_path,
    )
    assert "masks, 4 slots, 2 scenes of each condition" in printed
    (scores,) = tmp_path.glob("results/**/scores.json")
    assert len(json.loads(scores.read_text())["conditions"]) == 10


@pytest.mark.slow
def test_a_finished_file_is_extended_and_a_run_is_continued(pipeline: Path) -> None:
    shell("scenes render --n 616", pipeline)
    with h5py.File(pipeline / "data/objects_room/train.h5") as file:
        assert len(file["image"]) == 616
    before = json.loads((pipeline / "runs/quick/metrics.jsonl").read_text().splitlines()[-1])
    shell("monet-train --preset quick --stop-after 1s --log-every 1", pipeline)
    after = json.loads((pipeline / "runs/quick/metrics.jsonl").read_text().splitlines()[-1])
    assert after["step"] > before["step"]
