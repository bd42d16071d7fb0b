"""`eval decompose`: scenes as rows, whose slots have the colours of what they hold."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation.cli import COMMANDS, main
from evaluation.figures import scene_rows
from evaluation.figures.colors import slot_colors
from evaluation.figures.decompositions import on_white
from evaluation.scores.truth import Truth, read_scenes
from matplotlib.figure import Figure
from monet import load
from monet.weights import SHIPPED, read_weights
from PIL import Image
from scenes.cli import main as scenes
from scenes.file.reader import SceneFile
from scenes.pictures.palette import entity_palette, slot_palette

QUICK = "objects_room_quick"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Returns a list to which each saved figure is appended."""
    figures: list[Figure] = []
    save = scene_rows.save

    def keep(figure: Figure, stem: Path) -> list[Path]:
        figures.append(figure)
        return save(figure, stem)

    monkeypatch.setattr(scene_rows, "save", keep)
    return figures


def columns_of(figure: Figure, side: int) -> dict[str, np.ndarray]:
    """Returns the pictures of each column as they were before they were enlarged, by heading."""
    axes = figure.axes[0]
    images = axes.get_images()
    rows = len({image.get_extent()[3] for image in images})
    headings = [text for text in axes.texts if text.get_ha() == "center"]
    columns = {}
    assert len(images) == rows * len(headings)
    for place, heading in enumerate(headings):
        column = images[place * rows : (place + 1) * rows]
        for image in column:
            left, right = image.get_extent()[:2]
            assert left < heading.get_position()[0] < right, "a heading stands above its column"
        arrays = [np.asarray(image.get_array()) for image in column]
        step = len(arrays[0]) // side
        columns[heading.get_text()] = np.stack([array[::step, ::step] for array in arrays])
    return columns


def test_every_column_has_a_heading_and_shows_what_the_model_makes(
    rooms_file: Path, tmp_path: Path, drawn: list[Figure], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(rooms_file), "--checkpoint", QUICK, "--n", "3", "--refine", "2"]
    assert main(["decompose", *arguments, "--slots", "6", "--out", str(tmp_path / "out")]) == 0
    rooms, model = read_scenes(rooms_file, 3), load(QUICK)
    attention = model.decompose(rooms.images, 6)
    refined = model.decompose(rooms.images, 6, refine=2)
    columns = columns_of(drawn[0], 32)
    assert list(columns) == [
        "image",
        "truth",
        "reconstruction",
        "segmentation",
        "refined",
        *(f"slot {slot}" for slot in range(1, 7)),
    ]
    np.testing.assert_array_equal(columns["image"], rooms.images)
    palette = entity_palette(rooms.entities, rooms.num_background)
    np.testing.assert_array_equal(columns["truth"], palette[rooms.segmentation])
    colors = slot_colors(refined.masks, rooms)
    for name, parts in {"segmentation": attention, "refined": refined}.items():
        labels = parts.masks.argmax(axis=1)
        painted = np.stack([own[each] for own, each in zip(colors, labels, strict=True)])
        assert (columns[name] == painted).all(axis=-1).mean() > 0.99
    shown = on_white(refined.components, refined.masks)
    for slot in range(6):
        difference = np.abs(columns[f"slot {slot + 1}"].astype(int) - shown[:, slot])
        assert difference.max() <= 1
    for suffix in ("png", "pdf"):
        path = tmp_path / f"out/decompositions.{suffix}"
        assert path.stat().st_size > 0
        assert str(path) in capsys.readouterr().out or suffix == "pdf"


