"""Scores how well latents predict objects' properties, and how far latents are disentangled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scenes.command_line import CommandError
from scenes.progress import in_turn

from evaluation.folders import check_writable
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.scores.conditions import DATA_FOLDER, TestRooms, rooms_size
from evaluation.scores.latents import matched_objects, read_factors, subset
from evaluation.scores.predictors import dci, predict_properties
from evaluation.scores.result_files import write_result
from evaluation.scores.results import Representation
from evaluation.scores.scoring import check_request
from evaluation.scores.truth import read_scenes

if TYPE_CHECKING:
    from monet.weights import Weights


def represent(
    model: Model | ScoredModel,
    data: str | Path | None = None,
    *,
    slots: int | None = None,
    n: int = 2000,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    whole_image: Weights | str | Path | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    cache: Cache | None = None,
) -> Representation:
    """Predicts objects' properties from the latents of their slots, and scores disentangling.

    Example:
        >>> import evaluation
        >>> result = evaluation.represent(model, "rooms.h5", n=12)
        >>> sorted(result.properties["slots"])
        ['blue', 'forward', 'green', 'red', 'right', 'shape', 'size']

    Args:
        model: any `Model` with latents.
        data: file of scenes with their truth; by default test rooms.
        slots: slots to use; the model's own number by default.
        n: number of scenes; predictors learn on the first four fifths.
        seed: of the test rooms.
        data_folder: folder of test rooms; missing ones are rendered into it.
        whole_image: run folder, name or weights of a MONet that was trained with the whole image in
            one slot (section 2.2), whose latents are compared.
        out: folder into which representation.json is written; nothing is written by default.
        workers: processes that render; one per core by default.
        cache: keeps predictions; by default nothing does.

    Raises:
        UsageError: an argument does not suit the others or the file.
        CommandError: the model has no latents, or the file has no factors of its objects.
    """
    check_request(slots, n)
    if out is not None:
        check_writable(Path(out))
    subject, cache = scored_model(model), cache or Cache(None)
    slots = subject.slots(slots)
    whole = None if whole_image is None else _whole_image(whole_image, subject)
    rooms = TestRooms(Path(data_folder), seed, n, rooms_size(subject.image_size), workers)
    path = rooms.file("test") if data is None else Path(data)
    scenes = read_scenes(path, n, subject.image_size)
    predictions = cache.of_model(subject, scenes.images, slots)
    if predictions.latents is None:
        raise CommandError(
            f"{subject.identity.name}: gives no latents, which represent predicts from"
        )
    objects = matched_objects(scenes, predictions, read_factors(path, n))
    rows = {"slots": objects}
    if whole is not None:
        latents = cache.whole_image(whole.model(), scenes.images)
        rows["whole image"] = replace(objects, latents=latents[objects.scene])
    rows |= {f"{name}, alone in view": subset(row, row.alone) for name, row in rows.items()}
    result = Representation(
        checkpoint=subject.identity,
        whole_image=None if whole is None else str(whole.path),
        data=str(path),
        n=n,
        objects={name: len(row.scene) for name, row in rows.items()},
        properties={
            name: predict_properties(rows[name])
            for name in in_turn("properties from latents", list(rows))
        },
        dci={name: dci(rows[name]) for name in in_turn("DCI", list(rows))},
    )
    if out is not None:
        write_result(result, Path(out))
    return result


def _whole_image(whole_image: Weights | str | Path, beside: ScoredModel) -> Weights:
    if not isinstance(whole_image, str | Path):
        return whole_image
    from evaluation.predictions.checkpoints import whole_image_weights  # loads torch

    return whole_image_weights(whole_image, beside)
