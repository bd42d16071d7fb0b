"""The weights that ship keep the scores that they carry, on scenes rendered anew."""

from pathlib import Path

import pytest
from evaluation.reference import STEADY, check
from monet.checkpoint import SHIPPED, read_weights

SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_weights_keep_their_scores(name: str, tmp_path: Path) -> None:
    carried, anew = check(read_weights(SHIPPED / f"{name}.safetensors"), tmp_path)
    assert set(carried) == set(STEADY)
    assert anew == pytest.approx(carried, abs=0.01)
