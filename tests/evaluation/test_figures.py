"""The paper's figures: what each shows, what it lacks, and one style for all."""

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import matplotlib as mpl
import numpy as np
import pytest
import torch
from evaluation.cli import main
from evaluation.figures.decompositions import Group, draw_slots, largest_slots, on_white
from evaluation.figures.drawable import Drawable, drawable
from evaluation.figures.given_masks import CURVES, MASKS, draw_given_masks, reconstruct
from evaluation.figures.materials import Materials, MissingError
from evaluation.figures.paper import figure_7
from evaluation.figures.style import save, to_svg
from evaluation.figures.traversal_figure import choose_slots, draw_traversals
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import read_output
from evaluation.room_folder import RoomFolder
from evaluation.scores.truth import TestScenes, read_scenes
from evaluation.training_log import Curve, read_curve
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from monet.given_masks import given_log_masks
from monet.model import Monet
from monet.weights import read_weights
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.pictures.palette import slot_palette
from scenes.segmentation import images_at


@pytest.fixture(scope="module")
def scenes(rooms_file: Path) -> TestScenes:
    """Returns a few rooms."""
    return read_scenes(rooms_file, 8)


@pytest.fixture(scope="module")
def parts(model: Monet, scenes: TestScenes) -> Drawable:
    """Returns the decomposition of these rooms by seven slots."""
    return decomposed(model, scenes.images, 7)


def decomposed(model: Monet, images: np.ndarray, slots: int) -> Drawable:
    return drawable(images, read_output(model.decompose(images, slots), images, "model"))


def pictures(figure: Figure) -> list[np.ndarray]:
    """Returns the pictures of a figure as they were before they were enlarged."""
    arrays = [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]
    return [array[::4, ::4] for array in arrays]  # of 32 pixels


