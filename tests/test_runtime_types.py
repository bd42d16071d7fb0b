"""`--runtime-types` holds calls to their annotations; without it they run as users run them."""

import numpy as np
import pytest
from evaluation.metrics.covering import msc
from jaxtyping import TypeCheckError


def test_calls_are_held_to_their_annotations_where_asked_for(
    request: pytest.FixtureRequest,
) -> None:
    table = np.array([[[4.0, 0.0], [0.0, 4.0]]])  # numbers, where pixels are counted in int64
    if request.config.getoption("--runtime-types"):
        with pytest.raises(TypeCheckError, match=r"Int64.*N E K"):
            msc(table, 0)
    else:
        assert msc(table, 0) == 1
