"""Properties from latents: latents that are the factors, that mix them, and that are noise."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation.cli import main
from evaluation.predictions.batches import predict
from evaluation.predictions.contract import Predictions
from evaluation.report.tables import number, of_representation
from evaluation.scores.latents import Objects, matched_objects, read_factors, whole_image_latents
from evaluation.scores.predictors import dci, disentanglement_and_completeness, predict_properties
from evaluation.scores.result_files import from_content
from evaluation.scores.results import Representation
from evaluation.scores.truth import read_scenes
from monet.config import TrainConfig
from monet.model import Monet
from monet.presets import PRESETS
from monet.training.trainer import Trainer
from monet.weights import load, save_weights
from scenes.command_line import CommandError

M = 1500


@pytest.fixture(scope="module")
def factors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "shape": rng.integers(0, 3, M).astype(np.float64),
        "size": rng.random(M),
        "x": rng.random(M),
    }


def objects(factors: dict[str, np.ndarray], latents: np.ndarray) -> Objects:
    return Objects(np.arange(M) // 2, np.zeros(M, bool), latents.astype(np.float32), factors)


def test_latents_that_are_the_factors_are_perfect(factors: dict[str, np.ndarray]) -> None:
    given = objects(factors, np.stack(list(factors.values()), axis=1))
    found = dci(given)
    assert found.disentanglement > 0.98
    assert found.completeness > 0.98
    assert found.informativeness > 0.98
    for name, scores in predict_properties(given).items():
        assert scores.linear > 0.95, name
        assert scores.mlp > 0.9, name


def test_what_never_varies_is_left_out(factors: dict[str, np.ndarray]) -> None:
    latents = np.stack(list(factors.values()), axis=1)
    fixed = {**factors, "shape": np.full(M, 2.0), "y": np.full(M, 0.3)}
    scores = predict_properties(objects(fixed, latents))
    for name in ("shape", "y"):
        assert all(np.isnan(value) for value in vars(scores[name]).values())
    assert scores["x"].linear > 0.95
    varying = {name: factors[name] for name in ("size", "x")}
    assert dci(objects(fixed, latents)) == dci(objects(varying, latents))
    assert np.isnan(dci(objects({"y": fixed["y"], "x": factors["x"]}, latents)).completeness)


def test_noise_predicts_no_better_than_chance(factors: dict[str, np.ndarray]) -> None:
    given = objects(factors, np.random.default_rng(1).normal(size=(M, 4)))
    scores = predict_properties(given)
    assert 0.28 < scores["shape"].chance < 0.4
    assert abs(scores["shape"].linear - scores["shape"].chance) < 0.08
    for name in ("size", "x"):
        assert scores[name].linear < 0.05
        assert scores[name].mlp < 0.05
    assert dci(given).disentanglement < 0.1
    assert dci(given).informativeness < 0.2


def test_a_rotation_keeps_what_is_known_but_not_where(factors: dict[str, np.ndarray]) -> None:
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    straight = np.stack(list(factors.values()), axis=1)
    straight = (straight - straight.mean(0)) / straight.std(0)
    turned, plain = objects(factors, straight @ turn), objects(factors, straight)
    assert predict_properties(turned)["x"].linear > 0.95
    assert dci(turned).disentanglement < 0.6 < dci(plain).disentanglement
    assert dci(turned).completeness < 0.6 < dci(plain).completeness


def test_computed_by_hand() -> None:
    # The first latent serves one factor alone, the second two alike: 1 - log 2 / log 3.
    importance = np.array([[1.0, 0, 0], [0, 0.5, 0.5]])
    disentangled, complete = disentanglement_and_completeness(importance)
    assert disentangled == pytest.approx((1 + 1 - np.log(2) / np.log(3)) / 2)
    assert complete == 1
    assert disentanglement_and_completeness(np.ones((4, 3))) == pytest.approx((0, 0))
    # A latent that serves nothing has no weight.
    unused = np.concatenate([np.eye(3), np.zeros((1, 3))])
    assert disentanglement_and_completeness(unused) == pytest.approx((1, 1))


def test_too_few_objects_leave_everything_undefined() -> None:
    few = Objects(np.arange(9), np.ones(9, bool), np.ones((9, 2), np.float32), {"x": np.ones(9)})
    assert np.isnan(predict_properties(few)["x"].linear)
    assert np.isnan(dci(few).informativeness)


def test_a_shape_that_is_seen_once_is_no_error(factors: dict[str, np.ndarray]) -> None:
    shape = np.zeros(M)
    shape[[5, M - 5]] = 1
    scores = predict_properties(objects({"shape": shape}, np.stack([shape, factors["x"]], axis=1)))
    assert 0.9 < scores["shape"].chance < 1
    assert scores["shape"].mlp > 0.9


def test_the_table_says_why_scores_are_lacking(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    arguments = ["represent", "--checkpoint", "objects_room_quick", "--data", str(rooms_file)]
    assert main([*arguments, "--n", "24", "--out", str(tmp_path / "out")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "nan" not in printed
    said = "- stands where fewer than 50 objects are in the first four fifths of the scenes"
    assert said in printed
    assert printed.endswith(f"--n takes more scenes. {tmp_path / 'out' / 'representation.json'}")


def test_objects_in_rooms_get_the_latents_of_their_slots(rooms_file: Path) -> None:
    scenes = read_scenes(rooms_file, 40)
    latents = np.arange(40 * 7, dtype=np.float32).reshape(40, 7, 1)
    found = matched_objects(
        scenes, Predictions(scenes.segmentation, 7, latents=latents), read_factors(rooms_file, 40)
    )
    number = (found.latents[:, 0] - 7 * found.scene - 4).astype(int)
    assert ((number >= 0) & (number < 3)).all()
    visible = [len(np.unique(image[image >= 4])) for image in scenes.segmentation]
    assert len(found.scene) == sum(visible)
    assert found.alone.sum() == sum(count == 1 for count in visible)
    every = read_factors(rooms_file, 40)
    np.testing.assert_array_equal(found.factors["size"], every["size"][found.scene, number])
    # The camera looks at the room's centre from 3 m away: what it sees lies before it.
    assert (found.factors["forward"] > 0).all()
    column = [
        np.nonzero(scenes.segmentation[s] == 4 + o)[1].mean() - 15.5
        for s, o in zip(found.scene, number, strict=True)
    ]
    assert np.corrcoef(column, found.factors["right"])[0, 1] > 0.8


def test_a_models_latents_and_those_of_the_whole_image(model: Monet, rooms_file: Path) -> None:
    scenes = read_scenes(rooms_file, 6)
    found = matched_objects(scenes, predict(model, scenes.images), read_factors(rooms_file, 6))
    assert found.latents.shape == (len(found.scene), model.config.latent_dim)
    whole = whole_image_latents(model, scenes.images)
    assert whole.shape == (6, model.config.latent_dim)
    assert len(np.unique(whole, axis=0)) == 6


def test_a_file_without_factors_is_refused(tmp_path: Path, rooms_file: Path) -> None:
    import shutil

    import h5py

    path = tmp_path / "bare.h5"
    shutil.copy(rooms_file, path)
    with h5py.File(path, "r+") as file:
        del file["factors"]
    with pytest.raises(CommandError, match=re.escape(f"{path}: factors/shape: missing")):
        read_factors(path, 3)


def test_the_command_prints_a_table_and_writes_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Monet, rooms_file: Path
) -> None:
    weights = tmp_path / "run" / "model.safetensors"
    weights.parent.mkdir()
    config = replace(PRESETS["quick"], model=model.config)
    save_weights(weights, model.state_dict(), config, 0, "objects_room")
    arguments = [
        "represent",
        "--checkpoint",
        str(weights.parent),
        "--data",
        str(rooms_file),
        "--n",
        "384",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    for name in ("shape", "forward", "disentanglement", "alone in view"):
        assert name in printed
    content = json.loads((tmp_path / "out" / "representation.json").read_text())
    assert content["objects"]["slots"] > 300
    assert 0 <= content["properties"]["slots"]["shape"]["linear"] <= 1
    assert 0 <= content["dci"]["slots"]["disentanglement"] <= 1
    assert main([*arguments, "--whole-image", str(weights.parent)]) == 2
    assert "was not trained with --masks all-in-one" in capsys.readouterr().err


def test_the_whole_images_code_stands_beside_the_slots(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, run_folder: Path, rooms_file: Path
) -> None:
    config = TrainConfig(
        name="whole",
        model=replace(load(run_folder).config, num_slots=7),
        data=rooms_file,
        steps=2,
        batch_size=4,
        masks="all-in-one",
    )
    with Trainer(config, tmp_path / "whole") as trainer:
        trainer.run()
    arguments = ["represent", "--checkpoint", str(run_folder), "--data", str(rooms_file)]
    arguments += ["--whole-image", str(tmp_path / "whole"), "--n", "160"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert printed.count("whole ") == 4 == printed.count("alone in view"), "a column for each"
    content = json.loads((tmp_path / "out" / "representation.json").read_text())
    rows = ["slots", "whole image", "slots, alone in view", "whole image, alone in view"]
    for key in ("objects", "properties", "dci"):
        assert list(content[key]) == rows
    assert content["objects"]["slots"] == content["objects"]["whole image"] > 250
    for row in rows[:2]:
        assert 0 <= content["properties"][row]["shape"]["linear"] <= 1
    assert content["properties"]["slots"] != content["properties"]["whole image"]

    result = from_content(content)
    assert isinstance(result, Representation)
    properties, disentangling = of_representation(result)
    of_red = dict(zip(properties.head[1:], dict(properties.rows)["red"], strict=True))
    mlp = content["properties"]["whole image"]["red"]["mlp"]
    assert of_red["whole image: mlp"].text == number(mlp)
    completeness = number(content["dci"]["slots"]["completeness"])
    assert completeness in [cell.text for cell in dict(disentangling.rows)["slots"]]
