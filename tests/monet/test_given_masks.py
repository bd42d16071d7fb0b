"""Given masks: the three conditions of section 2.2, and the VAE alone in training on them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_runs
import torch
from monet.config import LossConfig, OptimiserConfig
from monet.given_masks import check_entities, given_log_masks
from monet.model import Monet
from monet.presets import PRESETS
from monet.training.trainer import Trainer
from monet.weights import read_weights
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from small_runs import small_run

MODEL = replace(small_runs.MODEL, num_slots=7)
LOSS = LossConfig(sigma_bg=0.05, sigma_fg=0.05, gamma=0.25)


@pytest.fixture
def segmentation(rooms_file: Path) -> torch.Tensor:
    """Returns the entities of four rooms."""
    with SceneFile(rooms_file) as file:
        return torch.from_numpy(file["segmentation"][:4])


def test_element_masks_are_the_files(rooms_file: Path, segmentation: torch.Tensor) -> None:
    masks = given_log_masks("element", segmentation, 7).exp().numpy()
    with SceneFile(rooms_file) as file:
        np.testing.assert_array_equal(masks, file.masks(slice(4)))


def test_slots_beyond_the_entities_stay_empty(segmentation: torch.Tensor) -> None:
    masks = given_log_masks("element", segmentation, 9).exp()
    assert float(masks[:, 7:].max()) == 0
    assert (masks.sum(dim=1) == 1).all()


def test_all_in_one_gives_the_first_slot_everything(segmentation: torch.Tensor) -> None:
    masks = given_log_masks("all-in-one", segmentation, 7).exp()
    assert (masks[:, 0] == 1).all()
    assert (masks[:, 1:] == 0).all()


def test_wrong_masks_are_those_of_another_scene(segmentation: torch.Tensor) -> None:
    right = given_log_masks("element", segmentation, 7)
    wrong = given_log_masks("wrong-element", segmentation, 7)
    for index in range(4):
        assert torch.equal(wrong[index], right[index - 1])
        assert not torch.equal(wrong[index], right[index])


def test_more_entities_than_slots_are_refused(rooms_file: Path) -> None:
    message = f"{rooms_file}: 7 entities need as many slots to take their masks; --num-slots is 5"
    with SceneFile(rooms_file) as file, pytest.raises(UsageError, match=re.escape(message)):
        check_entities(file, 5)


def test_the_preset_is_section_2_2() -> None:
    config = PRESETS["conditions"]
    assert (config.loss.sigma_bg, config.loss.sigma_fg) == (0.05, 0.05)
    assert (config.loss.beta, config.loss.gamma) == (0.5, 0.25)
    names = {replace(config, masks=m).run_name for m in ("element", "all-in-one", "wrong-element")}
    assert names == {"conditions-element", "conditions-all-in-one", "conditions-wrong-element"}


@pytest.mark.parametrize("masks", ["element", "all-in-one", "wrong-element"])
def test_the_vae_is_trained_alone(rooms_file: Path, tmp_path: Path, masks: str) -> None:
    optimiser = OptimiserConfig("adam", 3e-3)
    config = small_run(rooms_file, 20, model=MODEL, loss=LOSS, masks=masks, optimiser=optimiser)
    torch.manual_seed(config.seed)
    before = Monet(MODEL).state_dict()
    with Trainer(config, tmp_path) as trainer:
        trainer.run()
    after = read_weights(tmp_path / "model.safetensors").tensors
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if name.startswith("vae.")}
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    assert "held_out_nll" in rows[-1]
    assert "ari" not in rows[-1], "the masks are given: there is nothing to score"


def test_decompose_takes_given_masks(segmentation: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = Monet(replace(MODEL, image_size=32))
    masks = given_log_masks("element", segmentation, 7).exp().numpy()
    images = np.zeros((4, 32, 32, 3), np.uint8)
    parts = model.decompose(images, masks=masks, batch_size=3)
    np.testing.assert_array_equal(parts.masks, masks)
    assert np.isfinite(parts.nll).all()
    message = "masks must be (4, K, 32, 32) for these images, got (3, 7, 32, 32)"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.decompose(images, masks=masks[:3])
