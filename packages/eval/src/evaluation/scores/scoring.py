"""Scores of a model, or of predictions, on a file of scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scenes.command_line import UsageError

from evaluation.folders import check_writable
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import ROUNDS, Model, ScoredModel, check_slots, scored_model
from evaluation.scores.benchmark_scenes import benchmark_scenes
from evaluation.scores.labels import CEILING, DECODED, MODEL, REFINED
from evaluation.scores.predicted_scenes import predictions_of
from evaluation.scores.result_files import write_result
from evaluation.scores.results import FileScores
from evaluation.scores.rows import of_baselines, scores_of
from evaluation.scores.truth import read_scenes


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
    check_request(slots, n)
    if slots is not None and not of_model:
        raise UsageError("--slots goes with --checkpoint or --model")
    if ignore_label is not None and of_model:
        raise UsageError("--ignore-label goes with --predictions")
    if out is not None:
        check_writable(Path(out))
    data, cache = Path(data), cache or Cache(None)
    identity, path = None, None
    if isinstance(model, str | Path | Predictions):
        path = None if isinstance(model, Predictions) else str(Path(model))
        scenes = read_scenes(data, n)
        rows = {MODEL: predictions_of(scenes, model, ignore_label, cut=n is not None)}
        scenes = replace(scenes, ignored=rows[MODEL].ignored)
    else:
        subject = scored_model(model)
        identity, asked = subject.identity, subject.slots(slots)
        scenes = read_scenes(data, n, subject.image_size)
        rows = {MODEL: cache.of_model(subject, scenes.images, asked)}
        if subject.refines:
            rows[REFINED] = cache.of_model(subject, scenes.images, asked, ROUNDS)
    beside = of_baselines(scenes.images, cache) if baselines else {}
    scores = scores_of(scenes, rows | beside)
    result = FileScores(
        checkpoint=identity,
        predictions=path,
        data=str(data),
        n=len(scenes.images),
        num_slots=rows[MODEL].num_slots,
        metrics=scores[MODEL],
        decoded_masks=scores.get(DECODED),
        refined=scores.get(REFINED),
        baselines={name: scores[name] for name in beside},
        ceiling=scores.get(CEILING),
        benchmark=benchmark_scenes(data, scenes),
    )
    if out is not None:
        write_result(result, Path(out))
    return result


def check_request(slots: int | None, n: int | None, *, fewest: int = 1) -> None:
    """Refuses numbers that nothing can be scored with.

    Args:
        slots: slots to use, where a number is asked for.
        n: scenes to score, where a number is asked for.
        fewest: scenes that are needed.

    Raises:
        UsageError: they are too few or too many.
    """
    check_slots(slots)
    if n is not None and n < fewest:
        raise UsageError(f"--n must be at least {fewest}, got {n}")
