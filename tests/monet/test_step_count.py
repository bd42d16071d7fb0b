"""Steps and paces in words, the same wherever they stand."""

import pytest
from monet.step_count import pace_in_words, steps_in_words


@pytest.mark.parametrize(
    ("last", "earlier", "words"),
    [
        (0, 0, "0 steps"),
        (1, 0, "1 step"),
        (3000, 0, "3,000 steps"),
        (7615, 32795, "40,410 steps, the last stage 7,615"),
        (0, 5, "5 steps, the last stage 0"),
    ],
)
def test_steps_are_a_total_with_its_last_stage(last: int, earlier: int, words: str) -> None:
    assert steps_in_words(last, earlier) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1e-3, "1,000.0 steps a second"),
        (0.3, "3.3 steps a second"),
        (1.0, "1.0 steps a second"),
        (1.04, "1.0 s a step"),
        (9.94, "9.9 s a step"),
        (48.3, "48 s a step"),
    ],
)
def test_a_pace_is_never_nought_steps_a_second(seconds: float, words: str) -> None:
    assert pace_in_words(seconds) == words
