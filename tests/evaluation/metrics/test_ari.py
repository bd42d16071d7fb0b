"""Variants of the adjusted Rand index: entities merged, objects alone, scikit-learn's answers."""

import re

import numpy as np
import pytest
from evaluation.metrics.ari import (
    ari,
    ari_fg,
    ari_fg_sklearn,
    ari_merged,
    ari_paper,
    merge_entities,
    walls_and_sky_in_one_slot,
)
from sklearn.metrics import adjusted_rand_score

ENTITIES = ("sky", "floor", "wall_left", "wall_right", "object_0", "object_1", "object_2")


def table(*rows: list[int]) -> np.ndarray:
    return np.array([rows], np.int64)


ROOM = table([5, 0, 0], [0, 9, 0], [7, 0, 0], [6, 0, 0], [0, 0, 4])
"""What the paper reports: walls and sky in the first slot, the floor in the second."""


def test_every_entity_in_a_slot_of_its_own_scores_one() -> None:
    perfect = np.diag([5, 9, 7, 6, 4, 3])[None]
    assert ari(perfect) == 1
    assert ari_fg(perfect, 4) == 1
    assert ari_fg_sklearn(perfect, 4) == 1
    # Merged, a truth of fewer entities than the prediction has slots.
    assert ari_merged(perfect, ENTITIES) < 1
    assert ari_paper(perfect, ENTITIES) < ari_merged(perfect, ENTITIES)


def test_one_slot_for_everything_scores_zero() -> None:
    useless = table([5], [9], [7], [6], [4], [3])
    for score in (ari(useless), ari_merged(useless, ENTITIES), ari_paper(useless, ENTITIES)):
        assert score == 0
    assert ari_fg(useless, 4) == 0


def test_walls_and_sky_in_one_slot_is_perfect_in_ari_paper_alone() -> None:
    assert ari_paper(ROOM, ENTITIES) == 1
    assert ari_merged(ROOM, ENTITIES) < 1
    assert ari(ROOM) < ari_merged(ROOM, ENTITIES)


def test_computed_by_hand() -> None:
    # Objects of 2 and 2 pixels, slots of 1 and 3 of them: 1 pair together, of 2 and 3 among 6.
    given = table([9, 3], [0, 0], [0, 0], [0, 0], [1, 1], [0, 2])
    assert ari_fg(given, 4) == pytest.approx((1 - 2 * 3 / 6) / ((2 + 3) / 2 - 2 * 3 / 6))
    # Walls of 2 and 1 pixels as one of 3, and a floor of 2; slots of 2 and 3: 2 pairs together.
    walls = table([0, 0], [0, 2], [2, 0], [0, 1])
    assert ari_merged(walls, ENTITIES) == pytest.approx((2 - 1.6) / (4 - 1.6))


def test_fewer_than_two_objects_leave_ari_fg_undefined() -> None:
    none, one, divided = (
        table([8, 1], [0, 0]),
        table([8, 1], [0, 3]),
        table([8, 1], [1, 2]),
    )
    for given in (none, one, divided):
        assert np.isnan(ari_fg(given, 1)).all()
    assert np.isnan(ari_fg_sklearn(none, 1)).all()
    assert ari_fg_sklearn(one, 1) == 1
    assert ari_fg_sklearn(divided, 1) == 0


def test_a_view_of_one_entity_is_undefined() -> None:
    sky = table([9, 3], [0, 0], [0, 0], [0, 0])
    walls_and_sky = table([9, 3], [0, 0], [4, 0], [0, 2])
    assert np.isnan(ari(sky)).all()
    assert not np.isnan(ari_merged(walls_and_sky, ENTITIES)).any()
    assert np.isnan(ari_paper(walls_and_sky, ENTITIES)).all()


def test_permuting_slots_changes_nothing(cases) -> None:
    permuted = cases.table[:, :, np.random.default_rng(1).permutation(cases.table.shape[2])]
    for score in (
        ari,
        lambda t: ari_merged(t, ENTITIES),
        lambda t: ari_paper(t, ENTITIES),
        lambda t: ari_fg(t, 4),
        lambda t: ari_fg_sklearn(t, 4),
    ):
        np.testing.assert_allclose(score(cases.table), score(permuted), rtol=1e-12, atol=1e-14)


def test_equals_scikit_learn_on_a_thousand_random_cases(cases) -> None:
    walls, paper = np.arange(7), np.arange(7)
    walls[3] = 2
    paper[[2, 3]] = 0
    for score, names in (
        (ari(cases.table), np.arange(7)),
        (ari_merged(cases.table, ENTITIES), walls),
        (ari_paper(cases.table, ENTITIES), paper),
    ):
        trues = names[cases.true]
        expected = [
            adjusted_rand_score(t.ravel(), p.ravel())
            for t, p in zip(trues, cases.pred, strict=True)
        ]
        trivial = np.array([len(np.unique(t)) == 1 for t in trues])
        assert (np.isnan(score) == trivial).all()
        assert 0 < trivial.sum() < 400
        np.testing.assert_allclose(
            score[~trivial], np.array(expected)[~trivial], rtol=0, atol=1e-12
        )


def test_object_scores_equal_scikit_learn_on_a_thousand_random_cases(cases) -> None:
    plain, counted = ari_fg(cases.table, 4), ari_fg_sklearn(cases.table, 4)
    undefined = 0
    for case, (true, pred) in enumerate(zip(cases.true, cases.pred, strict=True)):
        on = true >= 4
        if not on.any():
            assert np.isnan(plain[case])
            assert np.isnan(counted[case])
            continue
        expected = adjusted_rand_score(true[on], pred[on])
        assert counted[case] == pytest.approx(expected, abs=1e-12)
        pixels = np.unique(true[on], return_counts=True)[1]
        if len(pixels) < 2 or (pixels == 1).all():
            undefined += 1
            assert np.isnan(plain[case])
        else:
            assert plain[case] == pytest.approx(expected, abs=1e-12)
    assert undefined > 50


def test_an_entity_that_is_not_there_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match=re.escape("no entity 'wall_right' among sky, floor")):
        merge_entities(ROOM, ("sky", "floor"), ("sky", "wall_right"))


def test_the_ceiling_is_what_the_paper_reports_on_the_same_areas(cases) -> None:
    ceiling = walls_and_sky_in_one_slot(cases.table, ENTITIES)
    np.testing.assert_array_equal(ceiling.sum(2), cases.table.sum(2))
    merged = np.where(np.isin(cases.true, (0, 2, 3)), 0, cases.true)
    expected = [
        adjusted_rand_score(t.ravel(), m.ravel()) for t, m in zip(cases.true, merged, strict=True)
    ]
    trivial = np.array([len(np.unique(t)) == 1 for t in cases.true])
    np.testing.assert_allclose(
        ari(ceiling)[~trivial], np.array(expected)[~trivial], rtol=0, atol=1e-12
    )
    defined = ~np.isnan(ari_paper(ceiling, ENTITIES))
    assert (ari_paper(ceiling, ENTITIES)[defined] == 1).all()
