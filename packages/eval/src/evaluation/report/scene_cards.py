"""Chooses scenes to look into slot by slot, and lays their pictures out on sheets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image
from scenes.command_line import UsageError
from scenes.pictures.palette import entity_palette, to_uint8

from evaluation.figures.colors import slot_colors
from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import Drawable, drawable
from evaluation.predictions.cache import Cache
from evaluation.predictions.checks import slots_of
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import ROUNDS, ScoredModel
from evaluation.scores.report_results import SceneSummary, SceneView, SlotSummary
from evaluation.scores.truth import read_scenes
from evaluation.scores.values import values_of

TOP_ROW = ("image", "truth")
"""Pictures of a scene's own sheet."""
VIEW_ROW = ("reconstruction", "segmentation", "refined segmentation")
SLOT_ROW = ("masked", "unmasked", "removed", "attention", "refined mask")
"""Pictures of a model's sheet: in its first row, and in a further row for each slot. The last of
each row is only there where the model can refine its masks."""
SHOWN_SCORES = ("ari_fg", "ari_merged", "msc", "recall")
DIGITS = 6
"""Digits after the decimal point of numbers for machines."""
RANKED = 4
"""Number of typical scenes, and of the worst, and of the best."""
LOWER_IS_BETTER = {"mse", "nll", "kl_latent", "kl_mask"}


@dataclass(frozen=True)
class View:
    """One model's decomposition of a scene."""

    summary: SceneView
    sheet: UInt8[np.ndarray, "Y X 3"]
    """Pictures side by side: `VIEW_ROW`, and below it `SLOT_ROW` for each slot."""
    colors: UInt8[np.ndarray, "K 3"]
    """Colours of the slots: those of the entities that they hold."""
    refines: bool
    """Whether the sheet has refined masks."""
    lacking: str = ""
    """Names the stand-ins for what the model does not give (`Drawable.note`)."""


@dataclass(frozen=True)
class SceneCard:
    """A scene that the page shows."""

    summary: SceneSummary
    sheet: UInt8[np.ndarray, "Y X 3"]
    """Pictures side by side: `TOP_ROW`."""
    views: tuple[View, ...]
    """Each model's decomposition of it."""


class ShownScenes:
    """A file's scenes and their scores by each model, of which some become cards.

    Args:
        models: models side by side.
        num_slots: slots to use.
        cache: keeps their output.
        path: the file.
        n: number of its first scenes.
        size: side in pixels at which image and truth are shown; the file's own by default.

    Raises:
        UsageError: the scenes are not square, as the page's pictures are, or do not fit a model.
        FileError: the scenes cannot be read, or have entities without a name.
    """

    def __init__(
        self,
        models: Sequence[ScoredModel],
        num_slots: int,
        cache: Cache,
        path: Path,
        n: int,
        size: int | None,
    ) -> None:
        self._models, self._num_slots, self._cache, self._path = models, num_slots, cache, path
        self._scenes = read_scenes(path, n, size)
        height, width = self._scenes.images.shape[1:3]
        if height != width:
            raise UsageError(f"{path}: the page shows square scenes, got {height} x {width}")
        self._inputs = [read_scenes(path, n, model.image_size or height) for model in models]
        self._values = [
            values_of(inputs, cache.of_model(model, inputs.images, num_slots))
            for model, inputs in zip(models, self._inputs, strict=True)
        ]

    def ranked_cards(self, metric: str) -> list[SceneCard]:
        """Returns cards of typical scenes, the worst and the best, by the first model's score.

        Raises:
            UsageError: that model has no such score.
        """
        values = self._values[0]
        if metric not in values:
            raise UsageError(f"--metric is one of {', '.join(sorted(values))}, got {metric!r}")
        worst, best = worst_and_best(metric, values[metric], RANKED)
        typical = most_typical(values[metric], RANKED)
        groups = {"typical": typical, "worst": worst, "best": best}
        return [card for group, rows in groups.items() for card in self.cards(group, rows)]

    def cards(self, group: str, rows: Sequence[int]) -> list[SceneCard]:
        """Returns a card for each of some rows, under the title of a group."""
        if not rows:
            return []
        views = [self._views(place, list(rows)) for place in range(len(self._models))]
        images, truth = self._scenes.images[list(rows)], self._scenes.segmentation[list(rows)]
        palette = entity_palette(self._scenes.entities, self._scenes.num_background)
        return [
            SceneCard(
                SceneSummary(
                    group=group,
                    source=self._path.name,
                    index=row,
                    beside=tuple(view.summary for view in others),
                    **vars(first.summary),
                ),
                sheet=np.concatenate([images[i], palette[truth[i]]], axis=1),
                views=(first, *others),
            )
            for i, (row, (first, *others)) in enumerate(
                zip(rows, zip(*views, strict=True), strict=True)
            )
        ]

    def _views(self, place: int, rows: list[int]) -> list[View]:
        """Returns a model's decompositions of some rows, by the model's place among the models."""
        model, scenes = self._models[place], self._inputs[place].rows(rows)
        output = self._cache.decompositions(model, scenes.images, self._num_slots)
        refined, refined_values = None, {}
        if model.refines:
            refined = self._cache.decompositions(model, scenes.images, self._num_slots, ROUNDS)
            predictions = Predictions(slots_of(refined.masks), num_slots=refined.masks.shape[1])
            refined_values = values_of(scenes, predictions)
        parts, colors = drawable(scenes.images, output), slot_colors(output.masks, scenes)
        return [
            View(
                SceneView(
                    scores=_shown_scores(self._values[place], row),
                    slots=_slot_summaries(scenes.segmentation[i], parts.masks[i], scenes.entities),
                    refined=_shown_scores(refined_values, i),
                ),
                sheet=sheet(parts, i, colors[i], None if refined is None else refined.masks[i]),
                colors=colors[i],
                refines=refined is not None,
                lacking=parts.note,
            )
            for i, row in enumerate(rows)
        ]


