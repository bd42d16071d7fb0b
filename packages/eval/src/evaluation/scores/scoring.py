"""Scores of a model, or of predictions, on a file of scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.segmentation import contingency, images_at, segmentation_at

from evaluation.metrics import metrics_of_tables
from evaluation.metrics.ari import has_room, walls_and_sky_in_one_slot
from evaluation.metrics.reconstruction import mse
from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions, read_predictions
from evaluation.predictions.models import ROUNDS, Model, ScoredModel, scored_model
from evaluation.predictions.order import check_order
from evaluation.scores.intervals import statistics
from evaluation.scores.labels import CEILING, DECODED, REFINED
from evaluation.scores.results import FileScores, Statistic, write_result

_MODEL = "model"
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class TestScenes:
    """Scenes whose truth is known, at the size at which they are scored."""

    __test__ = False  # no test of pytest's

    images: UInt8[np.ndarray, "N H W 3"]
    segmentation: UInt8[np.ndarray, "N H W"]
    entities: tuple[str, ...]
    num_background: int
    amodal: Bool[np.ndarray, "N O H W"] | None = None
    """Each object's full extent, as if nothing hid it; `None` where the file does not know it."""


def read_scenes(path: Path, n: int | None = None, size: int | None = None) -> TestScenes:
    """Reads the first scenes of a file.

    Args:
        path: a file of this project's.
        n: number of scenes; all by default.
        size: pixels to average down to; the file's own by default.

    Raises:
        UsageError: the file has fewer scenes or another size.
        FileError: it cannot be read, or its scenes have no truth.
    """
    with SceneFile(path) as file:
        if n is not None and n > file.n:
            raise UsageError(f"{path}: has {file.n} scenes, fewer than --n {n}")
        size = file.image_size if size is None else size
        if file.image_size % size:
            raise UsageError(
                f"{path}: images of {file.image_size} pixels cannot be averaged down to the "
                f"model's {size}"
            )
        rows = slice(0, n)
        return TestScenes(
            images=images_at(file["image"][rows], size),
            segmentation=segmentation_at(file["segmentation"][rows], size),
            entities=file.entities,
            num_background=file.num_background,
            amodal=_amodal_at(file["amodal"][rows], size) if file.has("amodal") else None,
        )


def _amodal_at(extents: Bool[np.ndarray, "N O H W"], size: int) -> Bool[np.ndarray, "N O S S"]:
    """Reduces extents to `size` pixels: where at least half of the area is covered."""
    scenes, objects, height, _ = extents.shape
    if size == height:
        return extents
    factor = height // size
    blocks = extents.reshape(scenes, objects, size, factor, size, factor)
    return blocks.mean((3, 5), dtype=np.float32) >= 0.5


def values_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Float64[np.ndarray, " N"]]:
    """Returns every score of every scene, by name; NaN where undefined."""
    table = contingency(scenes.segmentation, predictions.segmentation)
    values = metrics_of_tables(table, scenes.entities, scenes.num_background)
    used = table.any(1).sum(1).astype(np.float64)
    values["slots_used"], values["slots_empty"] = used, predictions.num_slots - used
    if predictions.reconstruction is not None:
        values["mse"] = mse(scenes.images, predictions.reconstruction)
    return {**values, **predictions.terms}


def statistics_of(scenes: TestScenes, predictions: Predictions) -> dict[str, Statistic]:
    """Returns the statistic of every score over the scenes."""
    return statistics_of_rows({"": values_of(scenes, predictions)})[""]


def decoded_masks(predictions: Predictions) -> Predictions | None:
    """Returns the masks that the decoder predicts as predictions of their own, if there are any."""
    if predictions.decoded is None:
        return None
    return Predictions(predictions.decoded, predictions.num_slots)


def ceiling_values(scenes: TestScenes) -> dict[str, Float64[np.ndarray, " N"]] | None:
    """Returns every score of a perfect result with walls and sky in one slot, as the paper's.

    They are computed from the truth alone: what a model that does exactly what the paper says
    would score on these scenes. `None` where there are no walls and sky.
    """
    if not has_room(scenes.entities):
        return None
    table = contingency(scenes.segmentation, scenes.segmentation)
    perfect = walls_and_sky_in_one_slot(table, scenes.entities)
    return metrics_of_tables(perfect, scenes.entities, scenes.num_background)


def statistics_of_rows(
    rows: Mapping[str, Mapping[str, Float64[np.ndarray, " N"]]],
) -> dict[str, dict[str, Statistic]]:
    """Returns the statistics of several models' scores on the same scenes, by model and score.

    All are resampled together, which costs as much as one model alone.
    """
    flat = {(row, name): v for row, values in rows.items() for name, v in values.items()}
    named = {str(index): values for index, values in enumerate(flat.values())}
    every = statistics(named, np.random.default_rng(BOOTSTRAP_SEED)).values()
    result: dict[str, dict[str, Statistic]] = {row: {} for row in rows}
    for (row, name), statistic in zip(flat, every, strict=True):
        result[row][name] = statistic
    return result


def score(
    data: str | Path,
    model: Model | ScoredModel | Predictions | str | Path,
    *,
    slots: int | None = None,
    n: int | None = None,
    baselines: bool = True,
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
        out: folder into which scores.json is written; nothing is written by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: an argument does not suit the others, the file or the model.
        CommandError: a file cannot be read, or the predictions do not fit the scenes.
    """
    of_model = not isinstance(model, str | Path | Predictions)
    check_request(slots, n, of_model=of_model)
    data, cache = Path(data), cache or Cache(None)
    refined, identity, path = None, None, None
    if isinstance(model, str | Path | Predictions):
        scenes = read_scenes(data, n)
        path = None if isinstance(model, Predictions) else Path(model)
        predictions = _predictions_of(scenes, model, cut=n is not None)
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
    scored |= {name: cache.of_baseline(name, BASELINES[name], scenes.images) for name in names}
    values = {row: values_of(scenes, each) for row, each in scored.items() if each is not None}
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
    )
    if out is not None:
        write_result(result, Path(out))
    return result


def check_request(slots: int | None, n: int | None, *, of_model: bool = True) -> None:
    """Refuses numbers that nothing can be scored with.

    Args:
        slots: slots to use, where a number is asked for.
        n: scenes to score, where a number is asked for.
        of_model: whether a model is scored, which alone has slots to choose.

    Raises:
        UsageError: they are too few, or do not go with what is scored.
    """
    if slots is not None and slots < 2:
        raise UsageError(f"--slots must be at least 2, got {slots}")
    if n is not None and n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    if slots is not None and not of_model:
        raise UsageError("--slots goes with --checkpoint or --model")


def _predictions_of(
    scenes: TestScenes, source: Predictions | str | Path, *, cut: bool
) -> Predictions:
    """Returns predictions of these scenes, read from their file where they lie in one.

    Args:
        scenes: that they are of.
        source: the predictions, or their file.
        cut: whether predictions of further scenes may follow, as of a file of which `n` scenes
            are scored.

    Raises:
        CommandError: they do not fit the scenes, or are in another order.
    """
    shape = scenes.images.shape[:3]
    if isinstance(source, Predictions):
        if source.segmentation.shape != shape:
            raise CommandError(
                f"predictions: segmentation: expected {shape}, got {source.segmentation.shape}"
            )
        return source
    path = Path(source)
    predictions = read_predictions(path, shape[0], shape[1:], may_be_longer=cut)
    if not predictions.names_scenes:
        check_order(path, scenes.segmentation, predictions.segmentation)
    return predictions
