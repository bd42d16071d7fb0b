"""Damage to a run's files is found, whatever byte it hits, and odd files are refused in a line."""

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monet.config import ModelConfig, TrainConfig
from monet.config_file import CONFIG, config_to_json, read_config, save_config
from monet.model import Monet
from monet.seal import BLANK, digest, seal_weights, seal_zip
from monet.training.state import STATE, State, read_state, save_state
from monet.weights import SHIPPED, WEIGHTS, read_weights, save_weights
from promises import Promise
from safetensors import safe_open
from safetensors.torch import save, save_file
from scenes.command_line import CommandError

MODEL = ModelConfig(
    image_size=16,
    latent_dim=2,
    encoder_channels=(4, 4),
    encoder_hidden=4,
    decoder_channels=(4,),
    unet_channels=(4, 4),
    unet_hidden=(4,),
)
RUN = TrainConfig(model=MODEL)
OLD = Path(__file__).parent / "run_of_0_1_0"
READERS: dict[str, Callable[[Path], object]] = {
    WEIGHTS: lambda folder: read_weights(folder / WEIGHTS),
    STATE: read_state,
    CONFIG: read_config,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a run folder with untrained weights."""
    torch.manual_seed(0)
    weights = Monet(MODEL).state_dict()
    save_weights(tmp_path / WEIGHTS, weights, RUN, 7, "objects_room", {"how": "by hand"})
    save_state(tmp_path, State(7, weights, weights, {"state": {}, "param_groups": []}))
    save_config(tmp_path, RUN)
    return tmp_path


def is_refused(folder: Path, name: str) -> bool:
    """Whether a file is refused in one line, or is a config that says the same in other bytes."""
    try:
        content = READERS[name](folder)
    except CommandError as error:
        line = str(error)
        return line.startswith(f"{folder / name}: ") and "\n" not in line
    return name == CONFIG and content == RUN


@pytest.mark.parametrize("name", READERS)
def test_every_flipped_bit_is_found(folder: Path, name: str, promise: Promise) -> None:
    path = folder / name
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = {*range(min(64, len(whole))), *range(len(whole) - 120, len(whole))}
    places |= set(rng.integers(len(whole), size=300).tolist())
    READERS[name](folder)
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert is_refused(folder, name), place
    promise(
        "A flipped bit in weights, a training state or a config is refused",
        "one bit at a time",
        len(places),
        "refused in one line; in a config it may also say the same in other bytes",
    )


@pytest.mark.parametrize("name", READERS)
def test_any_other_bytes_are_refused_in_a_line(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(100):
        start, end = sorted(rng.integers(len(whole) + 1, size=2).tolist())
        kind = int(rng.integers(3))
        middle = (b"", rng.bytes(end - start), whole[start:end] * 2)[kind]
        content = whole[:start] + middle + whole[end:]
        path.write_bytes(content)
        assert is_refused(folder, name) or content == whole


def test_weights_stripped_of_their_checksum_are_refused(folder: Path) -> None:
    path = folder / WEIGHTS
    with safe_open(path, framework="pt") as file:
        facts, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del facts["checksum"]
    save_file(tensors, path, facts)
    with pytest.raises(CommandError, match=re.escape(f"{path}: damaged: its checksum is wrong")):
        read_weights(path)
    del facts["version"]  # as version 0.1.0 wrote them
    save_file(tensors, path, facts)
    assert read_weights(path).notes == {"how": "by hand"}


def test_a_newer_version_is_said(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    newer = content.replace(b'"version":"2"', b'"version":"3"').replace(
        facts_of(content)["checksum"].encode(), BLANK.encode()
    )
    (folder / WEIGHTS).write_bytes(newer.replace(BLANK.encode(), digest(newer).encode()))
    message = f"{folder / WEIGHTS}: version 3, this one reads 2"
    with pytest.raises(CommandError, match=re.escape(message)):
        read_weights(folder / WEIGHTS)


def facts_of(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    facts: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return facts


def test_a_state_stripped_of_its_checksum_is_refused(folder: Path) -> None:
    state = torch.load(folder / STATE, weights_only=True)
    torch.save(state, folder / STATE)
    message = f"{folder / STATE}: damaged: its checksum is missing"
    with pytest.raises(CommandError, match=re.escape(message)):
        read_state(folder)
    del state["version"]  # as version 0.1.0 wrote it
    torch.save(state, folder / STATE)
    assert read_state(folder).step == 7


def test_a_flipped_weight_in_a_state_of_0_1_0_is_found_by_its_archive(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / STATE).read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entry = max(archive.infolist(), key=lambda info: info.file_size)
        tensor = archive.read(entry)
    assert read_state(tmp_path).step == 4
    place = whole.index(tensor) + len(tensor) // 2
    (tmp_path / STATE).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(CommandError, match="damaged: its checksum is wrong"):
        read_state(tmp_path)


def test_a_config_changed_by_hand_is_refused(folder: Path) -> None:
    path = folder / CONFIG
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "seed": 1}))
    with pytest.raises(CommandError, match=re.escape(f"{path}: damaged: its checksum is wrong")):
        read_config(folder)
    path.write_text(config_to_json(RUN))  # as version 0.1.0 wrote it
    assert read_config(folder) == RUN


def test_the_same_weights_give_the_same_bytes(folder: Path) -> None:
    read = read_weights(folder / WEIGHTS)
    again = folder / "again.safetensors"
    backwards = dict(reversed(read.tensors.items()))
    for notes in ({"a": "1", "how": "2", "z": "3"}, {"z": "3", "how": "2", "a": "1"}):
        save_weights(again, backwards, RUN, 7, "objects_room", notes)
        contents = {again.read_bytes()}
    assert len(contents) == 1
    save_weights(again, backwards, RUN, 7, "objects_room", read.notes)
    assert again.read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_not_finite_are_refused(folder: Path, value: float) -> None:
    weights = Monet(MODEL).state_dict()
    name = "vae.encoder.hidden.bias"
    weights[name] = torch.full_like(weights[name], value, dtype=torch.float64)
    save_weights(folder / WEIGHTS, weights, RUN, 7, "objects_room")
    message = f"{folder / WEIGHTS}: {name}: not all weights are finite numbers"
    with pytest.raises(CommandError, match=re.escape(message)):
        read_weights(folder / WEIGHTS)
    state = State(7, weights, weights, {"state": {}, "param_groups": []})
    save_state(folder, state)
    with pytest.raises(CommandError, match="not a training state of this project"):
        read_state(folder)


def test_sizes_that_a_small_file_claims_are_never_allocated(folder: Path) -> None:
    # A tensor of 4 TB, by the header; by an expanded view; and by the model that a config names.
    huge = {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    text = json.dumps(huge).encode()
    path = folder / WEIGHTS
    path.write_bytes(seal_weights(len(text).to_bytes(8, "little") + text, {}))
    with pytest.raises(CommandError, match=re.escape(f"{path}: not safetensors, or cut short")):
        read_weights(path)
    path.write_bytes((1 << 62).to_bytes(8, "little") + text)
    with pytest.raises(CommandError, match=re.escape(f"{path}: not safetensors, or cut short")):
        read_weights(path)
    view = {"a": torch.zeros(1).expand(10**12)}
    content = io.BytesIO()
    torch.save({"step": 1, "model": view, "average": {}, "optimiser": {}, "stages": "[]"}, content)
    (folder / STATE).write_bytes(seal_zip(content.getvalue()))
    with pytest.raises(CommandError, match="not a training state of this project"):
        read_state(folder)
    large = ModelConfig(image_size=1024, unet_channels=(4096,) * 7, encoder_channels=(4096,) * 7)
    large_run = replace(RUN, model=large)
    path.write_bytes(
        seal_weights(
            save({"a": torch.zeros(1)}),
            {
                "config": config_to_json(large_run),
                "step": "1",
                "dataset": "objects_room",
            },
        )
    )
    with pytest.raises(CommandError, match="weights and config disagree"):
        read_weights(path).model()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_read(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(CommandError, match=re.escape(f"{path}: a {kind}, not a file")):
        READERS[name](folder)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda p: p.stem)
def test_shipped_weights_carry_a_checksum(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        assert len(file.metadata()["checksum"]) == 64
    read_weights(path)
