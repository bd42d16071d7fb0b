"""`scenes doctor`: rooms that ship, drawn for real, against rays; and drivers that lie."""

import ctypes.util
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes.cli import main
from scenes.render import comparison, examination
from scenes.render.comparison import Drawn, compare, draw, image_difference, judge
from scenes.render.diagnosis import lines, what_to_set
from scenes.render.evidence import COLUMNS, NO_ENTITY, draw_evidence
from scenes.render.examination import STORED, Examination, Request, examine
from scenes.render.rays import Truth, truth
from scenes.render.stored import CONFIG, FIELDS, stored_rooms
from scenes.serialise import from_json, to_json
from scenes.source_list import open_source

ROOMS = stored_rooms()
LARGE = replace(CONFIG, size=2 * CONFIG.size)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Returns the rooms that ship, drawn here and now."""
    return draw(ROOMS, CONFIG)


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return [truth(CONFIG, room.values) for room in ROOMS]


@pytest.fixture(scope="module")
def blended() -> Drawn:
    """Returns what a driver makes that averages four samples of codes and depths alike."""
    samples = draw(ROOMS, LARGE)

    def averages(values: np.ndarray) -> np.ndarray:
        n, height, width = values.shape[:3]
        groups = values.reshape(n, height // 2, 2, width // 2, 2, *values.shape[3:])
        return groups.mean(axis=(2, 4)).astype(values.dtype)

    near = np.minimum(samples.depths_m, 1e3)
    return Drawn(
        averages(samples.images), averages(samples.code_colors), averages(near), samples.provenance
    )


def test_stored_rooms_are_the_first_of_seed_0() -> None:
    rows = open_source(CONFIG, 0).rows(range(STORED))
    for number, room in enumerate(ROOMS):
        for key in FIELDS:
            np.testing.assert_array_equal(room.values[key], rows[key][number], strict=True)
    assert image_difference(rows["image"], np.stack([room.image for room in ROOMS])) <= 4


def test_stored_rooms_take_little_room() -> None:
    folder = Path(examination.__file__).parent / "rooms"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000


def test_what_is_drawn_here_is_as_rays_say(drawn: Drawn, truths: list[Truth]) -> None:
    found = judge(drawn, truths)
    assert found.equal > 0.999
    assert found.equal_inside == 1
    assert found.depth_error_m < 1e-4
    assert NO_ENTITY not in found.entities


def test_blended_codes_are_of_no_entity_and_lie_at_edges(
    blended: Drawn, truths: list[Truth]
) -> None:
    found = judge(blended, truths)
    lying = found.entities == NO_ENTITY
    assert lying.any()
    assert found.equal < 0.995
    assert found.equal_inside > 0.999, "off the edges nearly all samples are alike"


def test_codes_of_other_geoms_are_found(drawn: Drawn, truths: list[Truth]) -> None:
    swapped = drawn.code_colors.copy()
    objects = judge(drawn, truths).entities == 4
    sky = drawn.code_colors[0, 0, 0]
    swapped[objects] = sky
    found = judge(replace(drawn, code_colors=swapped), truths)
    assert found.equal_inside < 1


def test_walls_that_change_places_halfway_are_found(drawn: Drawn, truths: list[Truth]) -> None:
    room = next(i for i in range(STORED) if {2, 3} <= set(truths[i].segmentation.ravel()))
    seen = truths[room].segmentation
    codes = drawn.code_colors.copy()
    left = codes[room][seen == 2][0]
    right_wall = np.argwhere(seen == 3)
    for row, column in right_wall[: len(right_wall) // 4]:
        codes[room, row, column] = left
    assert judge(replace(drawn, code_colors=codes), truths).equal_inside < 1


@pytest.mark.parametrize("error", [0.03, np.nan, np.inf])
def test_depths_that_are_off_are_found(drawn: Drawn, truths: list[Truth], error: float) -> None:
    found = judge(replace(drawn, depths_m=drawn.depths_m + error), truths)
    assert found.depth_error_m > 0.02
    examined = Examination("egl", "none", depth_error_m=found.depth_error_m)
    assert not examined.depth_agrees
    assert from_json(to_json(examined), Examination) == examined


def test_colours_are_compared_room_by_room() -> None:
    stored = np.stack([room.image for room in ROOMS])
    other = stored.copy()
    other[3] = 255 - other[3]
    assert image_difference(stored, stored) == 0
    assert image_difference(other, stored) > 20


def test_the_evidence_shows_what_differs_in_red(
    tmp_path: Path, blended: Drawn, truths: list[Truth]
) -> None:
    out = tmp_path / "new" / "evidence.png"
    found = judge(blended, truths)
    stored = np.stack([room.image for room in ROOMS])
    draw_evidence(out, stored, blended.images, found.entities, blended.depths_m, truths)
    with Image.open(out) as image:
        picture = np.asarray(image)
    width = 2 + len(COLUMNS) * (128 + 2)
    assert picture.shape == (16 + 2 + STORED * (128 + 2), width, 3)
    wrong = found.entities != np.stack([each.segmentation for each in truths])
    column = COLUMNS.index("difference") * 130
    difference = picture[:, column : column + 130]
    red = (difference == (220, 0, 0)).all(axis=-1)
    assert red.sum() == 4 * wrong.sum()  # a pixel is two by two


@pytest.mark.parametrize("gl", ["osmesa", "egl"])
def test_what_draws_here_agrees_in_every_respect(gl: str, tmp_path: Path) -> None:
    if gl == "egl" and ctypes.util.find_library("EGL") is None:
        pytest.skip("libEGL is not installed")
    picture = tmp_path / "picture.png"
    found = examine(gl, Request(n=2, picture=str(picture)))
    if gl == "egl" and "OpenGL cannot be started" in found.failure:
        pytest.skip(f"EGL cannot be started here: {found.failure}")
    assert found.untruths() == []
    assert (found.gl, found.n, found.size) == (gl, 2, 64)
    assert found.scenes_per_second is not None
    if "llvmpipe" in found.renderer:
        assert found.agrees
        assert not picture.exists()
    assert from_json(to_json(found), Examination) == found


def test_a_driver_that_blends_is_examined_to_the_end_and_leaves_a_picture(
    tmp_path: Path, blended: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "draw", lambda rooms, config: blended)
    picture = tmp_path / "doctor-osmesa.png"
    found = from_json(compare(to_json(Request(picture=str(picture), with_rate=False))), Examination)
    assert found.picture == str(picture)
    assert not found.segmentation_agrees
    assert re.fullmatch(
        r"\d\.\d\d% of pixels are of another entity than rays say", found.untruths()[0]
    )
    with Image.open(picture) as image:
        assert image.size == (2 + len(COLUMNS) * 130, 18 + STORED * 130)


def test_pictures_of_another_size_are_compared_at_the_stored_ones() -> None:
    found = examine("osmesa", Request(n=3, size=100, with_rate=False))
    assert found.agrees
    assert found.size == 100
    assert found.scenes_per_second is None


def test_a_driver_that_hangs_is_an_answer() -> None:
    found = examine("osmesa", limit_s=0.01)
    assert found.untruths() == ["nothing was drawn in 0.01 s"]
    assert not found.agrees


def test_a_process_that_is_ended_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLIUM_DRIVER", "there-is-none")  # Mesa ends the process
    found = examine("osmesa")
    assert found.failure
    assert found.equal is None


def test_the_command_prints_a_table_and_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert main(["doctor", "--n", "2", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for line in (
        "MUJOCO_GL     osmesa: MUJOCO_GL says so",
        r"renderer      \S+",
        r"OpenGL        \d",
        r"MuJoCo        \d",
        r"segmentation  agrees with rays: 9\d\.\d+% of all pixels are equal, 100\.000% of those ",
        r"depth         agrees with rays: at most 0\.\d+ cm apart on objects",
        r"colour        agrees with stored pictures: at most \d\.\d\d of 255 apart",
        r"speed         \d+ scenes a second by one process; \d+ core",
    ):
        assert re.search(f"^{line}", printed, re.MULTILINE), line
    assert "what to set" not in printed
    assert list(tmp_path.iterdir()) == []


def test_an_opengl_that_cannot_be_started_ends_with_1_and_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "DISPLAY" in os.environ:
        pytest.skip("with a display a window can be opened")
    assert main(["doctor", "--gl", "glfw", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "failure       MUJOCO_GL=glfw: OpenGL cannot be started: " in printed
    assert printed.splitlines()[-1] == "what to set   MUJOCO_GL=osmesa, which draws on the CPU"


def test_what_disagrees_is_said_with_figures_and_a_picture() -> None:
    lying = Examination(
        "egl",
        "NVRM",
        n=8,
        size=64,
        equal=0.971,
        equal_inside=0.999996,
        depth_error_m=0.311,
        image_difference=7.25,
        picture="doctor-egl.png",
    )
    assert lying.untruths() == [
        "2.90% of pixels are of another entity than rays say",
        "depths are up to 31.1 cm from the rays'",
    ]
    said = lines(lying, "there is a GPU")
    assert (
        "segmentation  DISAGREES with rays: 97.100% of all pixels are equal, 99.999% of those off "
        "the edges (8 rooms of 64 x 64)"
    ) in said
    assert "depth         DISAGREES with rays: at most 31.100 cm apart on objects, " in "".join(
        said
    )
    assert "colour        DISAGREES with stored pictures: at most 7.25 of 255" in "".join(said)
    assert "picture       doctor-egl.png" in said
    assert said[-1].startswith("what to set   MUJOCO_GL=osmesa, which draws on the CPU")


def test_colours_alone_need_nothing_set() -> None:
    other = Examination(
        "egl", "", equal=1.0, equal_inside=1.0, depth_error_m=0.0, image_difference=5.0
    )
    assert not other.agrees
    assert other.untruths() == []
    assert what_to_set(other).startswith("nothing: ")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--n", "9"], "--n must be from 1 to 8, got 9"),
        (["--size", "17"], "--size must be even, from 16 to 512, got 17"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *flags]) == 2
    assert capsys.readouterr().err == f"scenes: {said}\n"
