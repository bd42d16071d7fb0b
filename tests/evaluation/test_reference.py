"""The weights that ship keep the scores that they carry, on scenes rendered anew."""

from pathlib import Path

import pytest
from evaluation.reference import STEADY, check
from monet.checkpoint import SHIPPED, read_weights

SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_weights_keep_their_scores(name: str, tmp_path: Path) -> None:
    carried, anew = check(read_weights(SHIPPED / f"{name}.safetensors"), tmp_path)
    assert set(carried) == {"model", "refined"}
    for row, scores in carried.items():
        assert set(scores) == set(STEADY)
        assert anew[row] == pytest.approx(scores, abs=0.01)
    assert anew["refined"]["ari_fg"] > anew["model"]["ari_fg"]
