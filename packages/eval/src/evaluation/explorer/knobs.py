"""Knobs: how latents move as one property of an object changes, learned from a file.

Two regressions, both on the latents of objects' slots. *Reading*: each property by linear
regression on the latents, which `eval represent` scores; a property that cannot be read so has no
knob. *Moving*: the latents on all readable properties at once, as a sum of one curve for each
property. A knob that goes from a to b adds curve(b) - curve(a) to the latents. Places have curves,
not directions, because some models bend a place around a plane of two latents: `objects_room_64`
moves an object by one pixel where a linear direction asks for eight (docs/explorer.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from evaluation.explorer.properties import ACROSS, DOWN, HUE, SIZE, Properties
from evaluation.scores.latents import CATEGORICAL, Objects, subset
from evaluation.scores.predictors import predict_properties, train_and_test
from evaluation.scores.results import Predicted

READABLE = 0.25
"""R² on other scenes from which on a property has a knob; a shape, that much of the way from chance
to always right."""
SIZES = (2, 98)
"""Percentiles of the data between which a size is turned."""
KNOTS = 8
"""Of the cubic splines over places: 10 do no better, 4 down the picture neither."""
HARMONICS = (1, 2)
FULL_TURN = 360.0

Kind = Literal["place", "range", "hue", "choice", "none"]


@dataclass(frozen=True)
class Curve:
    """How latents go as a property does, up to a constant."""

    low: float
    high: float
    latents: Float32[np.ndarray, "V D"]
    """At evenly spaced values from `low` to `high`."""


@dataclass(frozen=True)
class Reading:
    """A property as a linear function of latents: `weights @ z + intercept`."""

    weights: Float32[np.ndarray, " D"]
    intercept: float


@dataclass(frozen=True)
class Knob:
    """A knob of the page, or the words in place of one."""

    kind: Kind
    name: str
    words: str
    """How well the property is read on scenes that nothing was learned from."""
    unit: str = ""
    labels: tuple[str, ...] = ()
    """Of a choice."""
    curve: Curve | None = None
    readings: tuple[Reading, ...] = ()
    """Of a hue its sine and cosine, of a choice one for each label; none of a place, which the
    decoded mask shows."""


def learn_knobs(objects: Objects, properties: Properties, size: int) -> tuple[Knob, ...]:
    """Returns the knobs that objects' latents allow, and words in place of the others.

    Args:
        objects: with a factor for each of `properties.numbers`.
        properties: what is known of them.
        size: side of the pictures, in pixels.
    """
    knobs = [
        _scored_number(ACROSS, "place", objects, "pixels"),
        _scored_number(DOWN, "place", objects, "pixels"),
        _scored_number(SIZE, "range", objects, properties.size_unit),
        _scored_number(HUE, "hue", objects, "°"),
        _scored_choice(objects, properties),
    ]
    known = [knob for knob in knobs if knob is not None]
    turned = [knob for knob in known if knob.kind != "none"]
    curves = _curves(objects, [knob.name for knob in turned], size) if turned else {}
    return tuple(
        knob
        if knob.kind == "none"
        else replace(knob, curve=curves[knob.name], readings=_readings(objects, knob))
        for knob in known
    )


def _scored_number(name: str, kind: Kind, objects: Objects, unit: str) -> Knob | None:
    if name not in objects.factors:
        return None
    scores = [_score(objects, part, values) for part, values in _parts(name, objects).items()]
    linear, mlp = (float(np.mean([getattr(s, key) for s in scores])) for key in ("linear", "mlp"))
    if math.isnan(linear):
        return _unknown(name)
    words = f"R² {linear:.2f} on other scenes (a small network: {mlp:.2f})"
    if linear < READABLE:
        return Knob("none", name, f"Cannot be read from the latents: {words}.")
    return Knob(kind, name, f"Read from the latents with {words}.", unit)


def _scored_choice(objects: Objects, properties: Properties) -> Knob | None:
    if CATEGORICAL not in objects.factors:
        return None
    score = _score(objects, CATEGORICAL, objects.factors[CATEGORICAL])
    if math.isnan(score.linear):
        return _unknown(CATEGORICAL)
    words = (
        f"right for {score.linear:.0%} of the objects of other scenes (the commonest: "
        f"{score.chance:.0%}; a small network: {score.mlp:.0%})"
    )
    if score.linear - score.chance < READABLE * (1 - score.chance):
        return Knob("none", CATEGORICAL, f"Cannot be read from the latents: {words}.")
    labels = tuple(properties.shapes.get(code, str(code)) for code in _codes(objects))
    return Knob("choice", CATEGORICAL, f"Read from the latents, {words}.", labels=labels)


def _unknown(name: str) -> Knob:
    return Knob("none", name, "Cannot be told: there are too few objects, or they are all alike.")


def _parts(name: str, objects: Objects) -> dict[str, Float64[np.ndarray, " M"]]:
    """Returns what is regressed for a property: itself, or a hue's sine and cosine."""
    values = objects.factors[name]
    if name != HUE:
        return {name: values}
    angle = 2 * np.pi * values / FULL_TURN
    return {"sine": np.sin(angle), "cosine": np.cos(angle)}


