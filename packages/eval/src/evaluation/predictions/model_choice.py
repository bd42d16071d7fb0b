"""Chooses the model of a command: the one that is named, the newest run, or weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.progress import counting

from evaluation.predictions.model_code import load_model
from evaluation.predictions.models import ScoredModel
from evaluation.scores.scoring import check_request


def choose_model(
    checkpoint: str | None,
    model: str | None,
    data: Path | None = None,
    *,
    slots: Sequence[int | None] = (),
    n: int | None = None,
    fewest: int = 1,
) -> ScoredModel:
    """Returns the model of `--checkpoint` or `--model`, else of the weights that are chosen.

    Args:
        checkpoint: as in `checkpoints.choose_weights`.
        model: `module:factory` or `FILE.py:factory` of any model.
        data: file of the scenes to decompose; test rooms by default.
        slots: numbers of slots to use, which are checked before anything is loaded.
        n: number of scenes, which is checked too.
        fewest: least number of scenes.

    Raises:
        UsageError: both are named, neither exists, or a number is out of range.
        CommandError: the model's code raised an error.
    """
    for number in (*slots, None):
        check_request(number, n, fewest=fewest)
    if model is not None and checkpoint is not None:
        raise UsageError("give one of --checkpoint and --model")
    if model is not None:
        return load_model(model)
    with counting("loading the model"):
        # Loads torch, which another model may do without.
        from evaluation.predictions.checkpoints import choose_weights, of_weights

        return of_weights(choose_weights(checkpoint, *scenes_in(data)))


def choose_models(
    checkpoints: Sequence[str],
    models: Sequence[str],
    data: Path | None = None,
    *,
    slots: Sequence[int | None] = (),
    n: int | None = None,
    fewest: int = 1,
) -> list[ScoredModel]:
    """Returns the models of several `--checkpoint` and `--model`, to stand side by side.

    Args:
        checkpoints: each as in `choose_model`; without any, and without models, one is chosen.
        models: each as in `choose_model`, after the checkpoints.
        data: as in `choose_model`, as are the others.
        slots: numbers of slots to use.
        n: number of scenes.
        fewest: least number of scenes.

    Raises:
        UsageError: one of them does not exist, or is named twice.
        CommandError: a model's code raised an error.
    """
    for flag, names in (("--checkpoint", checkpoints), ("--model", models)):
        if len(set(names)) < len(names):
            raise UsageError(f"{flag} must name different models, got {' '.join(names)}")
    pairs: list[tuple[str | None, str | None]] = [(name, None) for name in checkpoints]
    pairs += [(None, name) for name in models]
    return [
        choose_model(checkpoint, model, data, slots=slots, n=n, fewest=fewest)
        for checkpoint, model in pairs or [(None, None)]
    ]


def choose_subject(
    checkpoint: str | None,
    model: str | None,
    predictions: Path | None,
    data: Path | None = None,
    *,
    slots: Sequence[int | None] = (),
    n: int | None = None,
) -> ScoredModel | Path:
    """Returns what is scored: a model, or predictions in a file or folder.

    Args:
        checkpoint: as in `checkpoints.choose_weights`.
        model: `module:factory` or `FILE.py:factory` of any model.
        predictions: file of predictions, or folder of them.
        data: file of the scenes to score it on. Without one these are test rooms, and a model need
            not be named.
        slots: as in `choose_model`.
        n: as in `choose_model`.

    Raises:
        UsageError: several of the three are given, or there is no such thing.
        CommandError: the model's code raised an error.
    """
    named = 3 - [checkpoint, model, predictions].count(None)
    if named > 1 or (data is not None and named == 0):
        raise UsageError("give one of --checkpoint and --predictions, or --model")
    return predictions or choose_model(checkpoint, model, data, slots=slots, n=n)


def check_has_scenes(model: ScoredModel, data: str | Path | None) -> None:
    """Refuses to take test rooms where nobody names a file, for a model of another dataset.

    Raises:
        UsageError: no file is named, and the model was trained on other data than rooms.
    """
    if data is None and model.dataset not in (None, ObjectsRoomConfig.dataset):
        raise UsageError(
            f"{model.identity.path}: trained on {model.dataset}; give a file of its scenes "
            "with --data"
        )


def scenes_in(data: Path | None) -> tuple[str, int | None]:
    """Returns a file's dataset and the side of its images in pixels, for `choose_weights`.

    Without a file these are the test rooms, which are rendered at the size of the model.

    Raises:
        FileError: it cannot be read.
    """
    if data is None:
        return ObjectsRoomConfig.dataset, None
    with SceneFile(data) as file:
        return file.dataset, file.image_size
