"""Scores what each slot is used for: how often it holds anything, and which kinds of entities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer
from scenes.segmentation import contingency

from evaluation.scores.results import SlotUse

KIND_OF = {
    "sky": "sky",
    "floor": "floor",
    "wall_left": "walls",
    "wall_right": "walls",
    "background": "background",
}
OBJECTS = "objects"


def slot_use(
    true: Integer[np.ndarray, "N H W"],
    pred: Integer[np.ndarray, "N H W"],
    entities: Sequence[str],
    num_slots: int,
) -> tuple[SlotUse, ...]:
    """Returns the use of each slot over the scenes of one condition, in the order of the slots.

    Args:
        true: entity index of each pixel; a pixel of any further index is left out.
        pred: slot index of each pixel.
        entities: names of the entities.
        num_slots: number of slots, empty ones included.
    """
    table = contingency(true, pred)  # (N, E, K)
    kind_of = [KIND_OF.get(name, OBJECTS) for name in entities]
    kinds = tuple(dict.fromkeys([*kind_of, OBJECTS]))
    pixels = np.zeros((len(table), num_slots, len(kinds)), np.int64)
    for index, kind in enumerate(kind_of[: table.shape[1]]):
        pixels[:, : table.shape[2], kinds.index(kind)] += table[:, index]
    used = np.asarray(pixels.any(2))
    most = (pixels.argmax(2)[..., None] == np.arange(len(kinds))) & used[..., None]
    area, mostly = pixels.sum(0) / max(1, pixels.sum()), most.mean(0)  # (K, kinds)
    return tuple(
        SlotUse(
            used=float(share),
            area=dict(zip(kinds, area[slot].tolist(), strict=True)),
            mostly=dict(zip(kinds, mostly[slot].tolist(), strict=True)),
        )
        for slot, share in enumerate(used.mean(0))
    )
