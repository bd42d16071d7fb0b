"""Weights and states: found, round trip, and refused where they are not sound."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monet.config import ModelConfig, TrainConfig
from monet.model import Monet
from monet.training.state import STATE, read_state
from monet.weights import find_weights, load, read_weights, save_weights
from safetensors.torch import save_file
from scenes.command_line import CommandError, UsageError

MODEL = ModelConfig(image_size=16, encoder_channels=(4, 4), unet_channels=(4, 4, 4))
CONFIG = TrainConfig(model=MODEL)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Returns a folder with untrained weights."""
    torch.manual_seed(0)
    weights = Monet(MODEL).state_dict()
    save_weights(tmp_path / "model.safetensors", weights, CONFIG, 7, "objects_room")
    return tmp_path


def test_weights_come_back_with_config_step_and_dataset(run: Path) -> None:
    torch.manual_seed(0)
    expected = Monet(MODEL).state_dict()
    read = read_weights(find_weights(run))
    assert (read.config, read.step, read.dataset, read.name) == (
        CONFIG,
        7,
        "objects_room",
        run.name,
    )
    assert all(torch.equal(read.tensors[name], value) for name, value in expected.items())
    assert not load(run).training


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    message = f"{tmp_path}: no model.safetensors in this folder: not a run, or not yet saved"
    with pytest.raises(UsageError, match=re.escape(message)):
        find_weights(tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="nowhere: no such run folder"):
        find_weights("nowhere")


@pytest.mark.parametrize("cut", [0, 4, 100, 2000])
def test_weights_cut_short_are_refused(run: Path, cut: int) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CommandError, match=re.escape(f"{path}: not safetensors, or cut short")):
        load(run)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CommandError, match=re.escape(f"{path}: no config in its metadata")):
        load(tmp_path)


def test_weights_of_another_architecture_are_refused(run: Path) -> None:
    other = replace(CONFIG, model=replace(MODEL, latent_dim=3))
    save_weights(run / "model.safetensors", Monet(MODEL).state_dict(), other, 7, "objects_room")
    with pytest.raises(CommandError, match="weights and config disagree"):
        load(run)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


@pytest.mark.parametrize("way", ["pickle", "torch"])
def test_a_hostile_state_is_refused_and_runs_nothing(tmp_path: Path, way: str) -> None:
    state, trace = tmp_path / STATE, tmp_path / "ran"
    if way == "torch":
        torch.save({"step": 1, "model": Hostile(trace)}, state)
    else:
        state.write_bytes(pickle.dumps({"step": 1, "model": Hostile(trace)}, protocol=2))
    message = f"{state}: not a training state of this project, or cut short"
    with pytest.raises(CommandError, match=re.escape(message)):
        read_state(tmp_path)
    assert not trace.exists()


def test_a_truncated_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / STATE
    torch.save({"step": 1, "model": {"a": torch.zeros(1000)}}, state)
    state.write_bytes(state.read_bytes()[:1500])
    with pytest.raises(CommandError, match=re.escape(f"{state}: not a training state")):
        read_state(tmp_path)
