"""How a model trained on one to three objects fares with none to six, and with one colour for all.

The paper shows pictures of this (figures 4 and 8); here are numbers, with baselines beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenes.command_line import UsageError
from scenes.objects_room.kinds import Kind

from evaluation.folders import check_writable
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.scores.condition_scores import score_conditions
from evaluation.scores.conditions import (
    CONDITIONS,
    COUNTS,
    DATA_FOLDER,
    HELD,
    TestRooms,
    hold_out_of,
    kinds_of,
    rooms_size,
)
from evaluation.scores.predicted_conditions import PredictedConditions, read_conditions
from evaluation.scores.results import Generalisation
from evaluation.scores.scoring import check_request
from evaluation.scores.subjects import ModelInSlots

SLOTS, SCENES, SEED = 9, 320, 0
"""Slots, scenes of each condition, and their seed, where a model is scored and nobody says."""


def generalise(
    model: Model | ScoredModel | str | Path,
    slots: int | None = None,
    *,
    n: int | None = None,
    seed: int | None = None,
    data_folder: str | Path = DATA_FOLDER,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: Sequence[Kind | str] | None = (),
    ignore_label: int | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    cache: Cache | None = None,
) -> Generalisation:
    """Scores a model, or masks that any program made, and the baselines, in each condition.

    Example:
        >>> import evaluation
        >>> result = evaluation.generalise(
        ...     model, slots=5, n=2, data_folder="rooms", conditions=("test", "objects_6")
        ... )
        >>> result.conditions["objects_6"]["ari_fg"].count
        2
        >>> sorted(result.baselines)[0]
        '2 x 2 grid'

    Of a folder of masks, the files are named after the conditions, and the scenes lie in
    `data_folder` as `write_conditions` wrote them; a line on stderr names each condition without
    masks, which is left out.

    Args:
        model: any `Model`; one that was trained on the Objects Room knows what it sees. Or a folder
            of masks (docs/metrics.md).
        slots: slots to use, whatever the training had; 9 by default. Masks have theirs.
        n: scenes of each condition; 320 by default, of masks all.
        seed: of the test scenes, none of which is ever a training scene; 0 by default, of masks
            that of their scenes.
        data_folder: where test scenes lie; for a model, those that lack are rendered into it.
        conditions: some of `CONDITIONS`, with one of `COUNTS` at least.
        hold_out: kinds of objects that training held out, such as "shape=sphere"; they add the
            conditions `HELD`. `None` takes those of the training file, where it is still there.
            Of masks, they are those of their scenes.
        ignore_label: slot of masks whose pixels are left out, of the baselines' scores too.
        out: folder into which scores.json, pictures and plots are written; nothing is by default.
        workers: processes that render; one per core by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: there cannot be so many slots, `n` is under 1, a condition is none, an argument
            does not go with what is scored, or scenes or masks are not there.
        CommandError: what the model returns, or a file of masks, does not fit the images.
    """
    if out is not None:
        check_writable(Path(out))
    cache = cache or Cache(None)
    subject, (result,) = generalise_each(
        Path(model) if isinstance(model, str | Path) else scored_model(model),
        None if slots is None else (slots,),
        n=n,
        seed=seed,
        data_folder=data_folder,
        conditions=conditions,
        hold_out=hold_out,
        ignore_label=ignore_label,
        workers=workers,
        cache=cache,
    )
    if out is not None:
        from evaluation.figures.condition_plots import write_generalisation

        write_generalisation(subject, [result], Path(out), Path(data_folder), cache)
    return result


def generalise_each(
    model: ScoredModel | Path,
    slots: Sequence[int] | None = None,
    *,
    n: int | None = None,
    seed: int | None = None,
    data_folder: str | Path = DATA_FOLDER,
    conditions: Sequence[str] = CONDITIONS,
    hold_out: Sequence[Kind | str] | None = (),
    ignore_label: int | None = None,
    workers: int | None = None,
    cache: Cache,
) -> tuple[ScoredModel | PredictedConditions, list[Generalisation]]:
    """Scores a model with each of several numbers of slots, or masks in a folder.

    Returns:
        What was scored, and its scores: one for each number of slots.

    Raises:
        UsageError: as from `generalise`, or a number of slots is named twice.
        CommandError: as from `generalise`.
    """
    _check_conditions(conditions)
    if isinstance(model, Path):
        check_request(None, n)
        if slots is not None or hold_out or workers is not None:
            raise UsageError("--slots, --hold-out and --workers go with --checkpoint or --model")
        subject = read_conditions(
            model, Path(data_folder), conditions, n=n, seed=seed, ignore_label=ignore_label
        )
        scored = tuple(subject.predictions)
        return subject, [score_conditions(subject, scored, subject.rooms, cache)]
    if ignore_label is not None:
        raise UsageError("--ignore-label goes with --predictions")
    numbers = (SLOTS,) if slots is None else slots
    if not numbers or len(set(numbers)) < len(numbers):
        raise UsageError("--slots must name different numbers")
    for number in numbers:
        check_request(number, n)
    kinds = hold_out_of(model.data) if hold_out is None else kinds_of(hold_out)
    rooms = TestRooms(
        Path(data_folder),
        SEED if seed is None else seed,
        SCENES if n is None else n,
        rooms_size(model.image_size),
        workers,
        kinds,
    )
    scored = (*conditions, *(HELD if kinds else ()))
    return model, [
        score_conditions(ModelInSlots(model, number, cache), scored, rooms, cache)
        for number in numbers
    ]


def _check_conditions(conditions: Sequence[str]) -> None:
    """Refuses conditions that there are not, or too few.

    Raises:
        UsageError: they are.
    """
    for condition in conditions:
        if condition not in CONDITIONS:
            raise UsageError(f"conditions are {', '.join(CONDITIONS)}, got {condition!r}")
    if not set(conditions) & set(COUNTS):
        raise UsageError(f"one condition at least must be of {', '.join(COUNTS)}")
