"""Means, standard errors and bootstrap intervals."""

import numpy as np
import pytest
from evaluation.scores.intervals import statistics
from evaluation.scores.results import Statistic
from scipy.stats import bootstrap, sem


def one(values: list[float] | np.ndarray, resamples: int = 1000) -> Statistic:
    given = {"score": np.asarray(values, np.float64)}
    return statistics(given, np.random.default_rng(0), resamples=resamples)["score"]


def test_computed_by_hand() -> None:
    statistic = one([1.0, 2.0, 6.0])
    assert statistic.mean == 3
    assert statistic.sem == pytest.approx(np.sqrt((4 + 1 + 9) / 2 / 3))
    assert statistic.count == 3
    assert 1 <= statistic.low < 3 < statistic.high <= 6


def test_equals_numpy_and_scipy() -> None:
    values = np.random.default_rng(1).beta(2, 1, 200)
    statistic = one(values, resamples=5000)
    assert statistic.mean == pytest.approx(values.mean(), rel=1e-12)
    assert statistic.sem == pytest.approx(sem(values), rel=1e-12)
    expected = bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = expected.high - expected.low
    assert statistic.low == pytest.approx(expected.low, abs=0.05 * width)
    assert statistic.high == pytest.approx(expected.high, abs=0.05 * width)


def test_what_is_undefined_neither_counts_nor_shifts_the_mean() -> None:
    statistic = one([1.0, np.nan, 3.0, np.nan])
    assert (statistic.mean, statistic.count) == (2, 2)
    assert statistic.sem == pytest.approx(1)
    assert statistic.low == 1
    assert statistic.high == 3


def test_without_a_defined_value_nothing_is_claimed() -> None:
    for values in ([], [np.nan, np.nan]):
        statistic = one(values)
        assert statistic.count == 0
        assert np.isnan([statistic.mean, statistic.sem, statistic.low, statistic.high]).all()


def test_a_single_value_has_a_mean_but_no_interval() -> None:
    statistic = one([0.5, np.nan])
    assert (statistic.mean, statistic.count) == (0.5, 1)
    assert np.isnan([statistic.sem, statistic.low, statistic.high]).all()


def test_a_score_that_never_varies_has_an_interval_of_no_width() -> None:
    statistic = one([0.1] * 7)
    assert statistic.low <= statistic.mean <= statistic.high
    assert statistic.high - statistic.low < 1e-12
    assert statistic.sem < 1e-12


def test_the_order_of_images_and_other_scores_change_nothing_but_the_draw() -> None:
    values = np.random.default_rng(3).random(50)
    other = np.full(50, np.nan)
    alone = statistics({"a": values}, np.random.default_rng(0))["a"]
    beside = statistics({"b": other, "a": values}, np.random.default_rng(0))["a"]
    assert alone == beside
    assert one(values[::-1]).mean == pytest.approx(one(values).mean, rel=1e-12)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    drawn = {str(i): rng.exponential(1, 100) for i in range(400)}
    found = statistics(drawn, np.random.default_rng(0), resamples=400)
    covered = np.mean([s.low <= 1 <= s.high for s in found.values()])
    assert 0.90 < covered < 0.98


def test_no_scores_give_no_statistics() -> None:
    assert statistics({}, np.random.default_rng(0)) == {}