def test_scores_that_came_with_the_weights_are_printed_as_such(
    rooms_file: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", str(rooms_file), "--n", "1", "--out", str(tmp_path / "out")]
    assert main(["decompose", *common, "--checkpoint", QUICK]) == 0
    printed = capsys.readouterr().out
    assert "scores recorded with the weights, 320 test scenes of objects_room, 7 slots" in printed
    recorded = json.loads(read_weights(SHIPPED / f"{QUICK}.safetensors").notes["scores"])
    for row, label in (("model", QUICK), ("refined", "its refined masks")):
        mean = recorded[row]["ari_fg"]["mean"]
        assert re.search(rf"^ {label} +{mean:.2f} ±", printed, re.M)
    assert main(["decompose", *common, "--checkpoint", str(run_folder)]) == 0
    assert "recorded" not in capsys.readouterr().out


def test_images_without_truth_of_another_size_are_drawn(
    tmp_path: Path, drawn: list[Figure], rooms_file: Path
) -> None:
    """Crops of 128 pixels, averaged down to the model's 32."""
    source = tmp_path / "png"
    source.mkdir()
    rng = np.random.default_rng(0)
    for index in range(2):
        picture = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
        Image.fromarray(picture).save(source / f"CLEVR_new_{index:06d}.png")
    data = tmp_path / "own.h5"
    assert scenes(["clevr", str(source), "--out", str(data), "--workers", "1"]) == 0
    with SceneFile(data) as file:
        assert not file.has("segmentation")
    given = ["--data", str(data), "--checkpoint", QUICK, "--n", "5"]
    assert main(["decompose", *given, "--out", str(tmp_path / "out")]) == 0
    columns = columns_of(drawn[0], 32)
    assert "truth" not in columns
    assert len(columns["image"]) == 2, "as many as there are"
    edges = [p.get_edgecolor()[:3] for p in drawn[0].axes[0].patches if p.get_linewidth() > 1]
    expected = slot_palette(7).repeat(2, axis=0) / 255
    np.testing.assert_allclose(edges, expected)
    words = " ".join(text.get_text() for text in drawn[0].axes[0].texts)
    assert "the first 2 scenes of own.h5" in words
    assert "the file does not know the truth" in words


def test_any_model_is_drawn_with_what_it_gives(
    rooms_file: Path, tmp_path: Path, drawn: list[Figure]
) -> None:
    code = tmp_path / "halves.py"
    code.write_text(
        "import numpy as np\n"
        "class Halves:\n"
        "    num_slots = 3\n"
        "    def decompose(self, images, num_slots):\n"
        "        masks = np.zeros((len(images), num_slots, *images.shape[1:3]))\n"
        "        masks[:, 0, :, :9], masks[:, 1, :, 9:] = 1, 1\n"
        "        return masks\n"
    )
    given = ["decompose", "--data", str(rooms_file), "--model", f"{code}:Halves", "--n", "11"]
    assert main([*given, "--out", str(tmp_path / "out")]) == 0
    columns = columns_of(drawn[0], 32)
    assert list(columns) == ["image", "truth", "segmentation", "slot 1", "slot 2", "slot 3"]
    image = read_scenes(rooms_file, 11).images
    np.testing.assert_array_equal(columns["slot 1"][:, :, :9], image[:, :, :9])
    assert (columns["slot 1"][:, :, 9:] == 255).all()


def test_a_slot_has_the_colour_of_the_entity_that_it_covers_best() -> None:
    truth = np.zeros((1, 4, 6), np.uint8)
    truth[0, :, 2:4], truth[0, :, 4:] = 1, 2
    slots = np.array([[[3, 3, 1, 1, 0, 0]] * 4])
    slots[0, 0, 4] = 4  # the second-best slot of entity 2
    masks = (slots[:, None] == np.arange(6)[:, None, None]).astype(np.float32)
    known = Truth(truth, ("floor", "object_1", "object_2"), 1)
    palette = entity_palette(known.entities, 1)
    (colors,) = slot_colors(masks, known)
    np.testing.assert_array_equal(colors[[3, 1, 0]], palette)
    spare = {tuple(color) for color in colors[[2, 4, 5]].tolist()}
    assert len(spare) == 3
    assert not spare & {tuple(color) for color in palette.tolist()}
    order = [5, 3, 0, 1, 4, 2]
    (again,) = slot_colors(masks[:, order], known)
    np.testing.assert_array_equal(again[[2, 1, 3]], colors[[0, 3, 1]], "whatever their order")
    (alone,) = slot_colors(masks, replace(known, segmentation=np.zeros_like(truth)))
    assert (alone == palette[0]).all(axis=-1).sum() == 1, "an entity lends its colour once"


def test_a_few_pixels_do_not_lend_a_slot_the_colour_of_what_it_hardly_covers() -> None:
    """A slot with half of an object and one pixel of a wall that another slot has."""
    truth = np.zeros((1, 8, 8), np.uint8)
    truth[0, :, 4:] = 1
    slots = np.zeros((8, 8), int)
    slots[:4, 4:] = 1  # the object's halves
    slots[4:, 4:] = 2
    slots[0, 3] = 2
    slots[7, 4] = 1  # the first half is the larger one
    masks = (slots == np.arange(3)[:, None, None]).astype(np.float32)[None]
    known = Truth(truth, ("wall", "object_1"), 1)
    palette = entity_palette(known.entities, 1)
    (colors,) = slot_colors(masks, known)
    np.testing.assert_array_equal(colors[:2], palette)
    assert colors[2].tolist() not in palette.tolist()
    slots[slots == 0] = 2  # now no other slot has the wall: most of the second is wall
    masks = (slots == np.arange(3)[:, None, None]).astype(np.float32)[None]
    (colors,) = slot_colors(masks, known)
    np.testing.assert_array_equal(colors[[2, 1]], palette)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--n", "0"], "--n must be at least 1, got 0"),
        (["--refine", "-1"], "--refine must be at least 0, got -1"),
        (["--slots", "1"], "--slots must be at least 2, got 1"),
        (
            ["--n", "400", "--slots", "9"],
            "--n 400 with 9 slots makes 3,600 pictures of slots; at most 2,000 are drawn",
        ),
        (["--data", "no.h5"], "no.h5: no such file; scenes render makes one"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    flags: list[str],
    line: str,
    rooms_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = flags if "--data" in flags else ["--data", str(rooms_file), *flags]
    assert main(["decompose", "--checkpoint", QUICK, *given]) == 2
    assert capsys.readouterr().err == f"eval: {line}\n"
    assert list(tmp_path.iterdir()) == []


def test_entities_without_a_name_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "sprites.h5"
    assert (
        scenes(["sprites", "--n", "2", "--split", "test", "--workers", "1", "--out", str(data)])
        == 0
    )
    with h5py.File(data, "r+") as file:
        file.attrs["entities"] = file.attrs["entities"][:1]
    capsys.readouterr()
    given = ["--checkpoint", "multi_dsprites_quick", "--data", str(data)]
    assert main(["decompose", *given, "--out", str(tmp_path / "out")]) != 0
    err = capsys.readouterr().err
    assert err.startswith("eval: ")
    assert err.count("\n") == 1
    assert "Error" not in err


@pytest.mark.slow
def test_each_word_is_a_script_too(rooms_file: Path, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    for word in COMMANDS:
        assert (scripts / word).is_file(), word
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = f"eval decompose --data {rooms_file} --checkpoint {QUICK} --n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"results/decompose/{QUICK}/train/decompositions.png").stat().st_size > 0
    listed = subprocess.run(
        [scripts / "monet-eval", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for word in COMMANDS:
        assert re.search(rf"\b{word}\b", listed)
