"""Images that a model takes apart batch by batch."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from evaluation.predictions.batches import AT_ONCE, predict
from scenes.command_line import CommandError

IMAGES = np.zeros((AT_ONCE + 1, 4, 4, 3), np.uint8)


class Forgetful:
    """Gives other latents, or none, of the images after the first batch."""

    num_slots = 2

    def __init__(self, later: np.ndarray | None) -> None:
        self.later = later

    def decompose(self, images: np.ndarray, num_slots: int) -> SimpleNamespace:
        n = len(images)
        latents = np.zeros((n, num_slots, 3)) if n == AT_ONCE else self.later
        return SimpleNamespace(masks=np.full((n, num_slots, 4, 4), 0.5), latents=latents)


def test_batches_are_joined_in_their_order() -> None:
    predictions = predict(Forgetful(np.ones((1, 2, 3))), IMAGES)
    assert predictions.segmentation.shape == (AT_ONCE + 1, 4, 4)
    assert predictions.latents is not None
    assert predictions.latents[:, 0, 0].tolist() == [0] * AT_ONCE + [1]


@pytest.mark.parametrize("later", [None, np.ones((1, 2, 5))])
def test_what_is_given_of_some_images_alone_is_refused(later: np.ndarray | None) -> None:
    line = "Forgetful: latents: of another shape in images from 64 than in those before"
    with pytest.raises(CommandError, match=re.escape(line)):
        predict(Forgetful(later), IMAGES)
