"""Variants of the adjusted Rand index, each on the same contingency tables.

`ari` takes every entity by itself, `ari_merged` both walls as one entity, `ari_paper` walls and sky
as one entity (as the paper's own model has them), and `ari_fg` the pixels of objects alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scenes.segmentation import ari_of_table

_WALLS = ("wall_left", "wall_right")


def ari(table: Int64[np.ndarray, "N E K"]) -> Float64[np.ndarray, " N"]:
    """Returns the adjusted Rand index over all pixels and entities; NaN for a trivial truth."""
    return ari_of_table(table)


def ari_merged(
    table: Int64[np.ndarray, "N E K"], entities: Sequence[str]
) -> Float64[np.ndarray, " N"]:
    """Returns `ari` with both walls of an Objects Room taken as one entity."""
    return ari_of_table(merge_entities(table, entities, _WALLS))


def ari_paper(
    table: Int64[np.ndarray, "N E K"], entities: Sequence[str]
) -> Float64[np.ndarray, " N"]:
    """Returns `ari` with walls and sky as one entity, as the paper's own model has them."""
    return ari_of_table(merge_entities(table, entities, ("sky", *_WALLS)))


def ari_fg(table: Int64[np.ndarray, "N E K"], num_background: int) -> Float64[np.ndarray, " N"]:
    """Returns the index over object pixels alone; NaN with fewer than two objects in view."""
    return ari_of_table(table[:, num_background:])


def ari_fg_sklearn(
    table: Int64[np.ndarray, "N E K"], num_background: int
) -> Float64[np.ndarray, " N"]:
    """Returns `ari_fg` with scikit-learn's answer where it is undefined.

    A single object in view scores 1.0 in one slot and 0.0 divided among several, as in papers that
    averaged scikit-learn's values. With no object in view the score stays NaN.
    """
    objects = table[:, num_background:]
    score = ari_of_table(objects)
    # The same partition: no slot holds two objects, no object lies in two slots.
    same = ((objects > 0).sum(1) <= 1).all(1) & ((objects > 0).sum(2) <= 1).all(1)
    any_object = objects.sum((1, 2)) > 0
    return np.where(np.isnan(score) & any_object, same.astype(np.float64), score)


def merge_entities(
    table: Int64[np.ndarray, "N E K"], entities: Sequence[str], names: Sequence[str]
) -> Int64[np.ndarray, "N M K"]:
    """Returns the tables with the named entities taken as one, which comes first.

    Raises:
        ValueError: the file has no entity of one of these names.
    """
    one = _named(entities, names, table.shape[1])
    return np.concatenate([table[:, one].sum(1, keepdims=True), table[:, ~one]], axis=1)


def has_room(entities: Sequence[str]) -> bool:
    """Whether entities are those of an Objects Room: two walls and a sky among them."""
    return {"sky", *_WALLS} <= set(entities)


def walls_and_sky_in_one_slot(
    table: Int64[np.ndarray, "N E K"], entities: Sequence[str]
) -> Int64[np.ndarray, "N E M"]:
    """Returns the tables of a perfect result as the paper describes it, on the same scenes.

    Every entity has a slot of its own, but walls and sky share one. Scored like any prediction, it
    gives the ceiling of every metric for a model that does exactly what the paper says.

    Args:
        table: tables of any prediction on these scenes; only the entities' areas are used.
        entities: names of the entities.
    """
    areas = table.sum(2)
    shared = _named(entities, ("sky", *_WALLS), areas.shape[1])
    slot = np.where(shared, 0, np.cumsum(~shared))
    perfect = np.zeros((*areas.shape, int(slot.max()) + 1), np.int64)
    perfect[:, np.arange(areas.shape[1]), slot] = areas
    return perfect


def _named(entities: Sequence[str], names: Sequence[str], E: int) -> Bool[np.ndarray, " E"]:
    """Returns which of the first E entities have one of these names."""
    missing = [name for name in names if name not in entities]
    if missing:
        raise ValueError(f"no entity {missing[0]!r} among {', '.join(entities)}")
    return np.isin(np.arange(E), [list(entities).index(name) for name in names])
