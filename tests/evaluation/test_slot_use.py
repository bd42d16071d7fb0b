"""What slots hold, on scenes whose answer is known."""

import numpy as np
import pytest
from evaluation.scores.slot_use import slot_use

ENTITIES = ("sky", "floor", "wall_left", "wall_right", "object_0", "object_1")


def test_a_perfect_segmentation_gives_each_slot_its_kind() -> None:
    true = np.random.default_rng(0).integers(0, 6, (20, 16, 16))
    use = slot_use(true, true, ENTITIES, 8)
    assert use.kinds == ("sky", "floor", "walls", "objects")
    assert use.used.tolist() == [1] * 6 + [0] * 2
    kind_of = [0, 1, 2, 2, 3, 3]
    for slot in range(6):
        assert use.mostly[slot, kind_of[slot]] == 1
        assert use.area[slot, kind_of[slot]] == pytest.approx((true == slot).mean())
    assert use.area[6:].sum() == 0


def test_computed_by_hand() -> None:
    # Two scenes of four pixels: sky, floor, wall, object; sky, floor, floor, object.
    true = np.array([[[0, 1], [2, 4]], [[0, 1], [1, 4]]])
    # Slot 0 takes sky and floor; slot 2 the rest. Slot 1 is never used.
    pred = np.array([[[0, 0], [2, 2]], [[0, 0], [0, 2]]])
    use = slot_use(true, pred, ENTITIES, 3)
    assert use.used.tolist() == [1, 0, 1]
    np.testing.assert_allclose(use.area[0], [2 / 8, 3 / 8, 0, 0])
    np.testing.assert_allclose(use.area[2], [0, 0, 1 / 8, 2 / 8])
    # A tie of sky and floor in the first scene goes to the sky, which comes first.
    np.testing.assert_allclose(use.mostly[0], [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(use.mostly[2], [0, 0, 0.5, 0.5])
    assert use.as_json()[1] == {
        "used": 0.0,
        "area": {"sky": 0.0, "floor": 0.0, "walls": 0.0, "objects": 0.0},
        "mostly": {"sky": 0.0, "floor": 0.0, "walls": 0.0, "objects": 0.0},
    }


def test_sprites_have_a_background_and_objects() -> None:
    true = np.array([[[0, 1], [0, 2]]])
    use = slot_use(true, true, ("background", "object_0", "object_1"), 3)
    assert use.kinds == ("background", "objects")
    assert use.area.tolist() == [[0.5, 0], [0, 0.25], [0, 0.25]]
