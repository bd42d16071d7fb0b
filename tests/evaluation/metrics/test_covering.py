"""Segmentation covering: by object and by area."""

import numpy as np
import pytest
from evaluation.metrics.covering import msc, sc


def table(*rows: list[int]) -> np.ndarray:
    return np.array([rows], np.int64)


def test_objects_alone_in_their_slots_are_covered_wholly() -> None:
    perfect = table([9, 0, 0], [0, 0, 4], [0, 2, 0])
    assert msc(perfect, 1) == 1
    assert sc(perfect, 1) == 1


def test_one_slot_for_everything_covers_by_the_areas() -> None:
    useless = table([12], [3], [1])
    assert msc(useless, 1) == pytest.approx((3 / 16 + 1 / 16) / 2)
    assert sc(useless, 1) == pytest.approx((3 * 3 + 1 * 1) / (16 * 4))


def test_computed_by_hand() -> None:
    # Objects of 4 and 2 pixels with best overlaps 3/6 and 2/5.
    given = table([6, 0], [1, 3], [0, 2])
    assert msc(given, 1) == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert sc(given, 1) == pytest.approx((4 * 1 / 2 + 2 * 2 / 5) / 6)


def test_a_slot_that_spills_into_the_background_covers_less() -> None:
    tight, spilt = table([8, 0], [0, 4]), table([4, 4], [0, 4])
    assert msc(tight, 1) == 1
    assert msc(spilt, 1) == pytest.approx(4 / 8)


def test_no_object_is_undefined_and_one_out_of_view_does_not_count() -> None:
    assert np.isnan(msc(table([8, 1], [0, 0]), 1)).all()
    assert np.isnan(sc(table([8, 1], [0, 0]), 1)).all()
    assert msc(table([8, 0], [0, 0], [0, 3]), 1) == 1


def test_permuting_slots_changes_nothing(cases) -> None:
    permuted = cases.table[:, :, np.random.default_rng(1).permutation(cases.table.shape[2])]
    np.testing.assert_array_equal(msc(cases.table, 4), msc(permuted, 4))
    np.testing.assert_array_equal(sc(cases.table, 4), sc(permuted, 4))


def test_equals_sets_of_pixels_on_a_thousand_random_cases(cases) -> None:
    for case, (true, pred) in enumerate(zip(cases.true, cases.pred, strict=True)):
        slots = [{*np.flatnonzero(pred.ravel() == k)} for k in np.unique(pred)]
        objects = [{*np.flatnonzero(true.ravel() == e)} for e in np.unique(true) if e >= 4]
        best = [max(len(o & slot) / len(o | slot) for slot in slots) for o in objects]
        areas = [len(o) for o in objects]
        mean = np.mean(best) if objects else np.nan
        weighted = np.average(best, weights=areas) if objects else np.nan
        tables = cases.table[[case]]
        np.testing.assert_allclose(msc(tables, 4), [mean], rtol=1e-12)
        np.testing.assert_allclose(sc(tables, 4), [weighted], rtol=1e-12)
