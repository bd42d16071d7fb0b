"""Configs as JSON: today's form, and the runs and weights that version 0.1.0 left.

`run_of_0_1_0` was trained by it on the first 384 rooms of 32 pixels (seed 0): two stages, with a
fourth term and a weight apart for the component VAE.
"""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from monet import load
from monet.config import LossAblations, LossConfig
from monet.config_file import (
    Stage,
    config_from_json,
    config_to_json,
    read_config,
    stages_from_json,
    stages_to_json,
)
from monet.presets import PRESETS
from monet.training.trainer import Trainer
from monet.weights import SHIPPED, read_weights
from scenes.file.reader import SceneFile

OLD = Path(__file__).parent / "run_of_0_1_0"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_config_comes_back_as_it_was(preset: str) -> None:
    config = PRESETS[preset]
    text = config_to_json(config)
    assert json.loads(text)["version"] == 2
    assert config_from_json(text) == config
    stages = (Stage(3, config), Stage(5, replace(config, seed=4)))
    assert stages_from_json(stages_to_json(stages)) == stages


def test_an_old_config_is_read() -> None:
    config = read_config(OLD)
    assert config.loss == LossConfig(sigma_bg=0.2, sigma_fg=0.25, beta=0.3, gamma=0.4)
    assert config.ablations == LossAblations(gamma_vae=0.2, posterior_weight=1.0)
    assert (config.model.num_slots, config.model.unet_channels) == (3, (4, 4, 4))
    assert config.compile == "auto"


@pytest.mark.parametrize(("old", "new"), [("a/b", "a-b"), ("..", "unnamed"), ("../a", "-a")])
def test_an_old_name_that_was_a_path_is_read_as_a_name(old: str, new: str) -> None:
    config = json.loads(config_to_json(PRESETS["quick"]))
    version_1 = {**config, "version": 1, "name": old}
    assert config_from_json(json.dumps(version_1)).name == new


def test_an_old_run_goes_on_as_it_would_have(rooms_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(OLD, run)
    # The data are known by what they are, not by the path that the old config has.
    config = replace(read_config(OLD), data=rooms_file, steps=6)
    (run / "config.json").write_text(config_to_json(replace(config, steps=4)))
    with Trainer(config, run) as trainer:
        assert trainer.step == 4
        assert len(trainer._learner.stages) == 1
        trainer.run()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    assert [step for step, _ in losses] == [5, 6]
    # As version 0.1.0 itself went on.
    assert [loss for _, loss in losses] == pytest.approx([1802.825, 1884.424], rel=1e-4)


def test_old_weights_decompose_and_refine_as_they_did(rooms_file: Path) -> None:
    model = load(OLD)
    assert model.loss_config == LossConfig(sigma_bg=0.2, sigma_fg=0.25, beta=0.3, gamma=0.4)
    with SceneFile(rooms_file) as file:
        images = np.asarray(file["image"][:4]).reshape(4, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    images = images.astype(np.uint8)
    parts, refined = model.decompose(images), model.decompose(images, refine=1)
    np.testing.assert_allclose(parts.nll, [2252.362, 2580.172, 2231.203, 2859.882], rtol=1e-4)
    np.testing.assert_allclose(parts.kl_mask, [30.2265, 29.9546, 30.9562, 31.0551], rtol=1e-3)
    np.testing.assert_allclose(refined.nll, [2048.393, 2408.280, 2088.254, 2622.834], rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3, this one reads 2"),
        (
            {"model": {"mixture": "per_channel"}},
            "mixture per_channel: version 0.1.0 was the last that had it",
        ),
        ({"model": {"num_slots": 1}}, "num_slots must be at least 2, got 1"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_cannot_be_read_is_said(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        config_from_json(json.dumps(change))


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda p: p.stem)
def test_shipped_weights_are_in_todays_form(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["version"] == 2
    stages = json.loads(metadata.get("stages", "[]"))
    assert all(stage["config"]["version"] == 2 for stage in stages)
    assert read_weights(path).model().loss_config == read_weights(path).config.loss
