"""What a run takes: counted, and turned into the steps that fit in a time."""

from dataclasses import replace
from itertools import product

import pytest
from monet.presets import PRESETS
from monet.training.costs import Costs

CONFIG = replace(PRESETS["quick"], score_every=5, save_every_s=20.0)


@pytest.mark.parametrize(("step", "last"), [(0, 0), (0, 4), (0, 5), (0, 6), (4, 11), (5, 10)])
def test_scores_are_counted_as_the_loop_makes_them(step: int, last: int) -> None:
    made = sum(at % 5 == 0 or at == last for at in range(step + 1, last + 1))
    assert Costs(1.0).scores_due(CONFIG, step, last) == made


def test_steps_scores_and_states_are_added_up() -> None:
    costs = Costs(step_s=2.0, score_s=10.0, save_s=0.5)
    # 12 steps, scores after 5, 10 and 12; a state each 20 s of these 54, and a last one.
    assert costs.seconds(CONFIG, 0, 12) == 24 + 3 * 10 + (2 + 1) * 0.5
    assert costs.seconds(CONFIG, 10, 11) == 2 + 10 + 0.5


def test_as_many_steps_fit_as_take_no_longer() -> None:
    for step_s, score_s, save_s, step, left_s in product(
        (0.1, 3.0), (0.0, 0.7, 40.0), (0.0, 1.0), (0, 3, 10), (-1.0, 0.0, 0.5, 12.0, 100.0)
    ):
        costs = Costs(step_s, score_s, save_s)
        fit = costs.steps_that_fit(CONFIG, step, left_s)
        assert fit == 0 or costs.seconds(CONFIG, step, step + fit) <= left_s
        assert costs.seconds(CONFIG, step, step + fit + 1) > left_s


def test_another_load_slows_steps_and_scores_alike() -> None:
    assert Costs(1.0, 30.0, 0.5).at_pace(2.0) == Costs(2.0, 60.0, 0.5)
    assert Costs(0.0, 30.0).at_pace(2.0) == Costs(2.0, 30.0)
