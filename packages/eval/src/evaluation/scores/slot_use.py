"""What each slot is used for: how often it holds anything, and how much of which kind of entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Integer
from scenes.segmentation import contingency

KIND_OF = {
    "sky": "sky",
    "floor": "floor",
    "wall_left": "walls",
    "wall_right": "walls",
    "background": "background",
}
OBJECTS = "objects"


@dataclass(frozen=True)
class SlotUse:
    """Shares over the scenes of one condition."""

    kinds: tuple[str, ...]
    """Kinds of entities, such as `sky` and `objects`."""
    used: Float64[np.ndarray, " K"]
    """Share of the scenes in which the slot has a pixel."""
    area: Float64[np.ndarray, "K kinds"]
    """Share of all pixels that the slot takes of each kind."""
    mostly: Float64[np.ndarray, "K kinds"]
    """Share of the scenes in which the slot holds more of this kind than of any other."""

    def as_json(self) -> list[dict[str, object]]:
        """Returns an entry for each slot, in the order of the slots."""
        return [
            {
                "used": round(float(used), 6),
                "area": dict(zip(self.kinds, np.round(area, 6).tolist(), strict=True)),
                "mostly": dict(zip(self.kinds, np.round(mostly, 6).tolist(), strict=True)),
            }
            for used, area, mostly in zip(self.used, self.area, self.mostly, strict=True)
        ]


def slot_use(
    true: Integer[np.ndarray, "N H W"],
    pred: Integer[np.ndarray, "N H W"],
    entities: Sequence[str],
    num_slots: int,
) -> SlotUse:
    """Returns what each slot holds.

    Args:
        true: entity index of each pixel.
        pred: slot index of each pixel.
        entities: names of the entities.
        num_slots: slots that the model had, the empty ones among them.
    """
    table = contingency(true, pred)  # (N, E, K)
    kind_of = [KIND_OF.get(name, OBJECTS) for name in entities[: table.shape[1]]]
    kinds = tuple(dict.fromkeys([*(KIND_OF.get(name, OBJECTS) for name in entities), OBJECTS]))
    held = np.zeros((len(table), num_slots, len(kinds)), np.int64)
    for index, kind in enumerate(kind_of):
        held[:, : table.shape[2], kinds.index(kind)] += table[:, index]
    used = np.asarray(held.any(2))
    most = (held.argmax(2)[..., None] == np.arange(len(kinds))) & used[..., None]
    return SlotUse(
        kinds=kinds,
        used=used.mean(0),
        area=held.sum(0) / true.size,
        mostly=most.mean(0),
    )
