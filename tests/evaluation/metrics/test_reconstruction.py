"""The mean squared error of a reconstruction."""

import numpy as np
import pytest
from evaluation.metrics.reconstruction import mse


def test_the_image_itself_has_no_error() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_allclose(mse(images, images / np.float32(255)), 0, atol=1e-14)


def test_computed_by_hand() -> None:
    images = np.zeros((2, 1, 2, 3), np.uint8)
    images[1] = 255
    picture = np.zeros((2, 1, 2, 3), np.float32)
    picture[0, 0, 0, 0] = 0.6
    np.testing.assert_allclose(mse(images, picture), [0.36 / 6, 1])


def test_means_outside_the_range_of_colours_are_not_clipped() -> None:
    black = np.zeros((1, 2, 2, 3), np.uint8)
    assert mse(black, np.full((1, 2, 2, 3), -2, np.float32)) == pytest.approx(4)


def test_equals_scikit_learn() -> None:
    from sklearn.metrics import mean_squared_error

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
    pictures = rng.random((20, 6, 6, 3))
    expected = [
        mean_squared_error(i.ravel() / 255, p.ravel())
        for i, p in zip(images, pictures, strict=True)
    ]
    np.testing.assert_allclose(mse(images, pictures), expected, rtol=1e-12)
