"""Knobs: directions in latent space that change one property of an object, learned from a file.

Linear regressions read properties y = W z + b from the latents of objects' slots. To change what is
read by dy, latents move by C W' (W C W')^-1 dy, where C is the covariance of objects' latents: of
all moves that change this and no other readable property, the one that is likeliest among objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evaluation.explorer.properties import (
    ACROSS,
    DOWN,
    HUE_COSINE,
    HUE_SINE,
    SIZE,
    Properties,
)
from evaluation.scores.latents import CATEGORICAL, Objects, subset
from evaluation.scores.predictors import predict_properties, train_and_test
from evaluation.scores.results import Predicted

READABLE = 0.25
"""R² on other scenes from which on a property has a knob; a shape, that much of the way from chance
to always right."""
RANGE = (2, 98)
"""Percentiles of the data between which a size is turned."""


@dataclass(frozen=True)
class Control:
    """A knob of the page, or the words in place of one."""

    kind: Literal["range", "hue", "choice", "none"]
    name: str
    words: str
    """How well the property is read on scenes that nothing was learned from."""
    targets: tuple[str, ...] = ()
    """What it changes; of a choice, one for each label."""
    labels: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""


@dataclass(frozen=True)
class Knobs:
    """Every knob, and what reads and moves latents."""

    controls: tuple[Control, ...]
    targets: tuple[str, ...]
    weights: Float32[np.ndarray, "J D"]
    intercepts: Float32[np.ndarray, " J"]
    moves: Float32[np.ndarray, "J D"]
    """What is added to latents to have each target read as 1 more, the others as before."""


def learn_knobs(objects: Objects, properties: Properties, size: int) -> Knobs:
    """Returns the knobs that objects' latents allow.

    Args:
        objects: with a factor for each of `properties.numbers`.
        properties: what is known of them.
        size: side of the pictures, in pixels.
    """
    scores = _scores(objects)
    controls = tuple(
        control
        for make in (_place_controls, _size_controls, _hue_controls, _shape_controls)
        for control in make(objects, properties, size, scores)
    )
    targets = tuple(target for control in controls for target in control.targets)
    values = _target_values(objects, targets)
    dimensions = objects.latents.shape[1]
    weights, intercepts = np.zeros((len(targets), dimensions)), np.zeros(len(targets))
    train, _ = train_and_test(objects) if targets else (np.zeros(0, bool), None)
    for row, target in enumerate(targets):
        known = train & np.isfinite(values[target])
        weights[row], intercepts[row] = _regress(objects.latents[known], values[target][known])
    covariance = np.cov(objects.latents[train].T) if targets else np.zeros((dimensions, dimensions))
    moves = np.linalg.pinv(weights @ covariance @ weights.T, rcond=1e-6) @ weights @ covariance
    return Knobs(controls, targets, _single(weights), _single(intercepts), _single(moves))


def _scores(objects: Objects) -> dict[str, Predicted]:
    """Returns how well each factor is read on other scenes, by the objects in which it is known."""
    scores: dict[str, Predicted] = {}
    for name, values in objects.factors.items():
        known = replace(subset(objects, np.isfinite(values)))
        scores |= predict_properties(replace(known, factors={name: known.factors[name]}))
    return scores


def _regress(
    latents: Float32[np.ndarray, "M D"], values: Float64[np.ndarray, " M"]
) -> tuple[Float64[np.ndarray, " D"], float]:
    """Returns weights and intercept of the linear predictor that `eval represent` scores."""
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(latents.astype(np.float64), values)
    scaler, ridge = fitted[0], fitted[1]
    weights = ridge.coef_ / scaler.scale_
    return weights, float(ridge.intercept_ - weights @ scaler.mean_)


def _place_controls(
    objects: Objects, properties: Properties, size: int, scores: Mapping[str, Predicted]
) -> list[Control]:
    return [
        _of_number(name, scores[name], Control("range", name, "", (name,), (), 0, size, "pixels"))
        for name in (ACROSS, DOWN)
    ]


def _size_controls(
    objects: Objects, properties: Properties, size: int, scores: Mapping[str, Predicted]
) -> list[Control]:
    if SIZE not in objects.factors:
        return []
    values = objects.factors[SIZE]
    low, high = np.nanpercentile(values, RANGE) if len(values) else (0.0, 1.0)
    knob = Control("range", SIZE, "", (SIZE,), (), float(low), float(high), properties.size_unit)
    return [_of_number(SIZE, scores[SIZE], knob)]


def _hue_controls(
    objects: Objects, properties: Properties, size: int, scores: Mapping[str, Predicted]
) -> list[Control]:
    if HUE_SINE not in objects.factors:
        return []
    both = [scores[HUE_SINE], scores[HUE_COSINE]]
    score = Predicted(*(float(np.mean([getattr(one, k) for one in both])) for k in _PARTS))
    return [_of_number("hue", score, Control("hue", "hue", "", (HUE_SINE, HUE_COSINE)))]


def _shape_controls(
    objects: Objects, properties: Properties, size: int, scores: Mapping[str, Predicted]
) -> list[Control]:
    if CATEGORICAL not in objects.factors:
        return []
    score = scores[CATEGORICAL]
    words = (
        f"right for {score.linear:.0%} of the objects of other scenes (the commonest shape: "
        f"{score.chance:.0%}; a small network: {score.mlp:.0%})"
    )
    if math.isnan(score.linear):
        return [Control("none", CATEGORICAL, _TOO_FEW)]
    if score.linear - score.chance < READABLE * (1 - score.chance):
        return [Control("none", CATEGORICAL, f"Cannot be read from the latents: {words}.")]
    codes = [int(code) for code in np.unique(objects.factors[CATEGORICAL])]
    targets = tuple(_shape_target(code) for code in codes)
    labels = tuple(properties.shapes.get(code, str(code)) for code in codes)
    return [Control("choice", CATEGORICAL, f"Linear reading: {words}.", targets, labels)]


_PARTS = ("linear", "mlp", "chance")
_TOO_FEW = "Cannot be told: there are too few objects, or they are all alike."


def _of_number(name: str, score: Predicted, knob: Control) -> Control:
    """Returns a knob with its score, or the words in its place."""
    if math.isnan(score.linear):
        return Control("none", name, _TOO_FEW)
    words = f"R² {score.linear:.2f} on other scenes (a small network: {score.mlp:.2f})"
    if score.linear < READABLE:
        return Control("none", name, f"Cannot be read along one direction: {words}.")
    return replace(knob, words=f"{words}.")


def _shape_target(code: int) -> str:
    return f"{CATEGORICAL} {code}"


def _target_values(
    objects: Objects, targets: Sequence[str]
) -> dict[str, Float64[np.ndarray, " M"]]:
    """Returns each target of each object: of a shape, 1 where the object has it and 0 elsewhere."""
    values = dict(objects.factors)
    shapes: Any = values.get(CATEGORICAL, np.zeros(0))
    values |= {_shape_target(int(code)): (shapes == code) * 1.0 for code in np.unique(shapes)}
    return {target: values[target] for target in targets}


def _single(values: np.ndarray) -> Float32[np.ndarray, "*shape"]:
    return values.astype(np.float32)
