"""Scores of a model, or of predictions, on a file of scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scenes.command_line import CommandError, UsageError
from scenes.progress import in_turn

from evaluation.folders import check_writable
from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.checks import check_colors, check_finite, without_ignored
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import ROUNDS, Model, ScoredModel, check_slots, scored_model
from evaluation.predictions.order import check_order
from evaluation.predictions.prediction_file import read_predictions
from evaluation.scores.benchmark_scenes import benchmark_scenes
from evaluation.scores.labels import CEILING, DECODED, REFINED
from evaluation.scores.result_files import write_result
from evaluation.scores.results import FileScores
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.scores.values import ceiling_values, decoded_masks, statistics_of_rows, values_of

_MODEL = "model"


def score(
    data: str | Path,
    model: Model | ScoredModel | Predictions | str | Path,
    *,
    slots: int | None = None,
    n: int | None = None,
    baselines: bool = True,
    ignore_label: int | None = None,
    out: str | Path | None = None,
    cache: Cache | None = None,
) -> FileScores:
    """Scores a model, or predictions of any program, on a file of scenes.

    Example:
        >>> import evaluation
        >>> result = evaluation.score("rooms.h5", "predictions.h5", baselines=False)
        >>> result.metrics["ari_fg"].mean
        1.0
        >>> result.metrics["ari_fg"].count <= result.n
        True

    Args:
        data: file of scenes with their truth.
        model: any `Model`, `Predictions`, or an HDF5 file of predictions (docs/metrics.md).
        slots: slots to use; the model's own number by default.
        n: number of scenes; all by default.
        baselines: score baselines beside.
        ignore_label: slot of predictions whose pixels are left out, of the baselines' scores too.
        out: folder into which scores.json is written; nothing is written by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: an argument does not suit the others, the file or the model.
        CommandError: a file cannot be read, or the predictions do not fit the scenes.
    """
    of_model = not isinstance(model, str | Path | Predictions)
    check_request(slots, n, of_model=of_model)
    if ignore_label is not None and of_model:
        raise UsageError("--ignore-label goes with --predictions")
    if out is not None:
        check_writable(Path(out))
    data, cache = Path(data), cache or Cache(None)
    refined, identity, path = None, None, None
    if isinstance(model, str | Path | Predictions):
        scenes = read_scenes(data, n)
        path = None if isinstance(model, Predictions) else Path(model)
        predictions = _predictions_of(scenes, model, ignore_label, cut=n is not None)
        scenes = replace(scenes, ignored=predictions.ignored)
    else:
        subject = scored_model(model)
        asked = subject.slots(slots)
        scenes = read_scenes(data, n, subject.image_size)
        predictions = cache.of_model(subject, scenes.images, asked)
        if subject.refines:
            refined = cache.of_model(subject, scenes.images, asked, ROUNDS)
        identity = subject.identity
    scored = {_MODEL: predictions, DECODED: decoded_masks(predictions), REFINED: refined}
    names = tuple(BASELINES) if baselines else ()
    for name in in_turn("baselines", names):
        scored[name] = cache.of_baseline(name, BASELINES[name], scenes.images)
    present = {row: each for row, each in scored.items() if each is not None}
    values = {row: values_of(scenes, present[row]) for row in in_turn("scoring", list(present))}
    highest = ceiling_values(scenes)
    if highest is not None:
        values[CEILING] = highest
    rows = statistics_of_rows(values)
    result = FileScores(
        checkpoint=identity,
        predictions=None if path is None else str(path),
        data=str(data),
        n=len(scenes.images),
        num_slots=predictions.num_slots,
        metrics=rows[_MODEL],
        decoded_masks=rows.get(DECODED),
        refined=rows.get(REFINED),
        baselines={name: rows[name] for name in names},
        ceiling=rows.get(CEILING),
        benchmark=benchmark_scenes(data, scenes),
    )
    if out is not None:
        write_result(result, Path(out))
    return result


def check_request(
    slots: int | None, n: int | None, *, fewest: int = 1, of_model: bool = True
) -> None:
    """Refuses numbers that nothing can be scored with.

    Args:
        slots: slots to use, where a number is asked for.
        n: scenes to score, where a number is asked for.
        fewest: scenes that are needed.
        of_model: whether a model is scored, which alone has slots to choose.

    Raises:
        UsageError: they are too few or too many, or do not go with what is scored.
    """
    check_slots(slots)
    if n is not None and n < fewest:
        raise UsageError(f"--n must be at least {fewest}, got {n}")
    if slots is not None and not of_model:
        raise UsageError("--slots goes with --checkpoint or --model")


def _predictions_of(
    scenes: TestScenes, source: Predictions | str | Path, ignore_label: int | None, *, cut: bool
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
