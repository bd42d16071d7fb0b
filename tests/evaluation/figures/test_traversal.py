"""Traversals: one latent at a time, from the slot as the model has it."""

import re
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from evaluation.cli import main
from evaluation.figures.decompositions import on_white
from evaluation.figures.traversal import Traversal, latent_values, ordered, traverse, write_gif
from evaluation.scores.truth import read_scenes
from monet.model import Decompositions, Monet

SLOT = 2


@pytest.fixture(scope="module")
def parts(model: Monet, rooms_file: Path) -> Decompositions:
    """Returns the model's decomposition of one room."""
    return model.decompose(read_scenes(rooms_file, 1).images)


@pytest.fixture(scope="module")
def traversal(model: Monet, parts: Decompositions) -> Traversal:
    """Returns all latents of a slot, each added to from -1 to 1."""
    return traverse(model, parts.latents[0, SLOT], latent_values(5), relative=True)


def test_each_row_changes_its_latent_alone(traversal: Traversal, parts: Decompositions) -> None:
    origin = parts.latents[0, SLOT]
    for row, latent in enumerate(traversal.latents):
        others = np.arange(len(origin)) != latent
        np.testing.assert_array_equal(traversal.z[row][:, others], np.tile(origin[others], (5, 1)))
        np.testing.assert_allclose(traversal.z[row, :, latent], origin[latent] + latent_values(5))


def test_a_relative_traversal_passes_through_the_models_own_component(
    traversal: Traversal, parts: Decompositions
) -> None:
    own = parts.components[0, SLOT]
    own_mask = 1 / (1 + np.exp(-parts.mask_logits[0, SLOT]))
    for row in range(len(traversal.latents)):
        np.testing.assert_allclose(traversal.components[row, 2], own, atol=1e-5)
        np.testing.assert_allclose(traversal.masks[row, 2], own_mask, atol=1e-5)
        difference = traversal.frames[row, 2].astype(int) - on_white(own, own_mask)
        assert np.abs(difference).max() <= 1


def test_an_absolute_traversal_sets_the_latent_to_the_value(
    model: Monet, parts: Decompositions
) -> None:
    origin = parts.latents[0, SLOT]
    made = traverse(model, origin, latent_values(3), [4])
    np.testing.assert_array_equal(made.z[0, :, 4], np.array([-1, 0, 1], np.float32))
    at_home = traverse(model, origin, np.array([float(origin[4])]), [4])
    np.testing.assert_allclose(at_home.components[0, 0], parts.components[0, SLOT], atol=1e-5)


def test_latents_are_ordered_by_what_they_change(model: Monet, parts: Decompositions) -> None:
    deaf = Monet(replace(model.config))
    deaf.load_state_dict(model.state_dict())
    with torch.no_grad():
        deaf.vae.decoder.first.weight[:, 3] = 0
        deaf.vae.decoder.first.weight[:, 7] *= 50
    made = ordered(traverse(deaf.eval(), parts.latents[0, SLOT], latent_values(3)))
    assert made.latents[0] == 7
    assert made.latents[-1] == 3
    assert made.effects[-1] == 0
    assert (np.diff(made.effects) <= 0).all()


def test_a_gif_goes_there_and_back_for_ever(traversal: Traversal, tmp_path: Path) -> None:
    one = Traversal(
        traversal.origin,
        (3,),
        traversal.values,
        traversal.z[3:4],
        traversal.components[3:4],
        traversal.masks[3:4],
    )
    write_gif(one, tmp_path / "a.gif")
    frames = imageio.imread(tmp_path / "a.gif", index=None)
    properties = imageio.immeta(tmp_path / "a.gif")
    assert properties["loop"] == 0
    assert len(frames) == 8  # 5 up, 3 back
    np.testing.assert_array_equal(frames[1], frames[7])
    wanted = one.frames[0, 2].repeat(6, axis=0).repeat(6, axis=1).astype(int)
    shown = frames[2][12:-12, 12:-12, :3].astype(int)  # the edge is enlarged by the same
    assert np.abs(shown - wanted).mean() < 3, "GIF has 256 colours, no more"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.gif"]


