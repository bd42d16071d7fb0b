"""The example of another model: Slot Attention, from rendered scenes to scores."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import evaluation.cli
import numpy as np
import pytest
import slot_attention
import torch
from monet.images import to_unit
from monet.training.data import noise
from monet.training.state import read_state
from scenes.command_line import CommandError, run_command
from scenes.file.reader import SceneFile
from slot_attention import AutoEncoder, Recipe, SlotAttention

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "slot_attention.py"
SMALL = Recipe(
    image_size=16,
    num_slots=4,
    slot_dim=16,
    channels=8,
    encoder_strides=(1, 2),
    decoder_strides=(2, 2),
    batch_size=8,
    learning_rate=4e-3,
    warmup_steps=20,
)
FLAGS = ["--image-size", "16", "--slot-dim", "16", "--channels", "8", "--num-slots", "4"]


def small() -> AutoEncoder:
    torch.manual_seed(0)
    return AutoEncoder(SMALL)


def unit(count: int, recipe: Recipe = SMALL) -> torch.Tensor:
    return noise(0, 0, count, recipe.num_slots, recipe.slot_dim)


@pytest.fixture(scope="module")
def images(rooms_file: Path) -> torch.Tensor:
    """Returns eight rooms at 16 pixels, in [0, 1]."""
    with SceneFile(rooms_file) as file:
        images = slot_attention.images_of_size(file["image"][:8], 16)
    return to_unit(images)


def test_shapes_are_as_annotated_and_masks_sum_to_one(images: torch.Tensor) -> None:
    parts = small()(images, unit(8))
    assert parts.components.shape == (8, 4, 16, 16, 3)
    assert (parts.masks >= 0).all()
    torch.testing.assert_close(parts.masks.sum(dim=1), torch.ones(8, 16, 16))


def test_attention_masks_sum_to_one_at_the_images_size(images: torch.Tensor) -> None:
    parts = AutoEncoder(SMALL, by_attention=True)(images, unit(8))
    assert parts.masks.shape == (8, 4, 16, 16)
    torch.testing.assert_close(parts.masks.sum(dim=1), torch.ones(8, 16, 16))
    assert not torch.equal(parts.masks, parts.masks_recon)


@pytest.mark.parametrize("name", sorted(slot_attention.PRESETS))
def test_every_preset_makes_images_of_its_size(name: str) -> None:
    recipe = slot_attention.PRESETS[name][1].recipe
    side = recipe.image_size
    with torch.no_grad():
        parts = AutoEncoder(recipe)(torch.rand(1, 3, side, side), unit(1, recipe))
    assert parts.reconstruction.shape == (1, side, side, 3)


def test_every_parameter_has_a_gradient(images: torch.Tensor) -> None:
    model = small()
    model.loss(images, unit(8)).backward()
    lacking = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert lacking == []


def test_it_overfits_a_batch(images: torch.Tensor) -> None:
    model = small()
    adam = SMALL.optimiser(model.parameters())
    first = model.loss(images, unit(8)).item()
    for step in range(150):
        for group in adam.param_groups:
            group["lr"] = SMALL.rate(step)
        adam.zero_grad()
        loss = model.loss(images, unit(8))
        loss.backward()
        adam.step()
    assert loss.item() < first / 8


def test_slots_follow_a_permutation_of_their_noise(images: torch.Tensor) -> None:
    model, order = small().double(), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        straight = model(images.double(), unit(8).double())
        permuted = model(images.double(), unit(8).double()[:, order])
    for name in ("latents", "masks", "components"):
        torch.testing.assert_close(getattr(permuted, name), getattr(straight, name)[:, order])
    torch.testing.assert_close(permuted.reconstruction, straight.reconstruction)


def test_slots_do_not_depend_on_the_order_of_their_inputs() -> None:
    torch.manual_seed(0)
    attention = SlotAttention(16, 3).double()
    inputs, order = torch.rand(2, 30, 16, dtype=torch.float64), torch.randperm(30)
    slots, shares = attention(inputs, unit(2).double())
    again, moved = attention(inputs[:, order], unit(2).double())
    torch.testing.assert_close(again, slots)
    torch.testing.assert_close(moved, shares[:, :, order])


def test_one_round_is_algorithm_1_by_hand() -> None:
    torch.manual_seed(0)
    layer = SlotAttention(16, 1).double()
    inputs, first = torch.rand(1, 5, 16, dtype=torch.float64), unit(1).double()
    slots, _ = layer(inputs, first)
    x, s = layer.norm_inputs(inputs[0]), (layer.mu + layer.log_sigma.exp() * first)[0]
    q, k, v = layer.query(layer.norm_slots(s)), layer.key(x), layer.value(x)
    expected = torch.empty(4, 16, dtype=torch.float64)
    shares = [torch.stack([(q[i] * k[n]).sum() / 4 for i in range(4)]).exp() for n in range(5)]
    for i in range(4):
        weights = torch.stack([shares[n][i] / shares[n].sum() for n in range(5)]) + 1e-8
        update = sum(weights[n] * v[n] for n in range(5)) / weights.sum()
        slot = layer.gru(update[None], s[i : i + 1])[0]
        expected[i] = slot + layer.mlp(layer.norm_mlp(slot))
    torch.testing.assert_close(slots[0], expected)


def test_the_rate_rises_then_halves() -> None:
    recipe = Recipe(warmup_steps=10, half_life_steps=100)
    assert recipe.rate(0) == pytest.approx(4e-5, rel=0.01)
    assert recipe.rate(100) == pytest.approx(2e-4)
    assert recipe.rate(300) == pytest.approx(0.5e-4)


def test_decompose_depends_neither_on_the_batch_nor_on_the_call(rooms_file: Path) -> None:
    with SceneFile(rooms_file) as file:
        images = file["image"][:70]  # more than are taken together
    model = small()
    all_of_them, some = model.decompose(images, 5), model.decompose(images[66:], 5)
    assert all_of_them.masks.shape == (70, 5, 16, 16)
    torch.testing.assert_close(all_of_them.masks[66:], some.masks)


def test_decoding_its_latents_gives_its_components(images: torch.Tensor) -> None:
    model = small()
    with torch.no_grad():
        parts = model(images, unit(8))
        components, logits = model.decode(parts.latents[3].numpy())
    torch.testing.assert_close(components, parts.components[3])
    torch.testing.assert_close(logits, parts.mask_logits[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 20}, "image_size must be a multiple of the product of decoder_strides"),
        ({"decoder_strides": (0,)}, "decoder_strides must be at least 1, got 0"),
        ({"encoder_strides": (-1, -1)}, "encoder_strides must be at least 1, got -1"),
        ({"num_slots": 0}, "num_slots must be at least 1, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, got nan"),
    ],
)
def test_recipes_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(Recipe(), **change)  # type: ignore[arg-type]


def train(data: Path, run: Path, *more: str) -> str:
    """Runs the script as a stranger would, and returns what it says."""
    command = [sys.executable, EXAMPLE, "quick", "--data", data, "--run", run, *FLAGS, *more]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=run.parent)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_a_run_that_stopped_is_scored_like_one_that_never_did(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(rooms_file, whole, "--steps", "3") == f"{whole}: 3 of 3 steps\n"
    train(rooms_file, parts, "--steps", "2")
    assert train(rooms_file, parts, "--steps", "3") == f"{parts}: 3 of 3 steps\n"
    first, second = read_state(whole).model, read_state(parts).model
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    results = []
    for run in (whole, parts):
        monkeypatch.setenv("SLOT_ATTENTION_RUN", str(run))
        out = tmp_path / f"scores of {run.name}"
        words = ["score", "--data", str(rooms_file), "--n", "16", "--no-baselines"]
        assert evaluation.cli.main([*words, "--model", f"{EXAMPLE}:load", "--out", str(out)]) == 0
        results.append(json.loads((out / "scores.json").read_text()))
        assert run.name in capsys.readouterr().out
    assert results[0]["metrics"] == results[1]["metrics"]
    assert np.isfinite(results[0]["metrics"]["mse"]["mean"])


def test_the_attention_is_scored_with_the_decoder_beside(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(rooms_file, tmp_path / "run", "--steps", "1")
    monkeypatch.setenv("SLOT_ATTENTION_RUN", str(tmp_path / "run"))
    with SceneFile(rooms_file) as file:
        images = file["image"][:4]
    decoder = slot_attention.load().decompose(images, 4)
    attention = slot_attention.load_attention().decompose(images, 4)
    assert torch.equal(attention.masks_recon, decoder.masks)
    assert not torch.equal(attention.masks, decoder.masks)


def test_a_run_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SLOT_ATTENTION_RUN", str(tmp_path / "none"))
    with pytest.raises(CommandError, match=re.escape(f"{tmp_path / 'none' / 'config.json'}")):
        slot_attention.load()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quick", "--data", "none.h5"], "none.h5"),
        (["quick", "--stop-after", "soon"], "--stop-after takes a duration such as 90s, 9m or 2h"),
        (["quick", "--image-size", "30"], "image_size must be a multiple"),
        (["quick", "--slots", "3"], "--slots"),
        (["slow"], "slow"),
        ([], "--help"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_run(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command("slot_attention.py", slot_attention.main, words) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
