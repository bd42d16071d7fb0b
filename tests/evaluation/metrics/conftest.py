"""A thousand random cases on which every metric is tested."""

from dataclasses import dataclass

import numpy as np
import pytest
from scenes.segmentation import contingency

BACKGROUND = 4
ENTITIES = ("sky", "floor", "wall_left", "wall_right", "object_0", "object_1", "object_2")


@dataclass(frozen=True)
class Cases:
    """Small images of up to seven entities, four of them background, and of up to six slots."""

    true: np.ndarray
    pred: np.ndarray
    table: np.ndarray


@pytest.fixture(scope="session")
def cases() -> Cases:
    """Returns 1,000 cases: from chance to perfect, some without objects, slots or variety."""
    rng = np.random.default_rng(0)
    true, pred = np.empty((2, 1000, 5, 4), np.int64)
    for case in range(1000):
        seen = rng.choice(7, rng.integers(1, 8), replace=False)
        true[case] = rng.choice(seen, (5, 4))
        names = rng.permutation(7) % rng.integers(1, 7)  # several entities may share a slot
        agrees = rng.random((5, 4)) < rng.choice([0, 0.5, 0.9, 1])
        pred[case] = np.where(agrees, names[true[case]], rng.integers(0, 6, (5, 4)))
    return Cases(true, pred, contingency(true, pred))
