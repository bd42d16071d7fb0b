"""Baselines on real rooms: as strong as they are known to be."""

from pathlib import Path

import numpy as np
from evaluation.predictions.baselines import (
    BASELINES,
    felzenszwalb_regions,
    grid,
    kmeans_color,
    kmeans_color_and_place,
    one_slot,
)
from evaluation.predictions.contract import Predictions
from evaluation.scores.labels import MODEL
from evaluation.scores.results import Statistic
from evaluation.scores.rows import scores_of
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import values_of


def scenes(path: Path) -> TestScenes:
    return read_scenes(path, 64)


def test_one_slot_scores_nothing(rooms_file: Path) -> None:
    given = scenes(rooms_file)
    values = values_of(given, one_slot(given.images))
    assert np.nanmax(np.abs(values["ari_fg"])) == 0
    assert np.abs(values["ari"]).max() == 0
    assert set(values["slots_used"]) == {1.0}


def statistics_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Statistic]:
    return scores_of(scenes, {MODEL: predictions})[MODEL]


def test_the_grid_has_four_equal_quarters(rooms_file: Path) -> None:
    segmentation = grid(scenes(rooms_file).images).segmentation
    counts = [np.bincount(image.ravel(), minlength=4).tolist() for image in segmentation]
    assert counts == [[256] * 4] * 64


def test_colour_alone_scores_high_on_coloured_rooms(rooms_file: Path) -> None:
    given = scenes(rooms_file)
    of_colour = statistics_of(given, kmeans_color(given.images))
    of_place = statistics_of(given, grid(given.images))
    for name in ("ari_fg", "ari_merged", "msc"):
        assert of_colour[name].low > of_place[name].high, name
    assert of_colour["ari_merged"].mean > 0.75


def test_place_divides_what_colour_cannot(rooms_file: Path) -> None:
    given = scenes(rooms_file)
    coloured = np.zeros((1, 16, 16, 3), np.uint8)
    with_place = kmeans_color_and_place(coloured)
    assert len(np.unique(with_place.segmentation)) == with_place.num_slots == 7
    assert len(np.unique(kmeans_color(coloured).segmentation)) == 1
    scored, colour = (
        statistics_of(given, segment(given.images))
        for segment in (kmeans_color_and_place, kmeans_color)
    )
    assert scored["ari_merged"].high < colour["ari_merged"].low, "it divides floor and walls"


def test_clusters_do_not_depend_on_the_images_beside(rooms_file: Path) -> None:
    images = read_scenes(rooms_file, 128).images  # enough for a second process
    alone = kmeans_color(images[-3:]).segmentation
    assert np.array_equal(kmeans_color(images).segmentation[-3:], alone)


def test_felzenszwalb_finds_regions_of_a_hundredth_at_least(rooms_file: Path) -> None:
    given = scenes(rooms_file)
    found = felzenszwalb_regions(given.images)
    assert found.num_slots == found.segmentation.max() + 1
    for image in found.segmentation:
        sizes = np.unique(image, return_counts=True)[1]
        assert sizes.min() >= 10
        assert 2 <= len(sizes) <= 100
    assert (
        statistics_of(given, found)["msc"].mean
        > statistics_of(given, grid(given.images))["msc"].high
    )


def test_images_of_fewer_colours_than_clusters_are_segmented() -> None:
    image = np.zeros((1, 8, 8, 3), np.uint8)
    image[0, :4] = 200
    segmentation = kmeans_color(image).segmentation[0]
    assert len(np.unique(segmentation)) == 2
    assert len(np.unique(segmentation[:4])) == 1


def test_every_baseline_says_the_same_each_time(rooms_file: Path) -> None:
    images = scenes(rooms_file).images[:8]
    for segment in BASELINES.values():
        np.testing.assert_array_equal(segment(images).segmentation, segment(images).segmentation)


def test_a_perfect_prediction_scores_one(rooms_file: Path) -> None:
    given = scenes(rooms_file)
    perfect = Predictions(given.segmentation, 7, given.images.astype(np.float32) / 255)
    for name, statistic in statistics_of(given, perfect).items():
        if name in ("ari_merged", "ari_paper", "slots_used", "slots_empty"):
            continue  # entities taken as one, and numbers of slots
        expected = 0.0 if name == "mse" else 1.0
        assert isinstance(statistic, Statistic)
        assert abs(statistic.mean - expected) < 1e-6, name
