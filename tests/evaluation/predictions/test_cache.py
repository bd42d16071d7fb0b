"""Predictions kept on disk: used again when nothing changed, made again when anything did."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import predict
from evaluation.scores.truth import read_scenes
from monet.model import Monet


@pytest.fixture(scope="module")
def images(rooms_file: Path) -> np.ndarray:
    return read_scenes(rooms_file, 5).images


def entries(cache: Cache) -> set[str]:
    assert cache.folder is not None
    return {path.name for path in cache.folder.iterdir()}


def same(a: Predictions, b: Predictions) -> None:
    assert a.num_slots == b.num_slots
    for name in ("segmentation", "decoded", "extents", "latents"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert set(a.terms) == set(b.terms)
    for name, term in a.terms.items():
        np.testing.assert_array_equal(term, b.terms[name])


def test_what_is_read_is_what_was_computed(
    tmp_path: Path, model: Monet, images: np.ndarray
) -> None:
    cache = Cache(tmp_path / "cache")
    first = cache.of_model(model, images, 9)
    same(first, predict(model, images, 9))
    same(cache.of_model(model, images, 9), first)
    assert first.num_slots == 9
    assert len(entries(cache)) == 1


def test_an_unchanged_entry_is_not_computed_again(
    tmp_path: Path, model: Monet, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    first = cache.of_model(model, images)

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(model, "decompose", refuse)
    same(cache.of_model(model, images), first)


def test_weights_images_and_slots_each_make_an_entry_of_their_own(
    tmp_path: Path, model: Monet, images: np.ndarray
) -> None:
    cache = Cache(tmp_path)
    cache.of_model(model, images)
    cache.of_model(model, images, model.config.num_slots)  # the same number, said aloud
    assert len(entries(cache)) == 1
    cache.of_model(model, images, 9)
    cache.of_model(model, images[:4])
    brighter = images.copy()
    brighter[0, 0, 0, 0] ^= 1
    cache.of_model(model, brighter)
    other = Monet(model.config).eval()
    other.load_state_dict(model.state_dict())
    cache.of_model(other, images)
    assert len(entries(cache)) == 4
    with torch.no_grad():
        next(iter(other.parameters())).view(-1)[0] += 0.25
    same(cache.of_model(other, images), predict(other, images))
    other.loss_config = replace(other.loss_config, sigma_fg=0.2)
    cache.of_model(other, images)
    assert len(entries(cache)) == 6


def test_refined_masks_are_kept_apart(tmp_path: Path, model: Monet, images: np.ndarray) -> None:
    cache = Cache(tmp_path)
    cache.of_model(model, images)
    for _ in range(2):
        same(cache.of_model(model, images, refine=2), predict(model, images, refine=2))
        parts = cache.decompositions(model, images, refine=2)
        np.testing.assert_array_equal(parts.masks, model.decompose(images, refine=2).masks)
    assert len(entries(cache)) == 3


def test_baselines_are_kept_too(tmp_path: Path, images: np.ndarray) -> None:
    cache, calls = Cache(tmp_path), []

    def halves(given: np.ndarray) -> Predictions:
        calls.append(len(given))
        return Predictions((given[..., 0] > 127).astype(np.uint8), 2)

    first = cache.of_baseline("halves", halves, images)
    again = cache.of_baseline("halves", halves, images)
    assert calls == [5]
    np.testing.assert_array_equal(first.segmentation, again.segmentation)
    assert again.decoded is None
    cache.of_baseline("halves", halves, images[:3])
    cache.of_baseline("others", halves, images)
    assert calls == [5, 3, 5]


def test_a_damaged_entry_is_made_again(tmp_path: Path, model: Monet, images: np.ndarray) -> None:
    cache = Cache(tmp_path)
    first = cache.of_model(model, images)
    (name,) = entries(cache)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:300])
    same(cache.of_model(model, images), first)
    assert entries(cache) == {name}
