"""Runs of any module: resumed to the bit, stopped cleanly, refused where they are another's."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from monet.training.any_model import read_recipe, train_any
from monet.training.state import read_state
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.lock import locked
from scenes.objects_room.config import ObjectsRoomConfig
from torch import Tensor, nn


@dataclass(frozen=True)
class Blur:
    """How a blur is trained."""

    image_size: int = 16
    batch_size: int = 8
    held_out: int = 320
    seed: int = 0
    learning_rate: float = 1e-3

    def rate(self, step: int) -> float:
        return self.learning_rate / (1 + step)

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters)


class Convolution(nn.Module):
    """Learns to give the image back, with noise on it."""

    noise_shape = (3, 1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def loss(
        self, image: Float[Tensor, "B 3 H W"], unit: Float[Tensor, "B 3 1 1"]
    ) -> Float[Tensor, ""]:
        return (self.convolution(image + 0.1 * unit) - image).square().mean()


def blur() -> Convolution:
    torch.manual_seed(0)
    return Convolution()


def test_a_run_that_stopped_makes_the_same_weights_to_the_bit(
    rooms_file: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train_any(blur(), Blur(), rooms_file, whole, 6).reason == "steps"
    assert train_any(blur(), Blur(), rooms_file, parts, 4).step == 4
    assert train_any(blur(), Blur(), rooms_file, parts, 6).step == 6
    first, second = read_state(whole), read_state(parts)
    assert first.step == second.step == 6
    assert all(torch.equal(value, second.model[name]) for name, value in first.model.items())
    assert not torch.equal(first.model["convolution.weight"], blur().convolution.weight)


def test_a_run_stops_when_its_time_is_over_and_has_a_state(
    rooms_file: Path, tmp_path: Path
) -> None:
    outcome = train_any(blur(), Blur(), rooms_file, tmp_path, 6, stop_after_s=0.0)
    assert (outcome.step, outcome.reason) == (0, "time")
    assert read_state(tmp_path).step == 0
    assert read_recipe(tmp_path, Blur) == Blur()


def test_the_log_has_the_loss_of_every_fiftieth_step(rooms_file: Path, tmp_path: Path) -> None:
    train_any(blur(), Blur(), rooms_file, tmp_path, 100)
    lines = list(map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()))
    assert [line["step"] for line in lines] == [50, 100]
    assert lines[1]["loss"] < lines[0]["loss"]


def test_another_recipe_or_other_scenes_are_refused(rooms_file: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other.h5"
    train_any(blur(), Blur(), rooms_file, run, 1)
    before = (run / "state.pt").read_bytes()
    message = f"{run}: a run of another config (batch_size 8, not 4); choose another --run"
    with pytest.raises(UsageError, match=re.escape(message)):
        train_any(blur(), Blur(batch_size=4), rooms_file, run, 2)
    build(ObjectsRoomConfig(size=32), seed=1, n=336, out=other, workers=1)
    message = f"{run}: {other} holds other scenes than this run began with"
    with pytest.raises(UsageError, match=re.escape(message)):
        train_any(blur(), Blur(), other, run, 2)
    assert (run / "state.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_ends_the_run_with_the_state_before_it(
    rooms_file: Path, tmp_path: Path
) -> None:
    steep = replace(Blur(), learning_rate=1e30)
    message = "the state before it is saved; try a lower learning rate than"
    with pytest.raises(CommandError, match=re.escape(message)):
        train_any(blur(), steep, rooms_file, tmp_path, 9)
    assert 0 < read_state(tmp_path).step < 9


class Cliff(Convolution):
    """Its loss is finite and has a gradient that is not."""

    def loss(
        self, image: Float[Tensor, "B 3 H W"], unit: Float[Tensor, "B 3 1 1"]
    ) -> Float[Tensor, ""]:
        return super().loss(image, unit) + (0 * self.convolution.bias.sum()).sqrt()


def test_a_gradient_that_is_not_finite_spoils_no_state(rooms_file: Path, tmp_path: Path) -> None:
    message = f"{tmp_path}: gradient_norm is nan at step 1; the state before it is saved"
    with pytest.raises(CommandError, match=re.escape(message)):
        train_any(Cliff(), Blur(), rooms_file, tmp_path, 9)
    assert read_state(tmp_path).step == 0


def test_a_folder_where_another_command_trains_is_refused(rooms_file: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path, "training"),
        pytest.raises(UsageError, match="another command is training there"),
    ):
        train_any(blur(), Blur(), rooms_file, tmp_path, 1)


def test_a_file_is_no_run_folder(rooms_file: Path) -> None:
    message = f"{rooms_file}: a file, where a run folder would be; choose another --run"
    with pytest.raises(UsageError, match=re.escape(message)):
        train_any(blur(), Blur(), rooms_file, rooms_file, 1)


def test_a_run_whose_state_is_gone_is_not_begun_anew(rooms_file: Path, tmp_path: Path) -> None:
    train_any(blur(), Blur(), rooms_file, tmp_path, 50)
    (tmp_path / "state.pt").unlink()
    with pytest.raises(UsageError, match=re.escape("the log of a run whose state.pt is gone")):
        train_any(blur(), Blur(), rooms_file, tmp_path, 51)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:],
        lambda content: b"",
    ],
)
def test_a_damaged_state_is_one_line(
    rooms_file: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    train_any(blur(), Blur(), rooms_file, tmp_path, 1)
    state = tmp_path / "state.pt"
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(CommandError, match=re.escape(str(state))) as raised:
        train_any(blur(), Blur(), rooms_file, tmp_path, 2)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", '{"image_size": "16"}', '{"unknown": 1}', "\0", "NaN"])
def test_a_damaged_config_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CommandError, match=re.escape(f"{tmp_path / 'config.json'}: ")) as raised:
        read_recipe(tmp_path, Blur)
    assert "\n" not in str(raised.value)


def test_a_state_of_another_model_is_refused(rooms_file: Path, tmp_path: Path) -> None:
    train_any(blur(), Blur(), rooms_file, tmp_path, 1)
    other = blur()
    other.convolution = nn.Conv2d(3, 3, 5, padding=2)
    message = f"{tmp_path / 'state.pt'}: of another model than config.json says"
    with pytest.raises(CommandError, match=re.escape(message)):
        train_any(other, Blur(), rooms_file, tmp_path, 2)