def _score(objects: Objects, name: str, values: Float64[np.ndarray, " M"]) -> Predicted:
    """Returns how well a value is read on other scenes, of the objects in which it is known."""
    known = np.isfinite(values)
    one = replace(subset(objects, known), factors={name: values[known]})
    return predict_properties(one)[name]


def _codes(objects: Objects) -> list[int]:
    return [int(code) for code in np.unique(objects.factors[CATEGORICAL])]


def _readings(objects: Objects, knob: Knob) -> tuple[Reading, ...]:
    if knob.kind == "place":
        return ()
    if knob.kind == "choice":
        shapes = objects.factors[CATEGORICAL]
        return tuple(_read(objects, (shapes == code) * 1.0) for code in _codes(objects))
    return tuple(_read(objects, values) for values in _parts(knob.name, objects).values())


def _read(objects: Objects, values: Float64[np.ndarray, " M"]) -> Reading:
    """Returns the linear predictor that `eval represent` scores."""
    train = train_and_test(objects)[0] & np.isfinite(values)
    fitted = make_pipeline(StandardScaler(), Ridge())
    fitted.fit(objects.latents[train].astype(np.float64), values[train])
    scaler, ridge = fitted[0], fitted[1]
    weights = ridge.coef_ / scaler.scale_
    return Reading(weights.astype(np.float32), float(ridge.intercept_ - weights @ scaler.mean_))


def _curves(objects: Objects, names: Sequence[str], size: int) -> dict[str, Curve]:
    """Returns the curves of properties, whose sum is the regression of latents on all of them."""
    train = train_and_test(objects)[0]
    for name in names:
        train = train & np.isfinite(objects.factors[name])
    blocks = {name: _features(objects.factors[name][train], name, objects, size) for name in names}
    regression = Ridge().fit(
        np.concatenate(list(blocks.values()), axis=1), objects.latents[train].astype(np.float64)
    )
    ends = np.cumsum([block.shape[1] for block in blocks.values()])
    weights = dict(zip(names, np.split(regression.coef_.T, ends[:-1]), strict=True))
    return {name: _curve(name, weights[name], objects, size) for name in names}


def _curve(name: str, weights: Float64[np.ndarray, "F D"], objects: Objects, size: int) -> Curve:
    values = _grid(name, objects, size)
    latents = _features(values, name, objects, size) @ weights
    ends = (0.0, len(values) - 1.0) if name == CATEGORICAL else (values[0], values[-1])
    return Curve(float(ends[0]), float(ends[1]), latents.astype(np.float32))


def _grid(name: str, objects: Objects, size: int) -> Float64[np.ndarray, " V"]:
    """Returns the values at which a curve is kept."""
    if name in (ACROSS, DOWN):
        return np.arange(size + 1.0)
    if name == HUE:
        return np.linspace(0, FULL_TURN, 73)
    if name == CATEGORICAL:
        return np.array(_codes(objects), dtype=np.float64)
    low, high = (float(np.nanpercentile(objects.factors[name], share)) for share in SIZES)
    return np.linspace(low, high, 33)


def _features(
    values: Float64[np.ndarray, " M"], name: str, objects: Objects, size: int
) -> Float64[np.ndarray, "M F"]:
    """Returns what latents are linear in: of a place, splines."""
    if name in (ACROSS, DOWN):
        knots = np.linspace(0, size, KNOTS)[:, None]
        splines = SplineTransformer(knots=knots, extrapolation="constant", include_bias=False)
        return splines.fit_transform(values[:, None])
    if name == HUE:
        angle = 2 * np.pi * values / FULL_TURN
        turns = [wave(times * angle) for times in HARMONICS for wave in (np.sin, np.cos)]
        return np.stack(turns, axis=1)
    if name == CATEGORICAL:
        return (values[:, None] == np.array(_codes(objects))) * 1.0
    return values[:, None]
