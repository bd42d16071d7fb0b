"""The scores of `eval score`, gathered batch by batch in a program of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Integer
from scenes.command_line import CommandError, UsageError
from scenes.entities import entity_names

from evaluation.metrics import METRICS
from evaluation.metrics.reconstruction import mse
from evaluation.predictions.checks import check_finite, check_masks, slots_of
from evaluation.predictions.contract import array_of
from evaluation.predictions.prediction_file import predictions_of_labels
from evaluation.scores.results import Statistic
from evaluation.scores.truth import Truth
from evaluation.scores.values import (
    MOST_ENTITIES,
    in_order,
    statistics_of_rows,
    values_of_segmentations,
)

_WHO = "SegmentationScores"
_OFFERED = (*METRICS, "slots_used", "slots_empty", "mse")


class SegmentationScores:
    """Scores of segmentations, gathered over batches: `update` each, then `compute`.

    The numbers are those of `evaluation.score` on the same images in the same order, to the last
    digit, whatever the batches are. Predictions and truth are NumPy arrays or torch tensors on any
    device. Of each image some fifteen numbers are kept, not its pixels.

    Example:
        >>> import evaluation, numpy as np, scenes
        >>> file = scenes.SceneFile("rooms.h5")
        >>> scores = evaluation.SegmentationScores(file.entities)
        >>> for start in range(0, 12, 5):
        ...     batch = file[start : start + 5]
        ...     masks = file.masks(slice(start, start + 5))  # what a model would say
        ...     scores.update(masks, batch["segmentation"])
        >>> result = scores.compute()
        >>> result["ari_fg"].mean, result["ari"].count
        (1.0, 12)
        >>> scores.reset()
        >>> len(scores)
        0

    Several processes gather apart and `merge`: an object of this class can be pickled, as by
    `torch.distributed.all_gather_object`. Means are the same then; the ends of intervals, which
    are resampled, follow the order of the images.

    Args:
        entities: names of the entities in index order (`SceneFile.entities`), which `ari_merged`
            and `ari_paper` need; or how many there may be, background included.
        num_background: how many of the first entities are background. By default those that are not
            named `object_…`; of a number of entities, one.
        metrics: names of the scores that `compute` returns; all that there are by default.
        ignore_label: slot whose pixels are left out of every score but `mse`.

    Raises:
        UsageError: there are too few or too many entities, or a score has no such name.
    """

    def __init__(
        self,
        entities: Sequence[str] | int,
        *,
        num_background: int | None = None,
        metrics: Sequence[str] | None = None,
        ignore_label: int | None = None,
    ) -> None:
        count = entities if isinstance(entities, int) else len(entities)
        if not 1 <= count <= MOST_ENTITIES:
            raise UsageError(f"{_WHO}: entities must be 1 to {MOST_ENTITIES}, got {count}")
        names = entity_names(count - 1) if isinstance(entities, int) else tuple(entities)
        if num_background is None:
            num_background = sum(not name.startswith("object_") for name in names)
        if not 0 <= num_background <= count:
            raise UsageError(f"{_WHO}: num_background must be 0 to {count}, got {num_background}")
        for name in metrics or ():
            if name not in _OFFERED:
                raise UsageError(f"{_WHO}: metrics are {', '.join(_OFFERED)}, got {name!r}")
        self._entities, self._num_background = names, num_background
        self._metrics, self._ignore_label = metrics, ignore_label
        self.reset()

    def reset(self) -> None:
        """Forgets every image."""
        self._batches: list[dict[str, Float64[np.ndarray, " B"]]] = []
        self._num_slots: int | None = None
        """K of the masks; `None` before the first batch, and for segmentations."""
        self._labels: set[int] = set()
        """Different labels of segmentations, which are counted where nobody says how many slots."""

    def __len__(self) -> int:
        """Returns the number of images."""
        return sum(len(batch["slots_used"]) for batch in self._batches)

    def update(
        self, predicted: Any, truth: Any, *, images: Any = None, reconstruction: Any = None
    ) -> None:
        """Scores a batch.

        Args:
            predicted: masks (B, K, H, W) that sum to one over K, or the slot of each pixel
                (B, H, W), any integers from 0 to 65,535.
            truth: entity of each pixel (B, H, W), or a mask of zeros and ones for each entity
                (B, E, H, W).
            images: (B, H, W, 3) uint8, for `mse`, which needs both in every batch.
            reconstruction: (B, H, W, 3) floats in [0, 1]. Whether they are on that scale is not
                guessed from a batch: in the first steps of a training anything may leave it.

        Raises:
            CommandError: they do not fit each other, or break a rule of docs/metrics.md; nothing of
                the batch is counted then.
        """
        labels, num_slots, ignored = self._labels_of(predicted)
        if len(labels) == 0:
            return
        true = self._truth_of(truth, labels.shape)
        values = values_of_segmentations(
            Truth(true, self._entities, self._num_background, ignored), labels
        )
        if images is not None or reconstruction is not None:
            values["mse"] = _errors(images, reconstruction, labels.shape)
        self._check_alike(num_slots, values)
        if num_slots is None:
            scored = labels if ignored is None else labels[~ignored]
            self._labels |= set(np.unique(scored).tolist())
        self._num_slots = num_slots
        self._batches.append(values)

    def compute(self) -> dict[str, Statistic]:
        """Returns mean, standard error, 95% interval and count of each score, by name.

        Raises:
            UsageError: there are no images yet, or a score that `metrics` names is not of these.
        """
        if not self._batches:
            raise UsageError(f"{_WHO}: no images yet; update comes before compute")
        names = self._batches[0]
        values = {name: np.concatenate([batch[name] for batch in self._batches]) for name in names}
        num_slots = self._num_slots or max(1, len(self._labels))
        values["slots_empty"] = num_slots - values["slots_used"]
        row = statistics_of_rows({"": in_order(values)})[""]
        if self._metrics is None:
            return row
        lacking = [name for name in self._metrics if name not in row]
        if lacking:
            raise UsageError(
                f"{_WHO}: these images have no {lacking[0]}: mse needs images and reconstruction, "
                "ari_merged and ari_paper the names of a room's entities"
            )
        return {name: row[name] for name in self._metrics}

    def merge(self, other: SegmentationScores) -> None:
        """Adds the images of another, such as another process gathered, behind one's own.

        Raises:
            UsageError: the two are not of the same entities, slots or scores.
        """
        own = (self._entities, self._num_background, self._ignore_label)
        if own != (other._entities, other._num_background, other._ignore_label):
            raise UsageError(f"{_WHO}: merge: the other has other entities or another ignore_label")
        if not other._batches:
            return
        self._check_alike(other._num_slots, other._batches[0])
        self._num_slots = other._num_slots
        self._labels |= other._labels
        self._batches += other._batches

    def _check_alike(self, num_slots: int | None, values: dict[str, Any]) -> None:
        """Refuses a batch that is not of the same slots and scores as those before."""
        if not self._batches:
            return
        if num_slots != self._num_slots:
            kinds = [
                "a segmentation" if count is None else f"{count} masks"
                for count in (num_slots, self._num_slots)
            ]
            raise CommandError(f"{_WHO}: predicted: {kinds[0]} after {kinds[1]}")
        if values.keys() != self._batches[0].keys():
            raise CommandError(
                f"{_WHO}: images and reconstruction must come with every batch or with none"
            )

    def _labels_of(
        self, predicted: Any
    ) -> tuple[Integer[np.ndarray, "B H W"], int | None, np.ndarray | None]:
        """Returns the slot of each pixel, the number of slots if known, and the pixels left out."""
        values = array_of(predicted, _WHO, "predicted")
        num_slots = None
        if values.ndim == 4:
            check_masks(values, _WHO, "image", "predicted")
            values, num_slots = slots_of(values), values.shape[1]
        elif values.ndim != 3:
            raise CommandError(
                f"{_WHO}: predicted: expected (B, K, H, W) or (B, H, W), got {values.shape}"
            )
        predictions = predictions_of_labels(values, num_slots, self._ignore_label, _WHO)
        return predictions.segmentation, num_slots, predictions.ignored

    def _truth_of(self, truth: Any, shape: tuple[int, ...]) -> Integer[np.ndarray, "B H W"]:
        """Returns the entity of each pixel."""
        values = array_of(truth, _WHO, "truth")
        if values.ndim == 4:
            masks = values != 0
            if not np.array_equal(masks, values) or (masks.sum(axis=1) != 1).any():
                raise CommandError(
                    f"{_WHO}: truth: each pixel must be in one mask, which is 1 there"
                )
            values = masks.argmax(axis=1)
        if values.shape != shape:
            raise CommandError(f"{_WHO}: truth: expected {shape}, got {values.shape}")
        if values.dtype.kind not in "iu":
            raise CommandError(f"{_WHO}: truth: expected integers, got {values.dtype}")
        low, high, most = int(values.min()), int(values.max()), len(self._entities) - 1
        if low < 0 or high > most:
            raise CommandError(
                f"{_WHO}: truth: entities are 0 to {most}, got {low if low < 0 else high}"
            )
        return values.astype(np.uint8)


def _errors(images: Any, reconstruction: Any, shape: tuple[int, ...]) -> Float64[np.ndarray, " B"]:
    """Returns the squared error of each image's reconstruction."""
    if images is None or reconstruction is None:
        raise CommandError(f"{_WHO}: mse needs images and reconstruction, got one of them")
    pixels = array_of(images, _WHO, "images")
    colors = array_of(reconstruction, _WHO, "reconstruction")
    for key, values, kind in (("images", pixels, "u"), ("reconstruction", colors, "f")):
        if values.shape != (*shape, 3):
            raise CommandError(f"{_WHO}: {key}: expected {(*shape, 3)}, got {values.shape}")
        if values.dtype.kind != kind or (kind == "u" and values.dtype != np.uint8):
            wanted = "uint8" if kind == "u" else "floats in [0, 1]"
            raise CommandError(f"{_WHO}: {key}: expected {wanted}, got {values.dtype}")
    check_finite(colors, _WHO, "reconstruction", "image")
    return mse(pixels, colors)
