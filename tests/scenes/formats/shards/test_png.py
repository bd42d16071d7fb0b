"""PNG keeps every pixel."""

import numpy as np
import pytest
from scenes.formats.shards.png import decode_png, encode_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (64, 48, 3), (35, 35), (1, 255)])
def test_every_pixel_comes_back(shape):
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(pixels)), pixels)


@pytest.mark.parametrize("content", [b"", b"no image", encode_png(np.zeros((4, 4), np.uint8))[:40]])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(ValueError, match="not a PNG of 8 bits"):
        decode_png(content)
