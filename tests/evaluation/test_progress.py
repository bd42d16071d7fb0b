"""What `eval` shows on a terminal while it works, and what is left there afterwards."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminals import on_a_terminal

SCRIPT = str(Path(sys.executable).parent / "monet-eval")
MODEL = ("--checkpoint", "objects_room_quick")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            ("score", "--n", "12", "--slots", "5"),
            (
                "loading the model",
                "reading .*12/12",
                "decomposing, objects_room_quick .*12/12",
                "baselines .*felzenszwalb",
                "scoring .*8/8",
            ),
        ),
        pytest.param(
            ("represent", "--n", "300"),
            (
                "reading .*300/300",
                "decomposing, .*300/300",
                "properties from latents",
                "predicting",
                "disentangling",
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("decompose", "--n", "9"),
            ("decomposing, .*9/9", "drawing .*decompositions.pdf"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("traverse",),
            ("decoding .*GIF", "drawing .*scene_0_slot_1.png"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["score", "represent", "decompose", "traverse"],
)
def test_every_stage_has_a_bar(
    command: tuple[str, ...], shown: tuple[str, ...], rooms_file: Path, tmp_path: Path
) -> None:
    given = [SCRIPT, *command, *MODEL, "--data", str(rooms_file), "--out", str(tmp_path / "out")]
    said = on_a_terminal(given, tmp_path)
    for words in shown:
        assert re.search(words, said), words


def test_a_metric_that_is_none_is_refused_before_any_work(tmp_path: Path) -> None:
    done = subprocess.run(
        [SCRIPT, "report", "--metric", "foo"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("eval: --metric is one of ari, ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
