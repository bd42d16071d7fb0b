"""Predictions kept on disk: used again when nothing changed, made again when anything did."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.cli import main
from evaluation.predictions.batches import predict
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.scores.scoring import score
from evaluation.scores.truth import read_scenes
from file_sizes import limiting_files
from monet.model import Monet
from promises import Promise


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
    whole = path.read_bytes()
    for damaged in (whole[:300], b"", whole[:-1], whole + b"0", b"0" * len(whole)):
        path.write_bytes(damaged)
        same(cache.of_model(model, images), first)
        assert entries(cache) == {name}
    assert path.read_bytes()[-32:] != b"0" * 32


def test_one_flipped_bit_anywhere_is_noticed(
    tmp_path: Path, images: np.ndarray, promise: Promise
) -> None:
    cache, calls = Cache(tmp_path), []

    def quarters(given: np.ndarray) -> Predictions:
        calls.append(len(given))
        return Predictions((given[..., 0] // 64).astype(np.uint8), 4)

    first = cache.of_baseline("quarters", quarters, images)
    (name,) = entries(cache)
    path = tmp_path / name
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = {*range(0, 512, 7), *rng.integers(0, len(whole), 150).tolist(), len(whole) - 1}
    for place in sorted(places):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        again = cache.of_baseline("quarters", quarters, images)
        np.testing.assert_array_equal(again.segmentation, first.segmentation)
    assert len(calls) == 1 + len(places), "each was computed again"
    promise(
        "A flipped bit in a kept decomposition is noticed",
        "one bit at a time in an entry of the cache",
        len(places),
        "computed again, the same",
    )


def test_what_cannot_be_kept_is_one_line(tmp_path: Path, rooms_file: Path) -> None:
    """An entry larger than the system lets a process write, as on a full disk."""
    given = ["--data", rooms_file, "--checkpoint", "objects_room_quick", "--out", tmp_path / "out"]
    command = ["monet-eval", "score", "--n", "8", "--no-baselines", *given]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=200, **limiting_files(1024)
    )
    assert done.returncode == 1
    assert re.fullmatch(r"eval: \S+/out/\.cache/\w+\.h5: file too large\n", done.stderr)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, rooms_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    given = ["--data", str(rooms_file), "--checkpoint", "objects_room_quick"]
    for command in ("score", "represent", "report", "traverse"):
        assert main([command, *given, "--out", str(tmp_path / "file/out")]) == 2
        line = f"eval: {tmp_path / 'file'}: is no folder; --out names another place\n"
        assert capsys.readouterr().err == line


def test_scores_are_the_same_bytes_from_the_cache(
    tmp_path: Path, rooms_file: Path, model: Monet
) -> None:
    results = []
    for name in ("computed", "read"):
        score(rooms_file, model, n=4, out=tmp_path / name, cache=Cache(tmp_path / "cache"))
        results.append((tmp_path / name / "scores.json").read_bytes())
    assert results[0] == results[1]
