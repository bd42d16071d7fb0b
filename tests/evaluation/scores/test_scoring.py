"""Scores of predictions with any labels, with pixels left out, and of scenes that do not fit."""

import json
import re
from pathlib import Path
from typing import Any

import evaluation
import h5py
import numpy as np
import pytest
from evaluation.cli import main
from evaluation.scores import values
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import values_of
from monet.model import Monet
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.multi_dsprites.config import MultiDSpritesConfig


@pytest.fixture(scope="module")
def scenes(rooms_file: Path) -> TestScenes:
    return read_scenes(rooms_file, 12)


@pytest.fixture
def halves(scenes: TestScenes) -> np.ndarray:
    """Returns the truth with each entity cut in a left and a right half: not a perfect result."""
    right = np.arange(32) >= 16
    return scenes.segmentation.astype(np.int64) + 10 * right


def scored(scenes: TestScenes, labels: np.ndarray, slots: int = 20) -> dict[str, np.ndarray]:
    return values_of(scenes, evaluation.Predictions(labels, slots))


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for name, row in one.items():
        np.testing.assert_array_equal(row, other[name], name)


@pytest.mark.parametrize("factor", [1, 100, 3449])
def test_scores_do_not_depend_on_how_large_the_labels_are(
    scenes: TestScenes, halves: np.ndarray, factor: int
) -> None:
    labels = (factor * halves).astype(np.uint16)
    same(scored(scenes, labels), scored(scenes, halves.astype(np.uint8)))


def test_scores_do_not_depend_on_how_many_scenes_are_counted_at_once(
    scenes: TestScenes, halves: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scored(scenes, halves)
    monkeypatch.setattr(values, "CELLS_AT_ONCE", 5 * values.MOST_ENTITIES * 20)
    same(scored(scenes, halves), whole)


def test_every_pixel_its_own_label_is_scored(scenes: TestScenes) -> None:
    own = np.arange(32 * 32).reshape(1, 32, 32).repeat(12, axis=0)
    result = scored(scenes, own, 1024)
    assert (result["slots_used"] == 1024).all()
    assert (np.abs(result["ari"]) < 1e-9).all()


@pytest.mark.parametrize("label", [255, -1, 65_535])
def test_ignored_pixels_are_in_no_score_of_any_row(
    rooms_file: Path, scenes: TestScenes, tmp_path: Path, label: int
) -> None:
    """Only the pixels that are left out are wrong: everything else is perfect."""
    left_out = np.random.default_rng(0).random(scenes.segmentation.shape) < 0.3
    labels = np.where(left_out, label, scenes.segmentation.astype(np.int64))
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["segmentation"] = labels
    out = tmp_path / "out"
    arguments = ["score", "--data", str(rooms_file), "--predictions", str(path), "--n", "12"]
    assert main([*arguments, "--ignore-label", str(label), "--out", str(out)]) == 0
    content: dict[str, Any] = json.loads((out / "scores.json").read_text())
    for name in ("ari", "ari_fg", "msc", "recall", "count", "miou", "mbo"):
        assert content["metrics"][name]["mean"] == pytest.approx(1), name
    whole = evaluation.score(rooms_file, str(path), n=12, ignore_label=label, baselines=False)
    assert whole.metrics["ari"].mean == pytest.approx(1)
    # Baselines and the ceiling are of the same pixels.
    everything = evaluation.score(rooms_file, _truth(scenes), n=12)
    assert content["baselines"]["2 x 2 grid"]["msc"]["mean"] != pytest.approx(
        everything.baselines["2 x 2 grid"]["msc"].mean, abs=1e-6
    )
    predictions = evaluation.Predictions(labels, 7)
    again = evaluation.score(rooms_file, predictions, n=12, ignore_label=label, baselines=False)
    assert again.metrics["ari"].mean == pytest.approx(1)


def _truth(scenes: TestScenes) -> evaluation.Predictions:
    return evaluation.Predictions(scenes.segmentation, 7)


def test_a_scene_of_ignored_pixels_alone_is_undefined_everywhere(
    rooms_file: Path, scenes: TestScenes
) -> None:
    labels = scenes.segmentation.astype(np.int64)
    labels[3] = 99
    predictions = evaluation.Predictions(labels, 7)
    result = evaluation.score(rooms_file, predictions, n=12, ignore_label=99)
    for name in ("mbo", "count", "slots_used", "slots_empty"):
        assert result.metrics[name].count == 11, name
    assert result.ceiling is not None
    assert result.ceiling["count"].count == 11


def test_an_ignored_label_is_of_predictions_alone(rooms_file: Path, model: Monet) -> None:
    with pytest.raises(UsageError, match="--ignore-label goes with --predictions"):
        evaluation.score(rooms_file, model, ignore_label=3)


def test_predictions_of_a_program_are_held_to_those_of_a_file(
    rooms_file: Path, scenes: TestScenes
) -> None:
    labels = scenes.segmentation.astype(np.int64)
    labels[2, 0, 0] = -1
    with pytest.raises(CommandError, match="labels must be 0 to 65,535, got -1 in scene 2"):
        evaluation.score(rooms_file, evaluation.Predictions(labels, 7), n=12)
    for colors, line in (
        (scenes.images / 127.5 - 1, "reconstruction: must be in [0, 1], got -0.98"),
        (scenes.images * np.nan, "reconstruction: must be finite, got nan in scene 0"),
    ):
        predictions = evaluation.Predictions(scenes.segmentation, 7, reconstruction=colors)
        with pytest.raises(CommandError, match=re.escape(f"predictions: {line}")):
            evaluation.score(rooms_file, predictions, n=12)


def test_scenes_that_are_not_square_never_reach_a_model_of_square_ones(
    tmp_path: Path, model: Monet, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "wide.h5"
    build(MultiDSpritesConfig(), n=8, seed=0, out=data, workers=1)
    with h5py.File(data, "r+") as file:  # as an import of other people's scenes is
        for key in ("image", "segmentation"):
            rows, attributes = file[key][:, 16:48], dict(file[key].attrs)
            del file[key]
            file[key] = rows
            file[key].attrs.update(attributes)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("images reached the model")

    arguments = ["--data", str(data), "--checkpoint", "multi_dsprites_quick"]
    line = (
        f"eval: {data}: images of 32 x 64 pixels (height x width) are not square, as the model's "
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Monet, "forward", refuse)
        for command in ("score", "represent", "report", "traverse"):
            n = [] if command == "traverse" else ["--n", "8"]
            assert main([command, *arguments, *n, "--out", str(tmp_path / "out")]) == 2, command
            err = capsys.readouterr().err
            assert err.startswith(line), command
            assert "--fit crop makes a file that suits" in err


@pytest.mark.parametrize("slots", ["256", "300", "100000"])
def test_a_model_is_asked_for_no_more_slots_than_can_be_shown(
    rooms_file: Path, capsys: pytest.CaptureFixture[str], slots: str
) -> None:
    for command in ("score", "represent", "report", "traverse", "generalise"):
        data = [] if command == "generalise" else ["--data", str(rooms_file)]
        assert main([command, *data, "--checkpoint", "objects_room_quick", "--slots", slots]) == 2
        assert capsys.readouterr().err == f"eval: --slots must be at most 255, got {slots}\n"
