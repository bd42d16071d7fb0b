"""Codes of geoms: none is ever a mixture of others, and a mixture ends a build."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.file.schema import parts_folder
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.render.codes import MOST_GEOMS, colors, read, segids

ROOMS = ["render", "--split", "empty_room", "--size", "32", "--seed", "3", "--workers", "1"]
ALL = np.arange(1 + MOST_GEOMS, dtype=np.uint8)


def ways_to_share(samples: int, codes: int) -> Iterator[tuple[int, ...]]:
    """Yields how many samples of a pixel each of several codes can have, each at least one."""
    for first in range(1, samples - codes + 2):
        if codes == 1:
            yield (samples,)
            return
        for rest in ways_to_share(samples - first, codes - 1):
            yield (first, *rest)


@pytest.mark.parametrize("samples", range(2, 9))
def test_no_average_of_samples_of_different_codes_is_read_as_a_code(samples):
    sets = [np.array(list(combinations(ALL, count))) for count in range(2, 1 + min(4, samples))]
    sums = np.concatenate(
        [
            (colors(codes).astype(int) * np.array(shares)[:, None]).sum(axis=1)
            for codes in sets
            for shares in ways_to_share(samples, codes.shape[1])
        ]
    )  # (mixtures, 3)
    down, up = sums // samples, -(-sums // samples)
    for rounded_up in product([False, True], repeat=3):
        averages = np.where(rounded_up, up, down).astype(np.uint8)
        _, right = read(averages[None, None], MOST_GEOMS)
        assert not right.any()
    for color in colors(ALL).astype(int):
        assert abs(sums / samples - color).max(axis=1).min() >= 2.25


def test_codes_are_read_as_they_were_drawn():
    pixels = colors(ALL)[None, None]
    numbers, right = read(pixels, MOST_GEOMS)
    np.testing.assert_array_equal(numbers[0, 0], ALL)
    assert right.all()
    assert not colors(ALL)[0].any()  # what MuJoCo leaves where nothing is drawn
    numbers, right = read(pixels, 9)
    np.testing.assert_array_equal(right[0, 0], ALL <= 9)  # no more than there are geoms


def test_segids_are_the_colours_less_one_red_lowest():
    drawn = np.array(segids(MOST_GEOMS)) + 1
    rgb = np.stack([drawn & 255, drawn >> 8 & 255, drawn >> 16], axis=1)
    np.testing.assert_array_equal(rgb, colors(ALL[1:]))


def test_more_geoms_than_codes_are_refused():
    with pytest.raises(ValueError, match=re.escape("there are codes for 16 geoms, got 17")):
        segids(17)


def blend_read(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Blends the rows of one picture as it is read, as a driver blends; all is drawn as ever."""
    reads = 0
    read_pixels = mujoco.mjr_readPixels

    def read_and_blend(pixels, *rest):
        nonlocal reads
        read_pixels(pixels, *rest)
        if reads == number:
            pixels[1:] = (pixels[1:].astype(int) + pixels[:-1]) // 2
        reads += 1

    monkeypatch.setattr(mujoco, "mjr_readPixels", read_and_blend)
    monkeypatch.setattr(ObjectsRoomConfig, "isolated", False)  # built in this process


def test_a_pixel_between_two_codes_ends_the_build_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # An empty room takes one segmentation and one picture, part after part of 16 rooms: this is
    # the segmentation of room 21.
    blend_read(monkeypatch, 2 * 16 + 5)
    monkeypatch.setattr("scenes.parts.plan.MAX_PART_ROWS", 16)
    out = tmp_path / "rooms.h5"
    command = [*ROOMS, "--n", "40", "--out", str(out)]
    assert main(command) == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"scenes: scene 21: the GL renderer '.+' drew the colour \(\d+, \d+, \d+\), which is no "
        r"object's, at row \d+, column \d+; MUJOCO_GL=osmesa renders without that driver; "
        rf"16 of 40 scenes are kept in {re.escape(str(parts_folder(out)))}",
        line,
    )
    assert not out.exists()
    # The same command goes on where the driver is right.
    assert main(command) == 0
    assert out.exists()


def test_another_renderer_begins_where_the_first_made_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blend_read(monkeypatch, 0)
    command = [*ROOMS, "--n", "4", "--out", str(tmp_path / "rooms.h5")]
    assert main(command) == 1
    # Mesa's other software renderer says so in its strings.
    done = subprocess.run(
        [sys.executable, "-m", "scenes.cli", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "GALLIUM_DRIVER": "softpipe"},
    )
    assert done.returncode == 0, done.stderr
    with SceneFile(tmp_path / "rooms.h5") as file:
        assert "softpipe" in file.attributes["provenance"]
