"""The log of a run, with and without TensorBoard."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from monet.training.run_log import METRICS, PICTURE, RunLog


def write(folder: Path) -> set[str]:
    with RunLog(folder, 0) as log:
        log.scalars(5, {"loss": 2.5})
        log.picture(5, np.zeros((16, 16, 3), np.uint8))
    assert json.loads((folder / METRICS).read_text()) == {"step": 5, "loss": 2.5}
    return {path.name.split(".out.")[0] for path in folder.iterdir()}


def test_events_lie_beside_numbers_and_picture(tmp_path: Path) -> None:
    names = write(tmp_path)
    assert {METRICS, PICTURE} < names
    assert any(name.startswith("events") for name in names)


def test_without_tensorboard_one_line_says_so_and_the_rest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # its import fails
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    assert write(tmp_path) == {METRICS, PICTURE}
    line = "monet: no TensorBoard events: tensorboard is not installed\n"
    assert capsys.readouterr().err == line
