"""Partly hidden objects, by hand and on rendered rooms with their full extents."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation.predictions.contract import Predictions
from evaluation.scores.occlusion import EDGES, objects_in_view, occlusion
from evaluation.scores.results import Generalisation
from evaluation.scores.truth import TestScenes, read_scenes


def two_squares() -> TestScenes:
    """Returns a scene of 8 x 8 in which a front square hides half of the one behind."""
    segmentation = np.zeros((1, 8, 8), np.uint8)
    segmentation[0, 2:4, 2:6] = 1  # behind: 4 x 4, the lower half hidden
    segmentation[0, 4:8, 2:6] = 2
    amodal = np.zeros((1, 2, 8, 8), bool)
    amodal[0, 0, 2:6, 2:6] = True
    amodal[0, 1, 4:8, 2:6] = True
    return TestScenes(
        segmentation,
        ("background", "object_0", "object_1"),
        1,
        images=np.zeros((1, 8, 8, 3), np.uint8),
        amodal=amodal,
    )


def test_computed_by_hand() -> None:
    scenes = two_squares()
    extents = np.zeros((1, 3, 8, 8), bool)
    extents[0, 1, 2:5, 2:6] = True  # a quarter too little, half of what is hidden
    extents[0, 2, 4:8, 2:6] = True
    decoded = scenes.segmentation.copy()
    found = objects_in_view(
        scenes, Predictions(scenes.segmentation, 3, extents=extents, decoded=decoded)
    )
    np.testing.assert_allclose(found.visible, [0.5, 1])
    np.testing.assert_allclose(found.best_iou, [1, 1])
    np.testing.assert_allclose(found.attention_iou, [0.5, 1])
    np.testing.assert_allclose(found.largest_iou, [0.5, 1])
    np.testing.assert_allclose(found.decoded_iou, [12 / 16, 1])
    np.testing.assert_allclose(found.hidden_found, [0.5, np.nan])


def test_an_object_without_a_slot_is_not_judged() -> None:
    scenes = two_squares()
    everything = Predictions(
        np.zeros((1, 8, 8), np.uint8),
        2,
        extents=np.ones((1, 2, 8, 8), bool),
        decoded=np.zeros((1, 8, 8), np.uint8),
    )
    found = objects_in_view(scenes, everything)
    assert np.isnan(found.decoded_iou).tolist() == [True, False]
    scores = occlusion([found])
    assert [statistic.count for statistic in scores.recall] == [0, 1, 0, 0, 1]
    assert scores.recall[1].mean == scores.recall[4].mean == 0
    assert scores.completion["decoded_iou"].count == 0


def test_objects_fall_into_bins_with_their_upper_ends() -> None:
    found = objects_in_view(two_squares(), Predictions(two_squares().segmentation, 3))
    for fraction, expected in ((0.01, 0), (0.25, 0), (0.26, 1), (0.75, 2), (0.95, 3), (1.0, 4)):
        moved = replace(found, visible=np.full(2, fraction))
        counts = [statistic.count for statistic in occlusion([moved]).recall]
        assert counts == [2 if b == expected else 0 for b in range(len(EDGES) - 1)], fraction


def test_the_truth_finds_and_completes_every_object_in_rooms(
    folder: Path, result: Generalisation
) -> None:
    scenes = read_scenes(folder / "objects_6_32px.h5", 3, 32)
    assert scenes.amodal is not None
    extents = np.zeros((3, 10, 32, 32), bool)
    extents[:, 4:] = scenes.amodal
    found = objects_in_view(scenes, Predictions(scenes.segmentation, 10, extents=extents))
    assert len(found.visible) == 18
    assert (found.best_iou == 1).all()
    assert (found.visible < 1).any(), "six objects hide each other"
    # The part in view and the extent are rendered apart: they may differ by a pixel at an edge.
    assert found.decoded_iou.min() > 0.9
    np.testing.assert_allclose(found.attention_iou, found.visible)
    assert np.nanmin(found.hidden_found) > 0.9


def test_scenes_without_extents_are_refused(rooms_file: Path) -> None:
    scenes = read_scenes(rooms_file, 2)
    with pytest.raises(ValueError, match=re.escape("do not hold the objects' full extents")):
        objects_in_view(scenes, Predictions(scenes.segmentation, 7))
