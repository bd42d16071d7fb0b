"""Scenes to look into slot by slot: which ones, and their pictures on one sheet each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image
from scenes.command_line import UsageError
from scenes.pictures.palette import entity_palette, slot_palette, to_uint8

from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import Drawable, drawable
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import ScoredModel
from evaluation.scores.results import SceneSummary, SlotSummary
from evaluation.scores.truth import TestScenes
from evaluation.scores.values import values_of

TOP_ROW = ("input", "reconstruction", "segmentation", "truth")
SLOT_ROW = ("masked", "unmasked", "removed", "attention")
"""What a sheet shows in its first row, and in one further row for each slot."""
SHOWN_SCORES = ("ari_fg", "ari_merged", "msc", "recall")
DIGITS = 6
"""Digits after the decimal point of numbers for machines."""
EXTREMES = 4
"""Number of worst scenes, and of best ones."""
LOWER_IS_BETTER = {"mse", "nll", "kl_latent", "kl_mask"}


@dataclass(frozen=True)
class SceneCard:
    """A scene that the page shows."""

    summary: SceneSummary
    sheet: UInt8[np.ndarray, "Y X 3"]
    """Pictures side by side: `TOP_ROW`, and below it `SLOT_ROW` for each slot."""
    image_size: int
    """Side in pixels of each picture on the sheet."""
    lacking: str = ""
    """What stands in for what the model does not give (`Drawable.note`)."""


class SceneOutput:
    """What a model makes of a file's scenes, from which cards of some of them are made.

    Args:
        model: the model.
        num_slots: slots to use.
        cache: where its output is kept.
        scenes: scenes of the file.
        path: the file.

    Raises:
        UsageError: the scenes are not square, as the page's pictures are.
    """

    def __init__(
        self, model: ScoredModel, num_slots: int, cache: Cache, scenes: TestScenes, path: Path
    ) -> None:
        height, width = scenes.images.shape[1:3]
        if height != width:
            raise UsageError(f"{path}: the page shows square scenes, got {height} x {width}")
        self._model, self._num_slots, self._cache = model, num_slots, cache
        self._scenes, self._path = scenes, path
        self._values = values_of(scenes, cache.of_model(model, scenes.images, num_slots))

    def extreme_cards(self, metric: str) -> list[SceneCard]:
        """Returns cards of the worst and of the best scenes by a metric.

        Raises:
            UsageError: there is no such metric.
        """
        if metric not in self._values:
            names = ", ".join(sorted(self._values))
            raise UsageError(f"--metric is one of {names}, got {metric!r}")
        worst, best = worst_and_best(metric, self._values[metric], EXTREMES)
        return self.cards("worst", worst) + self.cards("best", best)

    def cards(self, group: str, rows: Sequence[int]) -> list[SceneCard]:
        """Returns a card for each of some rows, under the title of a group."""
        images = self._scenes.images[list(rows)]
        segmentation = self._scenes.segmentation[list(rows)]
        entities, num_background = self._scenes.entities, self._scenes.num_background
        output = self._cache.decompositions(self._model, images, self._num_slots)
        parts = drawable(images, output)
        truth = entity_palette(entities, num_background)[segmentation]
        return [
            SceneCard(
                SceneSummary(
                    group=group,
                    source=self._path.name,
                    index=row,
                    scores={
                        name: round(float(self._values[name][row]), DIGITS)
                        for name in SHOWN_SCORES
                        if name in self._values
                    },
                    slots=_slot_summaries(segmentation[i], parts.masks[i], entities),
                ),
                sheet=sheet(images[i], truth[i], parts, i),
                image_size=images.shape[1],
                lacking=parts.note,
            )
            for i, row in enumerate(rows)
        ]


def worst_and_best(
    metric: str, values: Float64[np.ndarray, " N"], count: int
) -> tuple[list[int], list[int]]:
    """Returns the rows of the worst and of the best values of a metric, the most extreme first.

    Rows where the value is undefined are neither; no row is both.
    """
    values = -values if metric in LOWER_IS_BETTER else values
    order = [int(row) for row in np.argsort(values, kind="stable") if not math.isnan(values[row])]
    count = min(count, len(order) // 2)
    return order[:count], order[::-1][:count]


def without(parts: Drawable, index: int, slot: int) -> Float[np.ndarray, "H W 3"]:
    """Returns a scene's reconstruction with one slot removed.

    The slot's share of each pixel goes to the other slots, in proportion to the masks that the
    decoder predicts for them: what they hold behind the removed one appears. Where the slot had no
    share, the reconstruction stays as it is.
    """
    others = np.arange(parts.masks.shape[1]) != slot
    masks, logits = parts.masks[index], parts.mask_logits[index][others]
    weights = np.exp(logits - logits.max(axis=0))
    handed_on = masks[slot] * weights / weights.sum(axis=0)  # (K - 1, H, W)
    shares = masks[others] + handed_on
    return (shares[..., None] * parts.components[index][others]).sum(axis=0)


def sheet(
    image: UInt8[np.ndarray, "H W 3"],
    truth: UInt8[np.ndarray, "H W 3"],
    parts: Drawable,
    index: int,
) -> UInt8[np.ndarray, "Y X 3"]:
    """Lays out all pictures of a scene without gaps."""
    slots = parts.masks.shape[1]
    palette = slot_palette(slots)
    segmentation = palette[parts.masks[index].argmax(axis=0)]
    rows = [[image, to_uint8(parts.reconstruction[index]), segmentation, truth]]
    for slot in range(slots):
        component = parts.components[index, slot]
        attention = np.repeat(to_uint8(parts.masks[index, slot])[..., None], 3, axis=-1)
        rows.append(
            [
                on_white(component, parts.masks_recon[index, slot]),
                to_uint8(component),
                to_uint8(without(parts, index, slot)),
                attention,
            ]
        )
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def as_webp(picture: UInt8[np.ndarray, "Y X 3"]) -> bytes:
    """Returns a picture as lossless WebP, about half the size of PNG."""
    out = BytesIO()
    Image.fromarray(picture).save(out, format="WEBP", lossless=True, quality=80, method=4)
    return out.getvalue()


def _slot_summaries(
    truth: UInt8[np.ndarray, "H W"], masks: Float[np.ndarray, "K H W"], entities: Sequence[str]
) -> tuple[SlotSummary, ...]:
    taken = masks.argmax(axis=0)
    summaries = []
    for slot in range(len(masks)):
        inside = truth[taken == slot]
        name = entities[int(np.bincount(inside).argmax())] if inside.size else None
        summaries.append(SlotSummary(round(inside.size / truth.size, DIGITS), name))
    return tuple(summaries)
