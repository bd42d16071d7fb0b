"""Each weights that ship have a card, which says what their metadata and the docs record."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from monet.step_count import steps_in_words
from monet.weights import SHIPPED, read_weights

ROOT = Path(__file__).resolve().parent.parent
CARDS = ROOT / "docs" / "weights"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def test_the_cards_are_what_the_tool_writes() -> None:
    done = subprocess.run(
        [sys.executable, "tools/model_cards", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.stem for path in CARDS.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_every_stage_seeds_scores_and_limits(name: str) -> None:
    weights = read_weights(SHIPPED / f"{name}.safetensors")
    text = (CARDS / f"{name}.md").read_text()
    for step in (*(stage.step for stage in weights.stages), weights.step):
        assert re.search(rf"^\| \d+ \|.*\| {step:,} \|", text, flags=re.MULTILINE)
    assert steps_in_words(weights.step, weights.earlier_steps) in text
    commit = weights.notes.get("commit")
    assert f"| commit | {f'`{commit}`' if commit else 'not recorded'} |" in text
    assert f"| seed | {weights.notes.get('seed', weights.config.seed)}" in text
    for words in ("| other seeds | ", "its refined masks", "felzenszwalb", "## Limits", "refine=3"):
        assert words in text


@pytest.mark.parametrize("page", ["README.md", "docs/weights.md"])
def test_every_card_is_linked(page: str) -> None:
    text = (ROOT / page).read_text()
    for name in NAMES:
        assert f"weights/{name}.md)" in text