def _shown_scores(values: Mapping[str, np.ndarray], row: int) -> dict[str, float]:
    return {
        name: round(float(values[name][row]), DIGITS) for name in SHOWN_SCORES if name in values
    }


def most_typical(values: Float64[np.ndarray, " N"], count: int) -> list[int]:
    """Returns the rows nearest to the median of all defined values, the nearest first."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return []
    distance = np.abs(values - np.median(defined))  # NaN comes last
    return [int(row) for row in np.argsort(distance, kind="stable")[: min(count, len(defined))]]


def worst_and_best(
    metric: str, values: Float64[np.ndarray, " N"], count: int
) -> tuple[list[int], list[int]]:
    """Returns the rows with the worst and the best values of a metric, the most extreme first.

    No row is in both lists, and none whose value is undefined is in either.
    """
    values = -values if metric in LOWER_IS_BETTER else values
    order = [int(row) for row in np.argsort(values, kind="stable") if not math.isnan(values[row])]
    count = min(count, len(order) // 2)
    return order[:count], order[::-1][:count]


def without(parts: Drawable, index: int, slot: int) -> Float[np.ndarray, "H W 3"]:
    """Returns a scene's reconstruction with one slot removed.

    The slot's share of each pixel goes to the other slots, in proportion to the masks that the
    decoder predicts for them, so that what is behind the removed slot appears. Where the slot has
    no share, the reconstruction does not change.
    """
    others = np.arange(parts.masks.shape[1]) != slot
    masks, logits = parts.masks[index], parts.mask_logits[index][others]
    weights = np.exp(logits - logits.max(axis=0))
    inherited = masks[slot] * weights / weights.sum(axis=0)  # (K - 1, H, W)
    shares = masks[others] + inherited
    return (shares[..., None] * parts.components[index][others]).sum(axis=0)


def sheet(
    parts: Drawable,
    index: int,
    colors: UInt8[np.ndarray, "K 3"],
    refined: Float[np.ndarray, "K H W"] | None,
) -> UInt8[np.ndarray, "Y X 3"]:
    """Lays out all pictures of a model's view of a scene without gaps; rows end in white.

    Args:
        parts: the model's output for several scenes.
        index: of the scene among them.
        colors: of the slots.
        refined: masks after the VAE has corrected them, where it can.
    """
    masks = parts.masks[index]
    rows = [[to_uint8(parts.reconstruction[index]), colors[masks.argmax(axis=0)]]]
    if refined is not None:
        rows[0].append(colors[refined.argmax(axis=0)])
    for slot in range(len(masks)):
        component = parts.components[index, slot]
        rows.append(
            [
                on_white(component, parts.masks_recon[index, slot]),
                to_uint8(component),
                to_uint8(without(parts, index, slot)),
                _grey(masks[slot]),
            ]
        )
        if refined is not None:
            rows[-1].append(_grey(refined[slot]))
    blank = np.full_like(rows[0][0], 255)
    columns = len(rows[-1])
    whole = [row + [blank] * (columns - len(row)) for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in whole], axis=0)


def _grey(mask: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    return np.repeat(to_uint8(mask)[..., None], 3, axis=-1)


def as_webp(picture: UInt8[np.ndarray, "Y X 3"]) -> bytes:
    """Returns a picture as lossless WebP, about half the size of PNG."""
    out = BytesIO()
    Image.fromarray(picture).save(out, format="WEBP", lossless=True, quality=80, method=4)
    return out.getvalue()


def _slot_summaries(
    truth: UInt8[np.ndarray, "H W"], masks: Float[np.ndarray, "K H W"], entities: Sequence[str]
) -> tuple[SlotSummary, ...]:
    segmentation = masks.argmax(axis=0)
    summaries = []
    for slot in range(len(masks)):
        inside = truth[segmentation == slot]
        name = entities[int(np.bincount(inside).argmax())] if inside.size else None
        summaries.append(SlotSummary(round(inside.size / truth.size, DIGITS), name))
    return tuple(summaries)
