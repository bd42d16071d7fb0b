"""Knobs: latents follow bent curves, and what cannot be read has words in place of a knob."""

import numpy as np
import pytest
from evaluation.explorer.knobs import Curve, Knob, learn_knobs
from evaluation.explorer.properties import Properties
from evaluation.scores.latents import Objects

M = 1200
SIZE = 32


@pytest.fixture(scope="module")
def knobs() -> dict[str, Knob]:
    """Returns knobs of latents in which one place is bent and the other not, without the size."""
    rng = np.random.default_rng(0)
    factors = {
        "across": rng.uniform(0, SIZE, M),
        "down": rng.uniform(0, SIZE, M),
        "size": rng.uniform(1, 2, M),
        "hue": np.where(rng.random(M) < 0.1, np.nan, rng.uniform(0, 360, M)),
        "shape": rng.integers(0, 3, M).astype(np.float64),
    }
    hue = np.radians(np.nan_to_num(factors["hue"]))
    latents = np.stack(
        [
            *bent(factors["across"]),
            factors["down"] / 10,
            np.sin(hue),
            np.cos(hue),
            factors["shape"] == 1,
            factors["shape"] == 2,
            np.zeros(M),
        ],
        axis=1,
    )
    noisy = (latents + 0.05 * rng.normal(size=latents.shape)).astype(np.float32)
    objects = Objects(np.arange(M) // 2, np.zeros(M, bool), noisy, factors)
    shapes = {0: "<b>box</b>", 1: "ball", 2: "cone"}
    return {knob.name: knob for knob in learn_knobs(objects, Properties({}, shapes, "m"), SIZE)}


def bent(across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a place as two latents: three quarters of a circle."""
    angle = across / SIZE * 1.5 * np.pi
    return 2 * np.cos(angle), 2 * np.sin(angle)


def at(curve: Curve, value: float) -> np.ndarray:
    values = np.linspace(curve.low, curve.high, len(curve.latents))
    return np.array([np.interp(value, values, row) for row in curve.latents.T])


@pytest.mark.parametrize(("start", "end"), [(4, 28), (20, 10), (16, 17)])
def test_a_move_follows_a_bent_place(knobs: dict[str, Knob], start: float, end: float) -> None:
    curve = knobs["across"].curve
    assert curve is not None
    moved = at(curve, end) - at(curve, start)
    expected = np.subtract(bent(np.array(end)), bent(np.array(start)))
    np.testing.assert_allclose(moved[:2], expected, atol=0.1)
    np.testing.assert_allclose(moved[2:], 0, atol=0.1)


def test_what_the_latents_do_not_hold_has_words_and_no_knob(knobs: dict[str, Knob]) -> None:
    assert knobs["size"].kind == "none"
    assert knobs["size"].curve is None
    assert knobs["size"].words.startswith("Cannot be read from the latents: R² ")


def test_a_hue_is_read_and_turned_where_it_is_known(knobs: dict[str, Knob]) -> None:
    hue = knobs["hue"]
    assert hue.curve is not None
    sine, cosine = hue.readings
    z = np.zeros(8)
    z[3:5] = np.sin(2), np.cos(2)
    read = np.arctan2(sine.weights @ z + sine.intercept, cosine.weights @ z + cosine.intercept)
    assert read == pytest.approx(2, abs=0.1)
    turned = at(hue.curve, 90) - at(hue.curve, 0)
    np.testing.assert_allclose(turned[3:5], [1, -1], atol=0.1)


def test_shapes_are_chosen_by_their_names(knobs: dict[str, Knob]) -> None:
    assert (knobs["shape"].kind, knobs["shape"].labels) == (
        "choice",
        ("<b>box</b>", "ball", "cone"),
    )
    assert "right for 100% of the objects of other scenes" in knobs["shape"].words


def test_with_few_objects_nothing_is_learned() -> None:
    factors = {"across": np.arange(10.0), "down": np.arange(10.0)}
    objects = Objects(np.arange(10), np.ones(10, bool), np.zeros((10, 3), np.float32), factors)
    knobs = learn_knobs(objects, Properties({}, {}), SIZE)
    assert [knob.kind for knob in knobs] == ["none", "none"]
    assert knobs[0].words == "Cannot be told: there are too few objects, or they are all alike."
