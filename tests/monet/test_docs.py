"""The example of docs/monet.md runs as it is printed."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from monet.presets import PRESETS
from monet.training.trainer import Trainer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monet.md"


def test_the_example_runs(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path("data/objects_room/train.h5")
    data.parent.mkdir(parents=True)
    data.symlink_to(rooms_file)
    config = replace(PRESETS["quick"], data=data, steps=1, batch_size=2)
    with Trainer(config, Path("runs/quick")) as trainer:
        trainer.run()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    parts = names["parts"]
    assert parts.masks.shape == (4, 9, 32, 32)  # type: ignore[attr-defined]
    assert parts.latents.shape == (4, 9, 16)  # type: ignore[attr-defined]
    changed = np.abs(names["components"] - parts.components).max(axis=(0, 2, 3, 4))  # type: ignore[attr-defined, operator]
    assert changed[1] > 1e-3, "the slot that was moved"
    assert np.delete(changed, 1).max() < 1e-5, "the others stay"
