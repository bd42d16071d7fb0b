"""The adjusted Rand index of whole batches, and averaging down."""

import re

import numpy as np
import pytest
from scenes.segmentation import ari, ari_fg, contingency, images_at, segmentation_at
from sklearn.metrics import adjusted_rand_score


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_same_partition_under_other_names_scores_one(rng: np.random.Generator) -> None:
    true = rng.integers(0, 5, (20, 8, 8))
    assert np.allclose(ari(true, rng.permutation(9)[true]), 1)


def test_one_slot_for_everything_scores_zero(rng: np.random.Generator) -> None:
    true = rng.integers(0, 5, (20, 8, 8))
    assert np.allclose(ari(true, np.zeros_like(true)), 0)


def test_computed_by_hand() -> None:
    # Entities of 2 and 2 pixels, slots of 1 and 3: 1 pair together, of 2 and 3 among 6.
    true, pred = np.array([[[0, 0, 1, 1]]]), np.array([[[0, 1, 1, 1]]])
    assert ari(true, pred) == pytest.approx((1 - 2 * 3 / 6) / ((2 + 3) / 2 - 2 * 3 / 6))
    # Entities of 3 and 2, slots of 2 and 3: 1 + 1 pairs together, of 4 and 4 among 10.
    true, pred = np.array([[[0, 0, 0, 1, 1]]]), np.array([[[0, 0, 1, 1, 1]]])
    assert ari(true, pred) == pytest.approx((2 - 1.6) / (4 - 1.6))


def test_a_trivial_truth_is_undefined() -> None:
    one = np.zeros((1, 4, 4), int)
    distinct = np.arange(16).reshape(1, 4, 4)
    for true in (one, distinct):
        for pred in (one, distinct, distinct % 3):
            assert np.isnan(ari(true, pred)).all()
    assert np.isnan(ari(np.zeros((1, 0, 4), int), np.zeros((1, 0, 4), int))).all()
    assert ari(np.zeros((0, 4, 4), int), np.zeros((0, 4, 4), int)).shape == (0,)


def test_permuting_slots_changes_nothing(rng: np.random.Generator) -> None:
    true, pred = rng.integers(0, 5, (2, 20, 8, 8))
    assert np.allclose(ari(true, pred), ari(true, rng.permutation(5)[pred]), rtol=1e-12)


def test_equals_scikit_learn_on_a_thousand_random_cases(rng: np.random.Generator) -> None:
    for entities, slots in ((2, 2), (3, 9), (7, 7), (9, 1), (5, 40)):
        true = rng.integers(0, entities, (200, 6, 5))
        # Half the pixels agree with the truth, so that scores cover more than chance.
        agree = rng.random(true.shape) < 0.5
        pred = np.where(agree, true % slots, rng.integers(0, slots, true.shape))
        expected = [
            adjusted_rand_score(t.ravel(), p.ravel()) for t, p in zip(true, pred, strict=True)
        ]
        assert np.allclose(ari(true, pred), expected, rtol=0, atol=1e-12)


def test_object_pixels_alone_count_in_ari_fg(rng: np.random.Generator) -> None:
    true = rng.integers(0, 7, (100, 6, 6))
    pred = rng.integers(0, 4, (100, 6, 6))
    expected = [adjusted_rand_score(t[t >= 4], p[t >= 4]) for t, p in zip(true, pred, strict=True)]
    assert np.allclose(ari_fg(true, pred, 4), expected, rtol=0, atol=1e-12)
    background_shuffled = np.where(true < 4, rng.integers(0, 4, true.shape), pred)
    assert np.array_equal(ari_fg(true, pred, 4), ari_fg(true, background_shuffled, 4))


def test_fewer_than_two_objects_in_view_is_undefined() -> None:
    true = np.array([[[0, 0, 0]], [[0, 4, 4]], [[4, 5, 5]]])
    assert np.isnan(ari_fg(true, true, 4)).tolist() == [True, True, False]


def test_contingency_counts_each_image_apart(rng: np.random.Generator) -> None:
    true = rng.integers(0, 4, (70, 64, 64)).astype(np.uint8)
    pred = rng.integers(0, 9, (70, 64, 64)).astype(np.uint8)
    table = contingency(true, pred)
    assert table.shape == (70, 4, 9)
    for image in (0, 63, 64, 69):
        for entity in range(4):
            for slot in range(9):
                both = (true[image] == entity) & (pred[image] == slot)
                assert table[image, entity, slot] == both.sum()


def test_a_large_slot_index_in_a_narrow_type_does_not_wrap() -> None:
    true = np.full((3, 2, 2), 200, np.uint8)
    assert contingency(true, true)[2, 200, 200] == 4


def test_refuses_negative_indices() -> None:
    labels = np.zeros((1, 2, 2), int)
    with pytest.raises(ValueError, match=re.escape("pred must hold indices from 0, got -1")):
        contingency(labels, labels - 1)


def test_images_are_averaged_by_area_and_segmentations_by_majority() -> None:
    image = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    image[0, :2, :2, 0] = [[10, 20], [30, 42]]
    assert images_at(image, 2)[0, 0, 0].tolist() == [26, 0, 0]  # 25.5, to the nearest
    labels = np.array([[[1, 2, 0, 0], [2, 3, 0, 5], [4, 4, 1, 2], [3, 3, 2, 1]]], dtype=np.uint8)
    assert segmentation_at(labels, 2)[0].tolist() == [[2, 0], [3, 1]], "a draw: the lowest"
    assert images_at(image, 4) is image
    assert images_at(image[:, :, :2], 2)[0, :, 0].tolist() == [[26, 0, 0], [0, 0, 0]]
    assert segmentation_at(labels[:, :, :2], 2)[0].tolist() == [[2], [3]]
    with pytest.raises(ValueError, match="images of 4 x 3 pixels cannot be averaged down to 2"):
        images_at(image[:, :, :3], 2)
    with pytest.raises(ValueError, match="images of 4 pixels cannot be averaged down to 3"):
        images_at(image, 3)
