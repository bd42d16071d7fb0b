"""All metrics together: by name, on images, and on degenerate scenes as they are defined."""

import numpy as np
from evaluation.metrics import METRICS, metrics_of_images, metrics_of_tables

ENTITIES = ("sky", "floor", "wall_left", "wall_right", "object_0", "object_1", "object_2")


def test_every_metric_is_there_by_name(cases) -> None:
    values = metrics_of_images(cases.true, cases.pred, ENTITIES, 4)
    assert set(values) == set(METRICS)
    again = metrics_of_tables(cases.table, ENTITIES, 4)
    for name in METRICS:
        assert values[name].shape == (1000,)
        np.testing.assert_array_equal(values[name], again[name])


def test_a_dataset_without_walls_has_no_merged_scores(cases) -> None:
    sprites = ("background", *(f"object_{i}" for i in range(6)))
    values = metrics_of_images(cases.true, cases.pred, sprites, 1)
    assert set(METRICS) - set(values) == {"ari_merged", "ari_paper"}


def test_the_truth_scores_one_wherever_it_is_defined(cases) -> None:
    values = metrics_of_images(cases.true, cases.true, ENTITIES, 4)
    for name in set(METRICS) - {"ari_merged", "ari_paper"}:
        defined = values[name][~np.isnan(values[name])]
        assert len(defined) > 500
        np.testing.assert_allclose(defined, 1, err_msg=name)


def test_with_no_object_only_some_scores_are_defined() -> None:
    true = np.random.default_rng(0).integers(0, 4, (3, 8, 8))
    for pred in (true, np.zeros_like(true), np.arange(192).reshape(3, 8, 8) % 64):
        values = metrics_of_images(true, pred, ENTITIES, 4)
        defined = {name for name, row in values.items() if not np.isnan(row).any()}
        assert defined == {"ari", "ari_merged", "ari_paper", "mbo", "count"}
        for name in set(METRICS) - defined:
            assert np.isnan(values[name]).all(), name


def test_no_score_leaves_its_range(cases) -> None:
    for name, row in metrics_of_tables(cases.table, ENTITIES, 4).items():
        lowest = -1 if name.startswith("ari") else 0
        assert np.nanmin(row) >= lowest - 1e-12, name
        assert np.nanmax(row) <= 1 + 1e-12, name


def test_images_that_show_few_entities_are_scored_like_the_others(cases) -> None:
    few = cases.true.max((1, 2)) <= 4
    alone = metrics_of_images(cases.true[few], cases.pred[few], ENTITIES, 4)
    together = metrics_of_tables(cases.table, ENTITIES, 4)
    for name in METRICS:
        np.testing.assert_allclose(alone[name], together[name][few], rtol=1e-12)
