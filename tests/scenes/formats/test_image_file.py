import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from scenes.formats.image_file import read_rgb

PNG = ("PNG",)
ANY = ("PNG", "TIFF", "JPEG", "PPM")


def png(rows, *, width, depth, color, extra=b""):
    """A PNG of raw rows, written from its specification, so that nothing of Pillow is in it."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind, content):
    size = struct.pack(">I", len(content))
    return size + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def halves(*values):
    """Values of 16 bits as a PNG has them."""
    return struct.pack(f">{len(values)}H", *values)


GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
FIRST, SECOND, THIRD, LAST = (1, 2, 3), (250, 251, 252), (9, 8, 7), (40, 50, 60)
PALETTE_EXTRA = chunk(b"PLTE", bytes([*FIRST, *SECOND, *THIRD, *LAST]))
KINDS = {
    "grey of 1 bit": (1, GREY, [[0b10100000]], b"", [255, 0, 255]),
    "grey of 2 bits": (2, GREY, [[0b00011100]], b"", [0, 85, 255]),
    "grey of 4 bits": (4, GREY, [[0x07, 0xF0]], b"", [0, 119, 255]),
    "grey of 8 bits": (8, GREY, [[0, 77, 255]], b"", [0, 77, 255]),
    "grey of 16 bits": (16, GREY, [halves(0, 77 * 257, 65535)], b"", [0, 77, 255]),
    "grey of 16 bits, between": (16, GREY, [halves(255, 256, 0x80FF)], b"", [0, 1, 128]),
    "grey and alpha of 8": (8, GREY_ALPHA, [[0, 9, 77, 0, 255, 255]], b"", [0, 77, 255]),
    "grey and alpha of 16": (
        16,
        GREY_ALPHA,
        [halves(0, 9, 77 * 257, 0, 65535, 1)],
        b"",
        [0, 77, 255],
    ),
    "grey, one transparent": (
        8,
        GREY,
        [[0, 77, 255]],
        chunk(b"tRNS", halves(77)),
        [0, 77, 255],
    ),
    "colour of 8": (
        8,
        RGB,
        [[1, 2, 3, 77, 0, 9, 5, 6, 255]],
        b"",
        [FIRST, (77, 0, 9), (5, 6, 255)],
    ),
    "colour of 16": (
        16,
        RGB,
        [halves(257, 514, 771, 77 * 257, 0, 9 * 257, 5 * 257, 0x06FF, 65535)],
        b"",
        [FIRST, (77, 0, 9), (5, 6, 255)],
    ),
    "colour and alpha of 8": (
        8,
        RGB_ALPHA,
        [[1, 2, 3, 0, 77, 0, 9, 128, 5, 6, 255, 255]],
        b"",
        [FIRST, (77, 0, 9), (5, 6, 255)],
    ),
    "colour and alpha of 16": (
        16,
        RGB_ALPHA,
        [halves(257, 514, 771, 0, 77 * 257, 0, 9 * 257, 9, 5 * 257, 0x06FF, 65535, 65535)],
        b"",
        [FIRST, (77, 0, 9), (5, 6, 255)],
    ),
    "palette of 1 bit": (1, PALETTE, [[0b01000000]], PALETTE_EXTRA, [FIRST, SECOND, FIRST]),
    "palette of 2 bits": (2, PALETTE, [[0b00011100]], PALETTE_EXTRA, [FIRST, SECOND, LAST]),
    "palette of 8 bits": (8, PALETTE, [[2, 1, 0]], PALETTE_EXTRA, [THIRD, SECOND, FIRST]),
    "palette with transparency": (
        8,
        PALETTE,
        [[2, 1, 0]],
        PALETTE_EXTRA + chunk(b"tRNS", bytes([0, 128])),
        [THIRD, SECOND, FIRST],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_depth_of_png_is_read_by_its_range(tmp_path, kind):
    depth, color, rows, extra, pixels = KINDS[kind]
    path = tmp_path / "a.png"
    path.write_bytes(png(rows, width=3, depth=depth, color=color, extra=extra))
    expected = [[pixel if isinstance(pixel, tuple) else (pixel,) * 3 for pixel in pixels]]
    image = read_rgb(path, PNG)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("mode", "value", "suffix", "expected"),
    [
        ("1", 1, "tiff", (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), "tiff", (0, 255, 255)),
        ("CMYK", (0, 0, 0, 255), "jpg", (0, 0, 0)),
        ("YCbCr", (76, 84, 255), "tiff", (254, 0, 0)),
        ("PA", (0, 0), "tiff", (0, 0, 0)),
        ("LA", (77, 3), "tiff", (77, 77, 77)),
        ("I;16", 77 * 257, "tiff", (77, 77, 77)),
        ("I;16B", 77 * 257, "tiff", (77, 77, 77)),
    ],
)
def test_other_modes_are_read_by_their_range(tmp_path, mode, value, suffix, expected):
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (4, 3), value).save(path)
    image = read_rgb(path, ANY)
    assert image.shape == (3, 4, 3)
    np.testing.assert_allclose(image, np.broadcast_to(expected, (3, 4, 3)), atol=1)


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_modes_without_a_known_range_are_refused_by_name(tmp_path, mode):
    path = tmp_path / "a.tiff"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(ValueError, match=f"a.tiff: images of mode {mode} are not read"):
        read_rgb(path, ANY)


def test_every_mode_that_pillow_has_is_read_or_refused_by_name(tmp_path):
    from PIL import ImageMode

    ImageMode.getmode("L")  # fills the table
    modes = {*Image.MODES, "I;16L", "I;16B", "I;16N", "La", "RGBa"}
    answers = {}
    for mode in sorted(modes):
        path = tmp_path / f"{mode.replace(';', '')}.tiff"
        try:
            Image.new(mode, (4, 3)).save(path)
        except (OSError, KeyError, ValueError):
            continue  # no file of this mode can be written
        try:
            answers[mode] = read_rgb(path, ANY).shape
        except ValueError as error:
            answers[mode] = str(error).removeprefix(f"{path}: ")
    assert len(answers) >= 12
    refused = {mode for mode, answer in answers.items() if isinstance(answer, str)}
    assert refused == {"I", "F", "LAB"}
    assert all(f"mode {mode} are not read" in answers[mode] for mode in refused)


def header_only(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, RGB, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 100_000, 2**31 - 1])
def test_a_png_of_ten_milliard_pixels_is_refused_unread(tmp_path, side):
    path = tmp_path / "a.png"
    path.write_bytes(header_only(side, side))
    said = f"{path}: more than 89,478,485 pixels, the bound against bombs"
    with pytest.raises(ValueError, match=re.escape(said)):
        read_rgb(path, PNG)


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0), (0, 0), (2**32 - 1, 1)])
def test_a_png_of_no_size_or_a_negative_one_is_refused(tmp_path, width, height):
    path = tmp_path / "a.png"
    path.write_bytes(header_only(width, height))
    with pytest.raises(ValueError, match=re.escape(f"{path}: ")):
        read_rgb(path, PNG)


def test_what_is_no_single_png_is_refused_by_name(tmp_path):
    grey = Image.new("L", (4, 3))
    path = tmp_path / "a.png"
    grey.save(path, "JPEG")
    with pytest.raises(ValueError, match=re.escape(f"{path}: not a PNG file")):
        read_rgb(path, PNG)
    grey.save(path, save_all=True, append_images=[Image.new("L", (4, 3), 255)])
    with pytest.raises(ValueError, match=re.escape(f"{path}: 2 images in one file")):
        read_rgb(path, PNG)
    path.unlink()
    path.symlink_to(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"{path}: a folder, not a file")):
        read_rgb(path, PNG)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=re.escape(f"{path}: a pipe, not a file")):
        read_rgb(path, PNG)
    path.unlink()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=re.escape(f"{path}: not a PNG file")):
        read_rgb(path, PNG)
