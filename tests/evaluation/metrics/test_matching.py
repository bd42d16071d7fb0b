"""Objects matched one-to-one with slots, and the count of object slots."""

from itertools import permutations

import numpy as np
import pytest
from evaluation.metrics.matching import count, match_objects, miou


def table(*rows: list[int]) -> np.ndarray:
    return np.array([rows], np.int64)


def brute_miou(true: np.ndarray, pred: np.ndarray) -> float:
    """Returns the best mean IoU over every assignment of distinct slots to the objects."""
    objects = [true == entity for entity in np.unique(true) if entity >= 4]
    if not objects:
        return np.nan
    share = [[(o & (pred == k)).sum() / (o | (pred == k)).sum() for k in range(6)] for o in objects]
    orders = permutations(range(6), len(objects))
    return max(sum(share[i][k] for i, k in enumerate(order)) for order in orders) / len(objects)


def test_objects_alone_in_their_slots_match_wholly() -> None:
    perfect = table([9, 0, 0], [0, 0, 4], [0, 2, 0])
    assert miou(perfect, 1) == 1
    assert match_objects(perfect, 1).tolist() == [[2, 1]]
    assert count(perfect, 1) == 1


def test_one_slot_for_everything_matches_one_object() -> None:
    useless = table([12], [3], [1])
    assert miou(useless, 1) == pytest.approx(3 / 16 / 2)
    assert match_objects(useless, 1).tolist() == [[0, -1]]
    assert count(useless, 1) == 0


def test_computed_by_hand() -> None:
    # Both objects overlap slot 1 most, 4/6 and 2/6; one of them must take slot 0, 1/12 for either.
    given = table([6, 0], [1, 4], [0, 2])
    assert miou(given, 1) == pytest.approx((4 / 7 + 0) / 2)
    assert match_objects(given, 1).tolist() == [[1, -1]]
    shared = table([6, 0], [1, 3], [1, 3])
    assert miou(shared, 1) == pytest.approx((3 / 7 + 1 / 11) / 2)


def test_no_object_is_undefined_but_can_be_counted() -> None:
    empty = table([8, 1], [0, 0])
    assert np.isnan(miou(empty, 1)).all()
    assert match_objects(empty, 1).tolist() == [[-1]]
    assert count(empty, 1) == 1
    assert np.isnan(count(np.zeros((1, 2, 2), np.int64), 1)).all()


def test_an_object_out_of_view_has_no_slot_and_does_not_count() -> None:
    given = table([8, 0], [0, 0], [0, 3])
    assert miou(given, 1) == 1
    assert match_objects(given, 1).tolist() == [[-1, 1]]
    assert count(given, 1) == 1


def test_slots_are_counted_by_what_they_hold_most_of() -> None:
    # The object is divided between two slots: two object slots for one object.
    assert count(table([8, 0, 0], [0, 2, 2]), 1) == 0
    # A slot half object, half background is the background's; an empty slot is nobody's.
    assert count(table([8, 2, 0], [0, 2, 0]), 1) == 0
    assert count(table([8, 1, 0], [0, 2, 0]), 1) == 1


def test_permuting_slots_changes_nothing(cases) -> None:
    order = np.random.default_rng(1).permutation(cases.table.shape[2])
    permuted = cases.table[:, :, order]
    np.testing.assert_allclose(miou(cases.table, 4), miou(permuted, 4), rtol=1e-12)
    np.testing.assert_array_equal(count(cases.table, 4), count(permuted, 4))


def test_equals_every_assignment_tried_on_a_thousand_random_cases(cases) -> None:
    expected = [brute_miou(t, p) for t, p in zip(cases.true, cases.pred, strict=True)]
    np.testing.assert_allclose(miou(cases.table, 4), expected, rtol=1e-12, atol=1e-12)


def test_matched_slots_give_that_score_and_are_never_shared(cases) -> None:
    from evaluation.metrics.overlap import iou

    slots = match_objects(cases.table, 4)
    overlap = iou(cases.table)[:, 4:]
    taken = np.take_along_axis(overlap, np.maximum(slots, 0)[:, :, None], axis=2)[:, :, 0]
    total = np.where(slots >= 0, taken, 0).sum(1)
    visible = (cases.table[:, 4:].sum(2) > 0).sum(1)
    some = visible > 0
    np.testing.assert_allclose(total[some] / visible[some], miou(cases.table, 4)[some], rtol=1e-12)
    for row in slots:
        held = row[row >= 0]
        assert len(np.unique(held)) == len(held)


def test_count_equals_brute_force_on_a_thousand_random_cases(cases) -> None:
    expected = []
    for true, pred in zip(cases.true, cases.pred, strict=True):
        holds = [np.bincount(true[pred == k], minlength=7).argmax() for k in np.unique(pred)]
        objects = sum(entity >= 4 for entity in np.unique(true))
        expected.append(float(sum(entity >= 4 for entity in holds) == objects))
    np.testing.assert_array_equal(count(cases.table, 4), expected)
    assert 0.1 < np.mean(expected) < 0.9
