"""What slots hold, on scenes whose answer is known."""

import numpy as np
import pytest
from evaluation.scores.results import SlotUse
from evaluation.scores.slot_use import slot_use

ENTITIES = ("sky", "floor", "wall_left", "wall_right", "object_0", "object_1")


def test_a_perfect_segmentation_gives_each_slot_its_kind() -> None:
    true = np.random.default_rng(0).integers(0, 6, (20, 16, 16))
    use = slot_use(true, true, ENTITIES, 8)
    assert [slot.used for slot in use] == [1] * 6 + [0] * 2
    kind_of = ["sky", "floor", "walls", "walls", "objects", "objects"]
    for slot in range(6):
        assert list(use[slot].area) == ["sky", "floor", "walls", "objects"]
        assert use[slot].mostly[kind_of[slot]] == 1
        assert use[slot].area[kind_of[slot]] == pytest.approx((true == slot).mean())
    assert not any(share for slot in use[6:] for share in slot.area.values())


def test_computed_by_hand() -> None:
    # Two scenes of four pixels: sky, floor, wall, object; sky, floor, floor, object.
    true = np.array([[[0, 1], [2, 4]], [[0, 1], [1, 4]]])
    # Slot 0 takes sky and floor; slot 2 the rest. Slot 1 is never used.
    pred = np.array([[[0, 0], [2, 2]], [[0, 0], [0, 2]]])
    use = slot_use(true, pred, ENTITIES, 3)
    assert [slot.used for slot in use] == [1, 0, 1]
    np.testing.assert_allclose(list(use[0].area.values()), [2 / 8, 3 / 8, 0, 0])
    np.testing.assert_allclose(list(use[2].area.values()), [0, 0, 1 / 8, 2 / 8])
    # A tie of sky and floor in the first scene goes to the sky, which comes first.
    np.testing.assert_allclose(list(use[0].mostly.values()), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(list(use[2].mostly.values()), [0, 0, 0.5, 0.5])
    nothing = {"sky": 0.0, "floor": 0.0, "walls": 0.0, "objects": 0.0}
    assert use[1] == SlotUse(used=0.0, area=nothing, mostly=nothing)


def test_sprites_have_a_background_and_objects() -> None:
    true = np.array([[[0, 1], [0, 2]]])
    use = slot_use(true, true, ("background", "object_0", "object_1"), 3)
    assert [slot.area for slot in use] == [
        {"background": 0.5, "objects": 0},
        {"background": 0, "objects": 0.25},
        {"background": 0, "objects": 0.25},
    ]
