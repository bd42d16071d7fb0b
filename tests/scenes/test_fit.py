"""Images of any size as squares: what is cut, added and averaged."""

import re

import numpy as np
import pytest
from scenes.fit import FITS, check_fit, fit_image, fit_labels
from scenes.segmentation import images_at, segmentation_at


def marked(height: int, width: int) -> np.ndarray:
    """Returns an image whose red says in which third a column is, and whose green, a row."""
    image = np.full((height, width, 3), 9, dtype=np.uint8)
    image[..., 0] = 3 * np.arange(width) // width * 100
    image[..., 1] = (3 * np.arange(height) // height * 100)[:, None]
    return image


def test_crop_cuts_the_middle_pad_adds_black_and_stretch_does_neither() -> None:
    wide = marked(40, 120)
    assert (fit_image(wide, 20, "crop")[..., 0] == 100).all()
    padded = fit_image(wide, 30, "pad")
    assert (padded[:10] == 0).all()
    assert (padded[20:] == 0).all()
    assert (padded[10:20, :, 2] == 9).all()
    stretched = fit_image(wide, 30, "stretch")
    assert stretched[0, [0, 15, 29], 0].tolist() == [0, 100, 200]
    assert stretched[[0, 15, 29], 0, 1].tolist() == [0, 100, 200]
    tall = marked(120, 40)
    assert (fit_image(tall, 20, "crop")[..., 1] == 100).all()
    assert (fit_image(tall, 30, "pad")[:, :10] == 0).all()


def test_whole_factors_average_as_files_are_averaged_down() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (64, 64), dtype=np.uint8)
    for fit in FITS:
        np.testing.assert_array_equal(images_at(images, 16, fit), images_at(images, 16))
        fitted = fit_image(images[0], 16, fit).astype(int)
        assert abs(fitted - images_at(images, 16)[0]).max() <= 1
        np.testing.assert_array_equal(
            fit_labels(labels, 16, fit), segmentation_at(labels[None], 16)[0]
        )


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(31, 57), (57, 31), (5, 7), (1, 1), (1, 300)])
def test_labels_stay_on_their_pixels_and_no_new_one_appears(fit, shape) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[:, shape[1] // 2 :] = 200
    image = np.repeat(labels[..., None], 3, axis=-1)
    small, picture = fit_labels(labels, 16, fit), fit_image(image, 16, fit)
    assert small.shape == (16, 16)
    assert set(np.unique(small)) <= {0, 200}
    clear = (picture[..., 0] < 80) | (picture[..., 0] > 120)
    np.testing.assert_array_equal((picture[..., 0] > 100)[clear], (small == 200)[clear])


def test_floats_stay_floats() -> None:
    images = np.random.default_rng(0).random((2, 30, 40, 3))
    fitted = images_at(images, 16, "crop")
    assert (fitted.dtype, fitted.shape) == (np.float64, (2, 16, 16, 3))
    assert 0 <= fitted.min() <= fitted.max() <= 1
    np.testing.assert_allclose(fitted.mean(), images[:, :, 5:35].mean(), atol=0.02)


def test_what_is_no_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("--fit must be one of crop, pad, stretch, got")):
        check_fit(2, "cut")
    with pytest.raises(ValueError, match="--size must be from 1 to 10000, got 0"):
        images_at(np.zeros((1, 4, 4, 3), dtype=np.uint8), 0, "crop")
