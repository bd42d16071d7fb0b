"""Scores gathered batch by batch are those of a whole file, to the last digit."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import evaluation
import h5py
import numpy as np
import pytest
import torch
from evaluation.scores.results import Statistic
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig

K, N = 6, 20


@pytest.fixture(scope="module")
def sprites_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sprites") / "sprites.h5"
    build(MultiDSpritesConfig(), n=N, seed=0, out=path, workers=1)
    return path


@pytest.fixture(scope="module", params=["rooms_file", "sprites_file"])
def file(request: pytest.FixtureRequest) -> SceneFile:
    """Returns scenes as rooms and as sprites."""
    return SceneFile(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def masks(file: SceneFile) -> np.ndarray:
    """Returns soft masks that are mostly right; the last slots hold little, and not everywhere."""
    true = file.segmentation(slice(N))
    rng = np.random.default_rng(0)
    drawn = rng.random((N, K, *true.shape[1:])).astype(np.float32)
    drawn[: N // 2, -1] = 0
    right = (true % (K - 1))[:, None] == np.arange(K)[:, None, None]
    drawn += 2 * right * (rng.random(true.shape) < 0.8)[:, None]
    return drawn / drawn.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def colors(file: SceneFile) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.05, file["image"][:N].shape)
    return (file["image"][:N] / 255 + noise).astype(np.float32)


def same(one: dict[str, Statistic], other: dict[str, Statistic]) -> None:
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(
            list(vars(one[name]).values()), list(vars(other[name]).values()), name
        )


@pytest.mark.parametrize("size", [1, 7, N])
def test_batches_of_any_size_equal_eval_score(
    file: SceneFile, masks: np.ndarray, colors: np.ndarray, tmp_path: Path, size: int
) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as written:
        written["masks"], written["reconstruction"] = masks, colors
    whole = evaluation.score(file.path, tmp_path / "p.h5", n=N)
    scores = evaluation.SegmentationScores(file.entities)
    for start in range(0, N, size):
        rows = slice(start, start + size)
        scores.update(
            torch.tensor(masks[rows]),
            torch.tensor(file.segmentation(slice(start, min(N, start + size)))),
            images=file["image"][start : min(N, start + size)],
            reconstruction=torch.tensor(colors[rows], requires_grad=True),
        )
    assert len(scores) == N
    same(scores.compute(), dict(whole.metrics))


def test_segmentations_and_one_hot_truth_equal_eval_score(
    file: SceneFile, masks: np.ndarray, tmp_path: Path
) -> None:
    """Slots that nobody told of are counted over all batches together."""
    labels = 40 * masks.argmax(axis=1)
    labels[:, :2] = -1
    with h5py.File(tmp_path / "p.h5", "w") as written:
        written["segmentation"] = labels
    whole = evaluation.score(file.path, tmp_path / "p.h5", n=N, baselines=False, ignore_label=-1)
    scores = evaluation.SegmentationScores(file.entities, ignore_label=-1)
    for start in range(0, N, 4):
        scores.update(labels[start : start + 4], file.masks(slice(start, start + 4)))
    same(scores.compute(), dict(whole.metrics))


def test_processes_gather_apart_and_merge(file: SceneFile, masks: np.ndarray) -> None:
    whole, first, second = (evaluation.SegmentationScores(file.entities) for _ in range(3))
    true = file.segmentation(slice(N))
    whole.update(masks, true)
    first.update(masks[:8], true[:8])
    second.update(masks[8:], true[8:])
    first.merge(pickle.loads(pickle.dumps(second)))
    same(first.compute(), whole.compute())
    assert len(second) == N - 8
    first.reset()
    assert len(first) == 0
    first.merge(whole)
    same(first.compute(), whole.compute())


def test_what_is_kept_of_an_image_does_not_grow_with_its_pixels(
    file: SceneFile, masks: np.ndarray
) -> None:
    scores = evaluation.SegmentationScores(file.entities)
    for _ in range(100):
        scores.update(masks, file.segmentation(slice(N)))
    assert len(pickle.dumps(scores)) < 200 * len(scores)


def test_the_scores_that_are_named_come_back_in_that_order(
    file: SceneFile, masks: np.ndarray
) -> None:
    named = evaluation.SegmentationScores(file.entities, metrics=("msc", "ari_fg"))
    every = evaluation.SegmentationScores(file.entities)
    for scores in (named, every):
        scores.update(masks, file.segmentation(slice(N)))
    result = named.compute()
    assert list(result) == ["msc", "ari_fg"]
    assert result["msc"] == every.compute()["msc"]


def test_a_number_of_entities_serves_where_they_have_no_names() -> None:
    true = np.array([[[0, 1], [2, 2]]])
    scores = evaluation.SegmentationScores(3)
    scores.update(true, true)
    result = scores.compute()
    assert result["msc"].mean == result["ari_fg"].mean == 1
    assert "ari_merged" not in result
    scores = evaluation.SegmentationScores(3, num_background=0)
    scores.update(np.zeros((1, 2, 2), dtype=int), true)
    assert scores.compute()["ari_fg"].mean == 0


def test_what_does_not_fit_is_refused_and_nothing_of_it_is_counted() -> None:
    true = np.zeros((2, 4, 4), dtype=int)
    even = np.full((2, 2, 4, 4), 0.5, dtype=np.float32)
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    scores = evaluation.SegmentationScores(2)
    with pytest.raises(UsageError, match="no images yet; update comes before compute"):
        scores.compute()
    scores.update(even, true)
    nan = even.copy()
    nan[1, 0, 2, 2] = np.nan
    cases: list[tuple[str, tuple[object, object], dict[str, object]]] = [
        ("predicted: must be finite, got nan in image 1", (nan, true), {}),
        ("predicted: must sum to 1 over the slots, got 2 in image 0", (2 * even, true), {}),
        ("predicted: expected (B, K, H, W) or (B, H, W), got (4, 4)", (true[0], true), {}),
        ("predicted: a segmentation after 2 masks", (true, true), {}),
        ("segmentation: expected integers, got float64", (true / 1, true), {}),
        ("truth: expected (2, 4, 4), got (1, 4, 4)", (even, true[:1]), {}),
        ("truth: entities are 0 to 1, got 2", (even, true + 2), {}),
        ("truth: entities are 0 to 1, got -1", (even, true - 1), {}),
        ("truth: expected integers, got float64", (even, true / 1), {}),
        ("truth: each pixel must be in one mask, which is 1 there", (even, even), {}),
        ("mse needs images and reconstruction, got one of them", (even, true), {"images": images}),
        (
            "images: expected uint8, got float64",
            (even, true),
            {"images": images / 1, "reconstruction": images / 1},
        ),
        (
            "reconstruction: must be finite, got inf in image 0",
            (even, true),
            {"images": images, "reconstruction": images + np.inf},
        ),
        (
            "images and reconstruction must come with every batch or with none",
            (even, true),
            {"images": images, "reconstruction": images / 1},
        ),
    ]
    for line, given, further in cases:
        with pytest.raises(CommandError, match=re.escape(f"SegmentationScores: {line}")):
            scores.update(*given, **further)
    assert len(scores) == 2
    with pytest.raises(UsageError, match="the other has other entities"):
        scores.merge(evaluation.SegmentationScores(3))
    with pytest.raises(UsageError, match="entities must be 1 to 256, got 0"):
        evaluation.SegmentationScores(())
    with pytest.raises(UsageError, match="num_background must be 0 to 2, got 3"):
        evaluation.SegmentationScores(2, num_background=3)
    with pytest.raises(UsageError, match="metrics are ari, ari_merged"):
        evaluation.SegmentationScores(2, metrics=("dice",))
    with_errors = evaluation.SegmentationScores(2, metrics=("mse",))
    with_errors.update(even, true)
    with pytest.raises(UsageError, match="these images have no mse: mse needs images"):
        with_errors.compute()


def test_it_loads_no_torch_and_is_found_in_both_places() -> None:
    code = (
        "import sys, evaluation, evaluation.metrics\n"
        "assert evaluation.metrics.SegmentationScores is evaluation.SegmentationScores\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
