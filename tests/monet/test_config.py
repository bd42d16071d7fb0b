"""Every field of every config refuses what cannot be, and names itself and the value."""

import math
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from monet.config import LossAblations, LossConfig, ModelConfig, OptimiserConfig, TrainConfig
from monet.config_file import config_from_json, config_to_json
from monet.presets import PRESETS

CONFIGS = (ModelConfig(), LossConfig(), LossAblations(), OptimiserConfig(), TrainConfig())
UNBOUNDED = {"model", "loss", "ablations", "optimiser", "grow"}
"""Fields that are configs themselves, or a yes or no."""
WORDS_OF_A_LIST = {"kind", "schedule", "masks", "cache", "precision", "compile", "graph"}
WORDS: dict[str, Any] = {"data": Path(), "name": "", "init_from": ""}


def wrong_values(value: object, name: str) -> list[object]:
    """Returns values that a field of this kind can never have."""
    if name in WORDS:
        long, unprintable = "x" * 5000, "a\0b"
        kind = Path if name == "data" else str
        return [WORDS[name], kind(long), kind(unprintable)]
    if isinstance(value, tuple):
        return [(0,), (-1,), (10**9,), (8,) * 100]
    if isinstance(value, int):
        return [-1, 10**30]
    return [-1.0, math.nan, math.inf, -math.inf]


def cases() -> list[tuple[Any, str, object]]:
    return [
        (config, field.name, wrong)
        for config in CONFIGS
        for field in fields(config)
        if field.name not in UNBOUNDED | WORDS_OF_A_LIST
        for wrong in wrong_values(getattr(config, field.name), field.name)
    ]


@pytest.mark.parametrize(("config", "name", "wrong"), cases())
def test_every_field_refuses_what_cannot_be(config: Any, name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got ") as refusal:
        replace(config, **{name: wrong})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "change", "line"),
    [
        (ModelConfig(), {"num_slots": 10**9}, "num_slots must be at most 1,024, got 1000000000"),
        (ModelConfig(), {"image_size": 16}, "image_size must be at least 32 for 5 unet_channels"),
        (ModelConfig(), {"encoder_channels": ()}, "encoder_channels must be 1 to 16 widths, got 0"),
        (
            ModelConfig(image_size=256),
            {"unet_channels": (4096,)},
            "unet_channels must leave a layer of at most 268,435,456 weights below, got 34,359,7",
        ),
        (LossConfig(), {"sigma_bg": 0.0}, "sigma_bg must be positive, got 0.0"),
        (LossConfig(), {"sigma_bg": 1e-9}, "sigma_bg must be at least 1e-06, got 1e-09"),
        (
            OptimiserConfig(),
            {"learning_rate": 1e39},
            "learning_rate must be at most 1e+18, got 1e+39",
        ),
        (OptimiserConfig(), {"average_decay": 1.0}, "average_decay must be in [0, 1), got 1.0"),
        (TrainConfig(), {"seed": 2**63}, "seed must be at most 9,223,372,036,854,775,807, got"),
    ],
)
def test_a_refusal_names_field_rule_and_value(
    config: Any, change: dict[str, object], line: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(line)):
        replace(config, **change)


def test_types_and_words_are_checked_where_no_test_hook_does() -> None:
    code = (
        "import monet\n"
        "for wrong in ({'kind': 'sgd'}, {'learning_rate': '1'}, {'warmup_steps': 2.5}):\n"
        "    try: monet.OptimiserConfig(**wrong)\n"
        "    except ValueError as error: print(error)\n"
    )
    code += (
        "for wrong in ({'grow': 1}, {'model': {'num_slots': 3}},\n"
        "              {'optimiser': monet.LossConfig()},\n"
        "              {'data': 'rooms.h5'}, {'init_from': 5}):\n"
        "    try: monet.TrainConfig(**wrong)\n"
        "    except ValueError as error: print(error)\n"
        "try: monet.ModelConfig(encoder_channels=[8, 8])\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "kind must be one of rmsprop, adam, muon, got 'sgd'",
        "learning_rate must be a finite number, got 1",
        "warmup_steps must be an integer, got 2.5",
        "grow must be of type bool, got 1",
        "model must be of type ModelConfig, got {'num_slots': 3}",
        "optimiser must be of type OptimiserConfig, got LossConfig(sigma_bg=0.09, sigma_fg=0.11, "
        "beta=0.5, gamma=0.5)",
        "data must be of type Path, got 'rooms.h5'",
        "init_from must be of type str, got 5",
        "encoder_channels must be of type tuple, got [8, 8]",
    ]


@pytest.mark.parametrize("name", ["a/b", "/a", "..", ".", "../a", "a\\b"])
def test_a_run_s_name_cannot_lead_out_of_the_folder_of_runs(name: str) -> None:
    message = f"name must be the name of one folder, without slashes, got {name!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainConfig(name=name)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1", '"x"', "null", "[]", "1" * 400])
def test_a_config_from_a_file_is_checked_alike(text: str) -> None:
    whole = config_to_json(PRESETS["quick"])
    assert '"sigma_bg": 0.195' in whole
    with pytest.raises(ValueError, match="sigma_bg"):
        config_from_json(whole.replace('"sigma_bg": 0.195', f'"sigma_bg": {text}'))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"model":' * 100_000, "{" + " " * (2 << 20) + "}"]
)
def test_json_of_any_depth_and_size_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON") as refusal:
        config_from_json(text)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("text", ["[]", "5", "null", '{"model": 5}', '{"model": []}', '""'])
def test_json_that_is_no_config_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  (cattrs words it)
        config_from_json(text)
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)
