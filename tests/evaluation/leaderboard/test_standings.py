"""Means over seeds, with intervals over seeds apart from those over images."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation.leaderboard.standings import leaderboard, over_seeds
from evaluation.scores.result_files import from_json, to_json, write_result
from evaluation.scores.results import Generalisation
from leaderboards import Write, scenes_of, statistic
from scipy import stats


def test_the_interval_over_seeds_is_student_s() -> None:
    means = [0.70, 0.74, 0.71]
    mean = over_seeds(
        [statistic(value, half) for value, half in zip(means, (0.02, 0.03, 0.04), strict=True)]
    )
    low, high = stats.t.interval(0.95, 2, loc=np.mean(means), scale=stats.sem(means))
    assert (mean.low, mean.high) == pytest.approx((low, high))
    assert mean.mean == pytest.approx(np.mean(means))
    assert mean.half_over_images == pytest.approx(0.03)
    assert mean.count == 3


def test_one_seed_has_no_interval_over_seeds_and_none_no_mean() -> None:
    one = over_seeds([statistic(0.7)])
    assert (one.mean, one.count) == (0.7, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    undefined = replace(statistic(0.7), mean=math.nan)
    assert over_seeds([statistic(0.7), undefined]).count == 1
    assert math.isnan(over_seeds([undefined]).mean)
    assert over_seeds([]).count == 0


def test_equal_seeds_have_an_interval_of_no_width() -> None:
    mean = over_seeds([statistic(0.5), statistic(0.5)])
    assert mean.low == mean.high == mean.mean == 0.5


def test_seeds_are_folders_of_the_model_s(write: Write, tmp_path: Path) -> None:
    for seed, value in enumerate((0.6, 0.8)):
        write(f"slot-attention/seed{seed}/rooms_test", value, name="class name")
    write("Seed_3/x", 0.7, name="other")
    (table,) = leaderboard([tmp_path]).tables
    found = {standing.model: standing for standing in table.standings}
    assert [one.seed for one in found["slot-attention"].seeds] == [0, 1]
    assert found["slot-attention"].scores["ari_fg"].mean == pytest.approx(0.7)
    assert [one.seed for one in found[tmp_path.name].seeds] == [3]


def test_models_stand_by_their_score_each_with_its_refined_masks(
    write: Write, tmp_path: Path
) -> None:
    write("a", 0.6, name="worse", refined=0.9)
    write("b", 0.7, name="better", refined=0.65)
    write("c", 0.8, name="best", num_slots=9)
    (table,) = leaderboard([tmp_path / "a", tmp_path / "b", tmp_path / "c"]).tables
    assert [(one.model, one.masks, one.num_slots) for one in table.standings] == [
        ("best", "", 9),
        ("better", "", 7),
        ("better", "refined", 7),
        ("worse", "", 7),
        ("worse", "refined", 7),
    ]
    assert table.baselines["k-means on colour"]["ari_fg"].mean == 0.5


def test_each_benchmark_and_size_has_a_table_of_its_own(write: Write, tmp_path: Path) -> None:
    write("a", 0.6)
    write("b", 0.6, scenes_of("multi_dsprites"))
    write("c", 0.6, scenes_of(size=32))
    board = leaderboard([tmp_path])
    assert [(one.benchmark.name, one.benchmark.size) for one in board.tables] == [
        ("rooms_test", 64),
        ("rooms_test", 32),
        ("multi_dsprites", 64),
    ]


def test_baselines_that_differ_are_told(write: Write, tmp_path: Path) -> None:
    write("a", 0.6, name="a", baseline=0.5)
    write("b", 0.7, name="b", baseline=0.52)
    (table,) = leaderboard([tmp_path]).tables
    (remark,) = table.remarks
    assert "ari_fg of k-means on colour is 0.02 from that in" in remark
    assert table.baselines["k-means on colour"]["ari_fg"].mean == 0.5


def test_remarks_stand_in_the_order_of_scores(write: Write, tmp_path: Path) -> None:
    names = ("mse", "msc", "ari_fg", "recall", "count", "ari", "sc", "mbo")
    for model, mean in {"a": 0.4, "b": 0.5}.items():
        write(model, 0.6, baselines={"2 x 2 grid": {name: statistic(mean) for name in names}})
    (table,) = leaderboard([tmp_path]).tables
    assert [remark.split(": ")[1].split()[0] for remark in table.remarks] == list(names)


def test_conditions_of_eval_generalise_count_where_they_are_benchmarks(
    result: Generalisation, tmp_path: Path
) -> None:
    known = {"test": scenes_of(), "objects_6": scenes_of("rooms_six_objects")}
    write_result(replace(result, benchmarks=known), tmp_path)
    board = leaderboard([tmp_path])
    assert [one.benchmark.name for one in board.tables] == ["rooms_test", "rooms_six_objects"]
    standings = board.tables[0].standings
    kinds = {(one.masks, one.num_slots) for one in standings}
    assert {("", 9), ("refined", 9), ("decoded_masks", 9)} <= kinds
    own = next(one for one in standings if (one.masks, one.num_slots) == ("", 9))
    assert own.seeds[0].metrics == result.conditions["test"]
    assert board.tables[0].ceiling == result.ceilings["test"]


def test_a_leaderboard_is_written_and_read_without_a_loss(write: Write, tmp_path: Path) -> None:
    write("a", math.nan, refined=0.7)
    board = leaderboard([tmp_path])
    text = to_json(board)
    assert to_json(from_json(text)) == text


def test_the_same_scores_given_twice_count_once(write: Write, tmp_path: Path) -> None:
    write("m/seed0/score", 0.6)
    write("m/seed0/again", 0.6)
    (table,) = leaderboard([tmp_path, tmp_path / "m"]).tables
    (standing,) = table.standings
    assert len(standing.seeds) == 1
