"""Predictions in another order than the data file's are refused; useless ones are not."""

import re
from pathlib import Path

import numpy as np
import pytest
from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.order import check_order, check_rows
from evaluation.scores.truth import TestScenes, read_scenes
from scenes.command_line import CommandError

PATH = Path("p.h5")


@pytest.fixture(scope="module")
def given(rooms_file: Path) -> TestScenes:
    return read_scenes(rooms_file, 200)


@pytest.mark.parametrize("order", ["shuffled", "one off", "reversed"])
def test_the_truth_in_another_order_is_refused(given: TestScenes, order: str) -> None:
    rows = {
        "shuffled": np.random.default_rng(0).permutation(200),
        "one off": np.roll(np.arange(200), 1),
        "reversed": np.arange(200)[::-1],
    }[order]
    with pytest.raises(CommandError, match=re.escape("p.h5: not in the order of the data file")):
        check_order(PATH, given.segmentation, given.segmentation[rows])


def test_the_message_names_a_pair_that_fits(given: TestScenes) -> None:
    rows = np.random.default_rng(0).permutation(200)
    with pytest.raises(CommandError) as caught:
        check_order(PATH, given.segmentation, given.segmentation[rows])
    found = re.search(r"prediction (\d+) fits scene (\d+)", str(caught.value))
    assert found is not None
    assert rows[int(found[1])] == int(found[2])


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_passes_in_order(given: TestScenes, name: str) -> None:
    check_order(PATH, given.segmentation, BASELINES[name](given.images).segmentation)


@pytest.mark.parametrize("name", ["k-means on colour", "felzenszwalb"])
def test_a_models_predictions_in_another_order_are_refused(given: TestScenes, name: str) -> None:
    rows = np.random.default_rng(0).permutation(200)
    with pytest.raises(CommandError, match="not in the order"):
        check_order(PATH, given.segmentation, BASELINES[name](given.images).segmentation[rows])


def test_noise_and_slots_under_other_names_pass(given: TestScenes) -> None:
    rng = np.random.default_rng(0)
    check_order(PATH, given.segmentation, rng.integers(0, 9, given.segmentation.shape))
    names = np.array([rng.permutation(7) for _ in range(200)])
    renamed = np.take_along_axis(names, given.segmentation.reshape(200, -1).astype(int), axis=1)
    check_order(PATH, given.segmentation, renamed.reshape(given.segmentation.shape))


def test_a_few_scenes_tell_nothing(given: TestScenes) -> None:
    check_order(PATH, given.segmentation[:7], given.segmentation[:7][::-1])


def test_rows_that_a_file_names_must_count_up() -> None:
    check_rows(PATH, np.arange(5))
    with pytest.raises(CommandError, match=re.escape("p.h5: scene: prediction 1 is of scene 3;")):
        check_rows(PATH, np.array([0, 3, 2]))
