"""What the tests of the explorer share: a page of rooms, and what Python makes of its slots."""

from collections.abc import Callable
from pathlib import Path

import monet
import numpy as np
import pytest
from evaluation.explorer.exploration import explore
from evaluation.predictions.cache import Cache

SHOWN = 4
NAME = "objects_room_quick"


@pytest.fixture(scope="session")
def quick_page(rooms_file: Path, cache: Cache, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a page of four rooms of 32 pixels, its knobs learned on the rooms after them."""
    page = tmp_path_factory.mktemp("explorer") / "explorer.html"
    return explore(monet.load(NAME), rooms_file, n=SHOWN, out=page, cache=cache)


Compose = Callable[[list[list[float]], list[float]], tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="session")
def compose() -> Compose:
    """Returns what Python makes of slots: the picture, and each slot's share of each pixel."""
    model = monet.load(NAME)

    def made(latents: list[list[float]], offsets: list[float]) -> tuple[np.ndarray, np.ndarray]:
        components, logits = model.render(np.array(latents, np.float32)[None])
        raised = logits[0] + np.array(offsets)[:, None, None]
        shares = np.exp(raised - raised.max(0))
        shares /= shares.sum(0)
        return (shares[..., None] * components[0]).sum(0), shares

    return made
