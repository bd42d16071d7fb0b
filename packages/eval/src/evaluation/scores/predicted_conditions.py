"""Masks that any program made of the test scenes of several conditions: a folder of files.

Each file is named after its condition, as the file of its scenes is that `eval conditions` writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scenes.command_line import CommandError, UsageError
from scenes.notices import tell
from scenes.progress import in_turn

from evaluation.json_files import readable
from evaluation.metrics.reconstruction import mse
from evaluation.predictions.contract import ModelOutput, Predictions
from evaluation.predictions.models import ASKABLE_SLOTS
from evaluation.predictions.prediction_file import labels_in, read_first
from evaluation.scores.condition_files import written_rooms
from evaluation.scores.conditions import CONDITIONS, COUNTS, HELD, TestRooms
from evaluation.scores.labels import MODEL
from evaluation.scores.predicted_scenes import predictions_of
from evaluation.scores.results import ModelIdentity
from evaluation.scores.truth import TestScenes, read_scenes

_, MOST_SLOTS = ASKABLE_SLOTS


@dataclass(frozen=True)
class PredictedConditions:
    """Masks of several conditions, as they are scored: a `Subject`."""

    folder: Path
    rooms: TestRooms
    """The scenes that they are of."""
    predictions: Mapping[str, Predictions]
    """By condition; reconstructions as their errors alone."""
    num_slots: int

    @property
    def identity(self) -> ModelIdentity:
        """The folder, which is called as the model will be."""
        name = self.folder.resolve().name or "predictions"
        return ModelIdentity(readable(self.folder), readable(name), None)

    @property
    def image_size(self) -> int:
        """Side of the masks in pixels."""
        return self.rooms.size

    def rows(self, condition: str, scenes: TestScenes) -> dict[str, Predictions]:
        """Returns the masks of a condition."""
        return {MODEL: self.predictions[condition]}

    def output(self, condition: str, images: UInt8[np.ndarray, "N H W 3"]) -> ModelOutput:
        """Returns what the file of a condition has of its first scenes."""
        masks, reconstruction = read_first(self.folder / f"{condition}.h5", len(images))
        if masks is None:
            labels = self.predictions[condition].segmentation[: len(images)]
            masks = (labels[:, None] == np.arange(self.num_slots)[:, None, None]).astype(np.float32)
        return ModelOutput(masks, reconstruction)


def read_conditions(
    folder: Path,
    data_folder: Path,
    conditions: Sequence[str] = CONDITIONS,
    *,
    n: int | None = None,
    seed: int | None = None,
    ignore_label: int | None = None,
) -> PredictedConditions:
    """Reads the masks in a folder; says on stderr which conditions it has none of.

    Args:
        folder: with a file for each condition, `objects_6.h5` and so on.
        data_folder: with the scenes, in files of the same names.
        conditions: some of `CONDITIONS`; those of `HELD` are read wherever they are.
        n: scenes of each; all by default.
        seed: that the scenes must have, where one is asked for.
        ignore_label: slot whose pixels are left out of all scores.

    Raises:
        UsageError: there is no such folder, it has no masks of any of `COUNTS`, or the scenes of
            some that it has are not in the data folder.
        CommandError: a file breaks a rule of docs/metrics.md, or they do not fit each other.
        FileError: a file of scenes cannot be read.
    """
    names = _names_in(folder, data_folder, conditions)
    rooms = written_rooms(data_folder, names, n, seed)
    predictions = {}
    for name in in_turn("reading masks", names):
        scenes = read_scenes(rooms.file(name), rooms.n)
        path = folder / f"{name}.h5"
        predictions[name] = _without_pictures(
            predictions_of(scenes, path, ignore_label, cut=n is not None), scenes
        )
    predictions, num_slots = _in_the_same_slots(folder, predictions)
    return PredictedConditions(folder, rooms, predictions, num_slots)


def _names_in(folder: Path, data_folder: Path, conditions: Sequence[str]) -> list[str]:
    """Returns the conditions that a folder has masks of, in their order."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: {'no folder' if folder.exists() else 'no such folder'}")
    if data_folder.exists() and folder.samefile(data_folder):
        raise UsageError(f"{folder}: holds the scenes themselves; --predictions is of their masks")
    there = {path.stem for path in folder.iterdir() if path.suffix == ".h5"}
    for name in sorted(there - {*CONDITIONS, *HELD}):
        tell(f"{folder / f'{name}.h5'}: no condition has this name; left out", "eval")
    held = [name for name in HELD if name in there or (data_folder / f"{name}.h5").exists()]
    wanted = [*conditions, *held]
    names = [name for name in wanted if name in there]
    if not set(names) & set(COUNTS):
        raise UsageError(
            f"{folder}: has no masks of {', '.join(COUNTS)}, of which it takes one at least; they "
            f"are files {COUNTS[0]}.h5 and so on (docs/metrics.md)"
        )
    for name in wanted:
        if name not in there:
            tell(f"{folder / f'{name}.h5'}: no such file; this condition is left out", "eval")
    return names


def _without_pictures(predictions: Predictions, scenes: TestScenes) -> Predictions:
    """Returns predictions with the errors of reconstructions in their place."""
    if predictions.reconstruction is None:
        return predictions
    errors = mse(scenes.images, predictions.reconstruction)
    return replace(predictions, reconstruction=None, terms={"mse": errors})


def _in_the_same_slots(
    folder: Path, predictions: Mapping[str, Predictions]
) -> tuple[dict[str, Predictions], int]:
    """Returns the predictions of all conditions with one number of slots, and that number.

    Labels of segmentations are numbered anew, over all conditions together: those that none has
    are no slots.

    Raises:
        CommandError: masks have different numbers of slots, or there are too many.
    """
    counted = [each for each in predictions.values() if each.counted]
    labels = {int(label) for each in counted for label in labels_in(each)}
    different = np.array(sorted(labels), dtype=np.uint16)
    same = {
        name: _renumbered(each, different) if each.counted else each
        for name, each in predictions.items()
    }
    first, *others = same
    num_slots = same[first].num_slots
    for name in others:
        if same[name].num_slots != num_slots:
            raise CommandError(
                f"{folder / f'{name}.h5'}: has {same[name].num_slots} slots, and {first}.h5 has "
                f"{num_slots}: all conditions need the same number"
            )
    if num_slots > MOST_SLOTS:
        raise CommandError(
            f"{folder}: has {num_slots:,} slots, more than the {MOST_SLOTS} whose use can be "
            "shown; number the labels of each scene from 0"
        )
    return same, num_slots


def _renumbered(predictions: Predictions, labels: np.ndarray) -> Predictions:
    """Returns predictions whose slots are the places of their labels among all different ones."""
    places = np.searchsorted(labels, predictions.segmentation)
    slots = np.minimum(places, max(0, len(labels) - 1))  # ignored pixels have any label
    return replace(predictions, segmentation=slots.astype(np.uint16), num_slots=max(1, len(labels)))
