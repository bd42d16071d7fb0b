"""`eval` and its scripts: what they print, and one clear line for each mistake."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation.cli import main
from evaluation.predictions import checkpoints
from evaluation.predictions.checkpoints import choose_weights
from monet.model import Monet
from monet.weights import read_weights, save_weights
from scenes.cli import main as scenes
from scenes.command_line import UsageError


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("generalise", "--slots", "1"), "--slots must be at least 2, got 1"),
        (("generalise", "--checkpoint", "x"), "x: no such run folder"),
        (("generalise", "--checkpoint", "."), ".: no model.safetensors in this folder: not a run"),
        (("score", "--data", "x.h5"), "give one of --checkpoint and --predictions"),
        (("score", "--data", "x.h5", "--predictions", "p.h5"), "x.h5: no such file"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("eval: ")
    assert line in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_run_the_weights_that_ship_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_weights(None, "objects_room").name == "objects_room_64"
    assert choose_weights(None, "objects_room", 128).name == "objects_room_64"
    assert choose_weights(None, "objects_room", 32).name == "objects_room_quick"
    with pytest.raises(UsageError, match="no weights come with the package for its images of 48"):
        choose_weights(None, "objects_room", 48)
    shutil.copytree(run_folder, tmp_path / "runs/mine")
    assert choose_weights(None, "objects_room").name == "mine"
    monkeypatch.chdir(run_folder)
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)
    with pytest.raises(UsageError, match="no run on objects_room under runs and no weights come"):
        choose_weights(None, "objects_room")


def test_a_file_of_small_images_is_left_to_the_weights_for_them(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rooms_file: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "traverse", "--data", str(rooms_file), "--latent", "0")
    assert (code, err) == (0, "")
    assert out.startswith("results/traverse/objects_room_quick/scene_0_slot_1_latent_0.")


def test_a_file_of_other_scenes_asks_for_a_model_of_them(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run_folder: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run_folder, tmp_path / "runs/rooms")
    data = "sprites.h5"
    assert scenes(["sprites", "--n", "2", "--split", "test", "--workers", "1", "--out", data]) == 0
    capsys.readouterr()
    one = ("traverse", "--data", data, "--latent", "0")
    code, out, err = run(capsys, *one)
    assert (code, err) == (0, "")
    assert out.startswith("results/traverse/multi_dsprites_64/scene_0_slot_1_latent_0.")
    code, _, err = run(capsys, *one, "--checkpoint", "runs/rooms")
    assert (code, err) == (0, "eval: rooms was trained on objects_room, not on multi_dsprites\n")
    assert run(capsys, *one, "--checkpoint", "multi_dsprites_quick")[2] == ""


def test_a_run_that_cannot_be_used_or_was_made_for_other_scenes_is_said(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run_folder: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = read_weights(run_folder / "model.safetensors")
    element = replace(given.config, masks="element")
    places = {"element": (element, "objects_room"), "sprites": (given.config, "multi_dsprites")}
    for name, (config, dataset) in places.items():
        path = tmp_path / "runs" / name / "model.safetensors"
        path.parent.mkdir(parents=True)
        save_weights(path, given.tensors, config, 4, dataset)
    with pytest.raises(UsageError, match="trained with --masks element: its attention has learned"):
        choose_weights("runs/element", "objects_room")
    assert choose_weights("runs/sprites", "objects_room").name == "sprites"
    said = "eval: sprites was trained on multi_dsprites, not on objects_room\n"
    assert capsys.readouterr().err == said
    assert choose_weights("runs/sprites", "multi_dsprites").name == "sprites"
    assert capsys.readouterr().err == ""
    broken = Path("runs/broken/model.safetensors")
    broken.parent.mkdir()
    broken.write_text("none")
    choose_weights(None, "multi_dsprites")
    assert capsys.readouterr().err == (
        f"eval: {broken}: not safetensors, or cut short; left out\n"
        "eval: takes the newest run, sprites (4 steps); --checkpoint names others, such as "
        "multi_dsprites_64\n"
    )


@pytest.fixture
def truth(tmp_path: Path, rooms_file: Path) -> Path:
    """Returns predictions that equal the truth."""
    path = tmp_path / "truth.h5"
    with h5py.File(rooms_file) as file, h5py.File(path, "w") as predictions:
        segmentation = file["segmentation"][:]
        predictions["masks"] = (segmentation[:, None] == np.arange(7)[:, None, None]).astype("f4")
    return path


def test_predictions_of_any_program_are_scored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path, truth: Path
) -> None:
    out = tmp_path / "out"
    code, printed, _ = run(
        capsys, "score", "--data", str(rooms_file), "--predictions", str(truth), "--out", str(out)
    )
    assert code == 0
    scores = json.loads((out / "scores.json").read_text())
    assert (scores["checkpoint"], scores["predictions"]) == (None, str(truth))
    assert scores["metrics"]["ari"]["mean"] == 1
    assert scores["metrics"]["ari"]["count"] == 384
    assert scores["num_slots"] == 7
    assert scores["baselines"]["one slot"]["ari"]["mean"] == 0
    assert scores["ceiling"]["ari_paper"]["mean"] == 1
    assert 0.3 < scores["ceiling"]["ari"]["mean"] < 1
    assert "ceiling (walls with sky)" in printed
    assert "…" not in printed, "a column is cut"
    assert printed.splitlines()[-1] == str(out / "scores.json")


def test_scores_of_several_files_lie_side_by_side(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rooms_file: Path,
    run_folder: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(rooms_file, "other.h5")
    for data in (rooms_file, Path("other.h5")):
        assert (
            run(
                capsys,
                "score",
                "--data",
                str(data),
                "--checkpoint",
                str(run_folder),
                "--n",
                "4",
                "--no-baselines",
            )[0]
            == 0
        )
        scores = json.loads(Path(f"results/score/small/{data.stem}/scores.json").read_text())
        path = str(run_folder / "model.safetensors")
        assert scores["checkpoint"] == {"path": path, "name": "small", "step": 4}
        assert scores["data"] == str(data)


def test_scenes_that_are_not_square_are_scored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shared_data: Path
) -> None:
    data, predictions = tmp_path / "clevr.h5", tmp_path / "p.h5"
    source = shared_data / "tfrecords/clevr_with_masks.tfrecords"
    assert scenes(["import", str(source), "--out", str(data)]) == 0
    with h5py.File(data) as file, h5py.File(predictions, "w") as given:
        assert file["segmentation"].shape[1:] == (240, 320)
        given["segmentation"] = file["segmentation"][:]
        n = len(given["segmentation"])
    code, _, err = run(
        capsys,
        "score",
        "--data",
        str(data),
        "--predictions",
        str(predictions),
        "--out",
        str(tmp_path / "out"),
    )
    assert (code, err) == (0, "")
    ari = json.loads((tmp_path / "out/scores.json").read_text())["metrics"]["ari"]
    assert (ari["mean"], ari["count"]) == (1, n)


def test_shorter_predictions_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path, truth: Path
) -> None:
    with h5py.File(truth, "r+") as file:
        masks = file["masks"][:100]
        del file["masks"]
        file["masks"] = masks
    code, _, err = run(
        capsys,
        "score",
        "--data",
        str(rooms_file),
        "--predictions",
        str(truth),
        "--out",
        str(tmp_path / "out"),
    )
    expected = f"eval: {truth}: masks: expected (384, K, 32, 32), got (100, 7, 32, 32)\n"
    assert (code, err) == (1, expected)
    assert not (tmp_path / "out").exists()


def test_shuffled_predictions_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path, truth: Path
) -> None:
    with h5py.File(truth, "r+") as file:
        file["masks"][:] = file["masks"][:][np.random.default_rng(0).permutation(384)]
    out = tmp_path / "out"
    code, printed, err = run(
        capsys, "score", "--data", str(rooms_file), "--predictions", str(truth), "--out", str(out)
    )
    assert (code, printed) == (1, "")
    assert err.startswith(f"eval: {truth}: not in the order of the data file: prediction ")
    assert err.count("\n") == 1
    assert not out.exists()
    with h5py.File(truth, "r+") as file:
        file["scene"] = np.arange(384)  # it says that it is in order: then it is bad, not shuffled
    code, _, err = run(
        capsys, "score", "--data", str(rooms_file), "--predictions", str(truth), "--out", str(out)
    )
    assert (code, err) == (0, "")
    assert json.loads((out / "scores.json").read_text())["metrics"]["ari"]["mean"] < 0.5


@pytest.mark.slow
def test_scoring_predictions_needs_neither_torch_nor_mujoco(
    tmp_path: Path, rooms_file: Path, truth: Path
) -> None:
    code = (
        "import sys\n"
        "from evaluation.cli import main\n"
        f"code = main(['score', '--data', {str(rooms_file)!r}, '--predictions', {str(truth)!r},"
        f" '--out', {str(tmp_path / 'out')!r}])\n"
        "loaded = {'torch', 'mujoco', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_commands_share_a_cache_and_a_second_time_nothing_is_decomposed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run_folder: Path,
    rooms_file: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ("--checkpoint", str(run_folder), "--data", str(rooms_file))
    commands = (
        ("represent", "--n", "16", *given),
        ("report", "--n", "16", "--slots", "5", *given),
        ("traverse", "--slot", "2", *given),
        ("figures", "--figures", "3", "5", *given),
    )

    def kept() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in Path("results/.cache").iterdir()}

    def made() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in Path("results").rglob("*")
            if path.suffix in {".json", ".png", ".gif", ".svg"}
        }

    added: dict[str, int] = {}
    for arguments in commands:
        code, _, err = run(capsys, *arguments)
        assert code == 0, err
        added[arguments[0]] = len(kept()) - sum(added.values())
    # The report's scores are of the scenes and slots of `represent`: it adds four groups of scenes
    # to look into, each with the attention's masks and with refined ones. Figure 3 is one
    # decomposition; figure 5 chooses from one and shows another.
    assert added == {"represent": 1, "report": 8, "traverse": 1, "figures": 3}
    first, times = made(), kept()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(Monet, "forward", refuse)
    for arguments in commands:
        code, _, err = run(capsys, *arguments)
        assert code == 0, err
    assert kept() == times
    assert made() == first