def test_the_command_writes_a_strip_and_a_gif(
    run_folder: Path, rooms_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["traverse", "--checkpoint", str(run_folder), "--data", str(rooms_file)]
    asked = [*given, "--scene", "3", "--slot", "2", "--latent", "5", "--out", str(tmp_path)]
    assert main(asked) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [
        str(tmp_path / f"scene_3_slot_2_latent_5.{suffix}") for suffix in ("png", "pdf", "gif")
    ]
    for path in printed:
        assert Path(path).stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--slot", "0"), "--slot must be from 1 to 5, got 0"),
        (("--slot", "6"), "--slot must be from 1 to 5, got 6"),
        (("--slots", "1"), "--slots must be at least 2, got 1"),
        (("--latent", "16"), "--latent must be from 0 to 15, got 16"),
        (("--scene", "384"), "--scene must be from 0 to 383, got 384"),
    ],
)
def test_what_is_not_there_is_refused(
    run_folder: Path,
    rooms_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    line: str,
) -> None:
    given = ["--checkpoint", str(run_folder), "--data", str(rooms_file), "--out", str(tmp_path)]
    assert main(["traverse", *given, *arguments]) == 2
    assert re.fullmatch(rf"eval: .*{re.escape(line)}\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


TWO_BLOBS = '''
"""A model whose latents are the place and brightness of a blob in each slot."""

from types import SimpleNamespace

import numpy as np


class Blobs:
    num_slots = 3

    def decompose(self, images, num_slots):
        latents = np.random.default_rng(0).normal(size=(len(images), num_slots, 3))
        components, logits = self.decode(latents.reshape(-1, 3), images.shape[1])
        shares = np.exp(logits).reshape(len(images), num_slots, *logits.shape[1:])
        return SimpleNamespace(
            masks=shares / shares.sum(axis=1, keepdims=True),
            mask_logits=np.log(shares),
            components=components.reshape(len(images), num_slots, *components.shape[1:]),
            latents=latents,
        )

    def decode(self, latents, size=32):
        y, x = np.mgrid[-1:1:size * 1j, -1:1:size * 1j]
        away = (y - latents[:, :1, None]) ** 2 + (x - latents[:, 1:2, None]) ** 2
        grey = 1 / (1 + np.exp(-latents[:, 2]))
        return np.broadcast_to(grey[:, None, None, None], (*away.shape, 3)), 2 - 9 * away


class Undecoded(Blobs):
    decode = None

    def decompose(self, images, num_slots):
        return Blobs().decompose(images, num_slots)


class Broken(Blobs):
    def decode(self, latents, size=None):
        if size is None:
            raise ZeroDivisionError("no size")
        return super().decode(latents, size)
'''


def test_any_model_that_decodes_latents_is_traversed(
    rooms_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blobs.py").write_text(TWO_BLOBS)
    given = ["traverse", "--data", str(rooms_file), "--slot", "2", "--out", "out", "--model"]
    assert main([*given, "blobs.py:Blobs", "--latent", "1"]) == 0
    frames = imageio.imread(tmp_path / "out/scene_0_slot_2_latent_1.gif", index=None)
    assert (frames[0] != frames[20]).any()
    capsys.readouterr()
    for name, code, line in (
        ("Undecoded", 1, "Undecoded: has no decode(latents) that returns components and mask log"),
        ("Broken", 1, "Broken: decode raised ZeroDivisionError: no size"),
    ):
        assert main([*given, f"blobs.py:{name}"]) == code
        assert capsys.readouterr().err.startswith(f"eval: {line}")
    assert main([*given, "blobs.py:Blobs", "--latent", "3"]) == 2
    assert capsys.readouterr().err == "eval: --latent must be from 0 to 2, got 3\n"
    assert (
        main(
            ["figures", "--figures", "5", "--model", "blobs.py:Blobs", "--data-folder", str(folder)]
        )
        == 0
    )
    assert "Blobs. The slots that fit an object" in Path("results/figures/figure_5.svg").read_text()
