"""Intersection over union, mbo and recall."""

import numpy as np
import pytest
from evaluation.metrics.overlap import best_iou, iou, mbo, recall


def table(*rows: list[int]) -> np.ndarray:
    return np.array([rows], np.int64)


def brute_iou(true: np.ndarray, pred: np.ndarray) -> list[float]:
    """Returns the best IoU of each of seven entities by sets of pixels; NaN out of view."""
    best = []
    for entity in range(7):
        mine = {*np.flatnonzero(true.ravel() == entity)}
        slots = [{*np.flatnonzero(pred.ravel() == slot)} for slot in range(6)]
        shares = [len(mine & slot) / len(mine | slot) for slot in slots if mine | slot]
        best.append(max(shares) if mine else np.nan)
    return best


def test_entities_alone_in_their_slots_overlap_wholly() -> None:
    perfect = table([9, 0, 0], [0, 0, 4], [0, 2, 0])
    assert mbo(perfect) == 1
    assert recall(perfect, 1) == 1


def test_one_slot_for_everything_overlaps_by_the_areas() -> None:
    useless = table([12], [3], [1])
    np.testing.assert_allclose(best_iou(useless), [[12 / 16, 3 / 16, 1 / 16]])
    assert mbo(useless) == pytest.approx(1 / 3)
    assert recall(useless, 1) == 0


def test_computed_by_hand() -> None:
    # Entities of 6, 4 and 2 pixels; slots of 7 and 5.
    given = table([6, 0], [1, 3], [0, 2])
    np.testing.assert_allclose(iou(given), [[[6 / 7, 0], [1 / 10, 3 / 6], [0, 2 / 5]]], rtol=1e-12)
    assert mbo(given) == pytest.approx((6 / 7 + 1 / 2 + 2 / 5) / 3)
    # An overlap of exactly a half is none.
    assert recall(given, 1) == 0
    assert recall(given, 0) == pytest.approx(1 / 3)


def test_entities_out_of_view_do_not_count() -> None:
    given = table([8, 0], [0, 0], [0, 3])
    assert np.isnan(best_iou(given)).tolist() == [[False, True, False]]
    assert mbo(given) == 1
    assert recall(given, 1) == 1


def test_no_object_leaves_recall_undefined_and_mbo_defined() -> None:
    empty = table([8, 1], [0, 0])
    assert np.isnan(recall(empty, 1)).all()
    assert mbo(empty) == pytest.approx(8 / 9)
    nothing = np.zeros((1, 2, 2), np.int64)
    assert np.isnan(mbo(nothing)).all()


def test_permuting_slots_changes_nothing(cases) -> None:
    permuted = cases.table[:, :, np.random.default_rng(1).permutation(cases.table.shape[2])]
    np.testing.assert_array_equal(mbo(cases.table), mbo(permuted))
    np.testing.assert_array_equal(recall(cases.table, 4), recall(permuted, 4))


def test_equals_sets_of_pixels_on_a_thousand_random_cases(cases) -> None:
    best = np.array([brute_iou(t, p) for t, p in zip(cases.true, cases.pred, strict=True)])
    np.testing.assert_allclose(best_iou(cases.table), best, rtol=1e-12)
    np.testing.assert_allclose(mbo(cases.table), [np.nanmean(b) for b in best], rtol=1e-12)
    objects = [b[4:][~np.isnan(b[4:])] for b in best]
    found = [np.mean(b > 0.5) if len(b) else np.nan for b in objects]
    np.testing.assert_allclose(recall(cases.table, 4), found, rtol=1e-12)
    assert 50 < np.isnan(found).sum() < 500


def test_equals_scikit_learns_jaccard_score_on_a_thousand_random_cases(cases) -> None:
    from sklearn.metrics import jaccard_score

    for case in range(1000):
        true, pred = cases.true[case].ravel(), cases.pred[case].ravel()
        entity, slot = true[0], pred[-1]
        expected = jaccard_score(true == entity, pred == slot)
        assert iou(cases.table[[case]])[0, entity, slot] == pytest.approx(expected, abs=1e-12)