def words(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_columns_show_scene_reconstruction_segmentation_and_slots(
    scenes: TestScenes, parts: Drawable
) -> None:
    shown = pictures(draw_slots([Group("rooms", scenes.images, parts)]))
    column = shown[: 3 + 2 * 7]
    np.testing.assert_array_equal(column[0], scenes.images[0])
    reconstruction = np.clip((parts.masks[0][..., None] * parts.components[0]).sum(0), 0, 1)
    assert np.abs(column[1] / 255 - reconstruction).max() < 0.01
    np.testing.assert_array_equal(column[2], slot_palette(7)[parts.masks[0].argmax(0)])
    for slot in range(7):
        unmasked, masked = column[3 + 2 * slot : 5 + 2 * slot]
        component = parts.components[0, slot]
        assert np.abs(unmasked / 255 - np.clip(component, 0, 1)).max() < 0.01
        np.testing.assert_array_equal(masked, on_white(component, parts.masks_recon[0, slot]))
    assert len(shown) == 8 * (3 + 2 * 7)


def test_a_model_without_reconstructions_has_no_row_of_them(
    scenes: TestScenes, parts: Drawable
) -> None:
    figure = draw_slots([Group("rooms", scenes.images, replace(parts, reconstructs=False))])
    assert len(pictures(figure)) == 8 * (2 + 2 * 7)
    assert {"image", "segmentation"} <= set(words(figure))
    assert "reconstruction" not in words(figure)


def test_a_slot_keeps_its_colour_whatever_the_number_of_slots(
    model: Monet, scenes: TestScenes
) -> None:
    for slots in (5, 9):
        group = Group("rooms", scenes.images[:2], decomposed(model, scenes.images[:2], slots))
        figure = draw_slots([group])
        chips = [
            patch.get_facecolor()[:3]
            for patch in figure.axes[0].patches
            if isinstance(patch, Rectangle) and patch.get_fill()
        ]
        np.testing.assert_allclose(chips, slot_palette(9)[:slots] / 255)


def test_rows_of_chosen_slots_are_framed_in_their_colours(
    scenes: TestScenes, parts: Drawable
) -> None:
    group = Group("rooms", scenes.images[:1], parts, ((6, 1),))
    figure = draw_slots([group], rows=2, masked=False)
    frames = [patch for patch in figure.axes[0].patches if patch.get_linewidth() > 1]
    np.testing.assert_allclose(
        [frame.get_edgecolor()[:3] for frame in frames], slot_palette(7)[[6, 1]] / 255
    )
    shown = pictures(figure)[3:]
    assert np.abs(shown[0] / 255 - np.clip(parts.components[0, 6], 0, 1)).max() < 0.01
    extents = [image.get_extent() for image in figure.axes[0].get_images()]
    for above, below in itertools.pairwise(extents):
        assert below[3] >= above[2], "a picture covers another"


def test_the_largest_slots_leave_the_background_out() -> None:
    masks = np.zeros((1, 4, 2, 5), np.float32)
    for slot, pixels in enumerate((2, 5, 0, 3)):
        masks[0, slot].reshape(-1)[:pixels] = 1
    assert largest_slots(masks, 2) == ((0, 3),)


def test_words_stay_words(scenes: TestScenes, parts: Drawable, tmp_path: Path) -> None:
    figure = draw_slots([Group("rooms", scenes.images[:2], parts)], note="of the first rooms")
    svg = to_svg(figure)
    for word in ("reconstruction", "segmentation", "slot 7", "of the first rooms"):
        assert re.search(rf"<text[^>]*>{word}</text>", svg)
    with mpl.rc_context({"pdf.compression": 0}):
        (path,) = save(figure, tmp_path / "figure", ("pdf",))
    content = path.read_bytes()
    blocks = re.findall(rb"BT\n(.*?)ET\n", content, re.S)
    letters = [
        b"".join(re.findall(rb"\(([^()]*)\)", block)).replace(b"\0", b"") for block in blocks
    ]
    for word in (b"reconstruction", b"segmentation", b"slot 7"):
        assert word in letters
    assert b"/ToUnicode" in content
    assert b"/Subtype /Type3" not in content, "Type 3 fonts are no text to most programs"


def test_figure_5_takes_slots_that_hold_one_object_each(model: Monet, scenes: TestScenes) -> None:
    slots = choose_slots(scenes, scenes.segmentation)
    assert [slot.title for slot in slots] == ["object", "object", "wall + sky"]
    assert len({slot.scene for slot in slots}) == 3
    for slot in slots[:2]:
        assert scenes.entities[slot.slot].startswith("object_")
        assert (scenes.segmentation[slot.scene] == slot.slot).any()
    assert scenes.entities[slots[2].slot] in ("sky", "wall_left", "wall_right")
    images = scenes.images[[slot.scene for slot in slots]]
    output = read_output(model.decompose(images, 7), images, "model")
    figure = draw_traversals(model, images, output, slots, "note")
    rows = [word for word in words(figure) if word.startswith("latent")]
    assert len(rows) == len(set(rows)) == 6
    assert len(pictures(figure)) == 3 * (2 + 6 * 5)


def test_figure_2_mixes_components_by_the_masks_it_gives(model: Monet, scenes: TestScenes) -> None:
    images, truth = scenes.images[:3], scenes.segmentation[:3]
    everything = given_log_masks("all-in-one", torch.from_numpy(truth), 7)
    with torch.no_grad():
        image = torch.from_numpy(images).float().movedim(-1, 1) / 255
        component = model(image, log_masks=everything).components[:, 0]
    wanted = component.clamp(0, 1).movedim(1, -1).numpy()
    assert np.abs(reconstruct(model, images, everything) / 255 - wanted).max() < 0.01

    seven = Monet(replace(model.config, num_slots=7))  # training refuses fewer than entities
    seven.load_state_dict(model.state_dict())
    curve = Curve(np.arange(10), {"nll": np.linspace(9, 1, 10), "kl_latent": np.ones(10)})
    figure = draw_given_masks(
        dict.fromkeys(MASKS, curve), dict.fromkeys(MASKS, seven), images, truth, "note"
    )
    shown = pictures(figure)
    assert len(shown) == 3 + 3 * 2 * 3
    painted = slot_palette(7)[truth]
    np.testing.assert_array_equal(shown[3:6], painted, "element masks")
    assert (np.array(shown[9:12]) == slot_palette(1)[0]).all(), "all-in-one"
    wrong = shown[15:18]
    assert sorted(map(bytes, wrong)) == sorted(map(bytes, painted))
    assert not any(np.array_equal(one, own) for one, own in zip(wrong, painted, strict=True))
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == list(MASKS.values())


def test_curves_are_read_from_a_runs_log(run_folder: Path, tmp_path: Path) -> None:
    path = run_folder / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    curve = read_curve(path, tuple(CURVES))
    np.testing.assert_array_equal(curve.steps, [1, 2, 3, 4])
    assert curve.values["nll"].tolist() == [row["nll"] for row in rows if "nll" in row]
    with pytest.raises(CommandError, match=re.escape(f"{tmp_path / 'no'}: no such file")):
        read_curve(tmp_path / "no", tuple(CURVES))
    (tmp_path / "empty").write_text('{"step": 1, "ari": 0.5}\n')
    with pytest.raises(CommandError, match="holds no nll and kl_latent"):
        read_curve(tmp_path / "empty", tuple(CURVES))


def test_what_lacks_is_left_out_with_the_command_that_makes_it(
    run_folder: Path,
    rooms_file: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--checkpoint", str(run_folder), "--data", str(rooms_file)]
    given += ["--data-folder", str(folder), "--out", str(tmp_path / "out")]
    assert main(["figures", "--figures", "7", "10", *given]) == 1
    captured = capsys.readouterr()
    assert captured.out.split() == [
        str(tmp_path / f"out/figure_10.{suffix}") for suffix in ("png", "pdf", "svg")
    ]
    assert captured.err == (
        "eval: figure_7 is left out: no run on Multi-dSprites; `scenes sprites --n 1000000 && "
        "monet-train --preset paper-multi-dsprites` makes one\n"
    )


def test_figures_of_refined_masks_say_so(run_folder: Path, folder: Path, tmp_path: Path) -> None:
    given = ["--checkpoint", str(run_folder), "--data-folder", str(folder), "--figures", "3"]
    for name, flags in {"plain": (), "refined": ("--refine", "2")}.items():
        assert main(["figures", *given, *flags, "--out", str(tmp_path / name)]) == 0
    plain, refined = ((tmp_path / f"{n}/figure_3.svg").read_text() for n in ("plain", "refined"))
    assert "masks refined 2 times, 5 slots" in refined
    assert "refined" not in plain
    with h5py.File(next((tmp_path / "refined/.cache").iterdir())) as file:
        assert json.loads(file.attrs["key"])["refine"] == 2


def test_clevr_like_runs_stand_for_clevr(run_folder: Path) -> None:
    rooms = read_weights(run_folder / "model.safetensors")
    like = replace(rooms, dataset="clevr_like")
    materials = Materials((rooms, like), (), RoomFolder(), Cache(Path()))
    assert materials.run("clevr") is like
    assert materials.run("objects_room") is rooms
    with pytest.raises(MissingError, match="no run on CLEVR; `scenes clevr-like"):
        replace(materials, runs=(rooms,)).run("clevr")


@pytest.mark.parametrize("given", [False, True], ids=["its own file", "another file"])
def test_a_run_is_drawn_on_the_scenes_that_it_left_out(
    run_folder: Path, tmp_path: Path, given: bool
) -> None:
    data = tmp_path / "sprites.h5"
    build(MultiDSpritesConfig(), seed=0, n=20, out=data, workers=1)
    rooms = read_weights(run_folder / "model.safetensors")
    own = tmp_path / "elsewhere.h5" if given else data
    config = replace(rooms.config, data=own, held_out=4)
    run = replace(rooms, dataset="multi_dsprites", config=config)
    files = (data,) if given else ()
    figure = figure_7(Materials((run,), files, RoomFolder(), Cache(None)))
    size = config.model.image_size
    with SceneFile(data) as file:
        images = images_at(np.asarray(file["image"][:]), size)
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]
    small = [array[:: len(array) // size, :: len(array) // size] for array in drawn]
    shown = [n for n in range(20) if any(np.array_equal(images[n], array) for array in small)]
    assert shown == (list(range(9)) if given else [16, 17, 18, 19])


@pytest.mark.slow
def test_without_numbers_all_figures_are_drawn_that_can_be(
    run_folder: Path,
    rooms_file: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--checkpoint", str(run_folder), "--data", str(rooms_file)]
    given += ["--data-folder", str(folder), "--out", str(tmp_path / "out")]
    assert main(["figures", *given]) == 0
    captured = capsys.readouterr()
    left_out = re.findall(r"^(figure_\w+) is left out: .*`.+` makes one$", captured.out, re.M)
    assert left_out == [
        "figure_2",
        "figure_6_multi_dsprites",
        "figure_6_clevr",
        "figure_7",
        "figure_9",
    ]
    drawn = {path.stem for path in (tmp_path / "out").glob("figure_*")}
    assert drawn == {"figure_3", "figure_4", "figure_5", "figure_8", "figure_10"}


def test_a_figure_that_the_paper_has_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", "--figures", "11"]) == 2
    assert capsys.readouterr().err == "eval: --figures must be from 2 to 10, got 11\n"
    assert main(["figures", "--refine", "-1"]) == 2
    assert capsys.readouterr().err == "eval: --refine must be at least 0, got -1\n"


@pytest.mark.slow
def test_eval_figures_works_as_typed_in_an_activated_environment(
    rooms_file: Path, tmp_path: Path
) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", f"eval figures --figures 10 --data {rooms_file}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/figures/figure_10.pdf").stat().st_size > 0
