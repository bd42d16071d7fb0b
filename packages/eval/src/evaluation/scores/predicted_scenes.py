"""Predictions of scenes, made by any program, held to the rules of docs/metrics.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scenes.command_line import CommandError

from evaluation.predictions.checks import check_colors, check_finite, without_ignored
from evaluation.predictions.contract import Predictions
from evaluation.predictions.order import check_order
from evaluation.predictions.prediction_file import read_predictions
from evaluation.scores.truth import TestScenes


def predictions_of(
    scenes: TestScenes,
    source: Predictions | str | Path,
    ignore_label: int | None = None,
    *,
    cut: bool = False,
) -> Predictions:
    """Returns predictions of these scenes, read from their file where they lie in one.

    Args:
        scenes: that they are of.
        source: the predictions, or their file.
        ignore_label: slot whose pixels are left out.
        cut: whether predictions of further scenes may follow, as of a file of which `n` scenes
            are scored.

    Raises:
        CommandError: they do not fit the scenes, or are in another order.
    """
    if isinstance(source, Predictions):
        return _checked(source, scenes, ignore_label)
    path = Path(source)
    predictions = read_predictions(
        path, scenes.images, may_be_longer=cut, ignore_label=ignore_label
    )
    if not predictions.names_scenes:
        check_order(path, scenes.segmentation, predictions.segmentation)
    return predictions


def _checked(predictions: Predictions, scenes: TestScenes, ignore_label: int | None) -> Predictions:
    """Returns the predictions of a program, held to what is asked of those in a file."""
    shape = scenes.images.shape[:3]
    if predictions.segmentation.shape != shape:
        raise CommandError(
            f"predictions: segmentation: expected {shape}, got {predictions.segmentation.shape}"
        )
    segmentation, ignored = without_ignored(predictions.segmentation, ignore_label, "predictions")
    if predictions.ignored is not None:
        ignored = predictions.ignored if ignored is None else ignored | predictions.ignored
    colors = predictions.reconstruction
    if colors is not None:
        if colors.shape != (*shape, 3):
            raise CommandError(
                f"predictions: reconstruction: expected {(*shape, 3)}, got {colors.shape}"
            )
        check_finite(colors, "predictions", "reconstruction", "scene")
        check_colors(colors, scenes.images, "predictions", "reconstruction")
    return replace(predictions, segmentation=segmentation, ignored=ignored)
