import itertools
import re
import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.cli import main
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites import source as compositing
from scenes.multi_dsprites import sprites
from scenes.multi_dsprites.config import SPRITE_COUNTS, MultiDSpritesConfig
from scenes.multi_dsprites.source import MultiDSpritesSource
from scenes.multi_dsprites.sprites import DrawnSprites, draw, open_sprites

COMPARE = Path(__file__).resolve().parents[3] / "tools" / "compare_dsprites"


@pytest.mark.parametrize("variant", SPRITE_COUNTS)
def test_scenes_follow_the_variant(variant):
    low, high = SPRITE_COUNTS[variant]
    source = MultiDSpritesSource(MultiDSpritesConfig(variant), seed=0)
    scenes = [source[i] for i in range(60)]
    counts = {int(scene.values["num_objects"]) for scene in scenes}
    assert counts == set(range(low, high + 1))
    for scene in scenes:
        assert set(scene.row()) == set(source.fields)
        assert scene.segmentation.max() <= scene.values["num_objects"]
        background = scene.image[scene.segmentation == 0]
        assert (background == background[0]).all()
        if variant == "binarized":
            assert not background.any()
            assert (scene.image[scene.segmentation > 0] == 255).all()
        if variant == "colored_on_grayscale":
            assert len(set(background[0].tolist())) == 1


def test_later_sprites_hide_earlier_ones_as_the_factors_say():
    source = MultiDSpritesSource(MultiDSpritesConfig(split="test"), seed=3)
    hidden = 0
    for index in range(40):
        scene = source[index]
        full = scene.values["amodal"]
        expected = np.zeros((64, 64), dtype=np.uint8)
        for i, mask in enumerate(full, start=1):
            expected[mask] = i
        np.testing.assert_array_equal(scene.segmentation, expected)
        visible = scene.values["factors/visible_pixels"]
        hidden += (visible < full.sum(axis=(1, 2))).sum()
        for i in range(int(scene.values["num_objects"])):
            color = scene.image[scene.segmentation == i + 1]
            rgb = np.rint(255 * scene.values["factors/color_rgb"][i])
            assert (color == rgb).all()
    assert hidden > 5


def test_factors_have_the_values_of_dsprites():
    source = MultiDSpritesSource(MultiDSpritesConfig(), seed=0)
    rows = [source[i].values for i in range(200)]
    present = np.array([row["factors/present"] for row in rows])

    def known(name):
        return np.unique(np.array([row[f"factors/{name}"] for row in rows])[present])

    np.testing.assert_array_equal(known("shape"), [1, 2, 3])
    np.testing.assert_allclose(known("scale"), [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], rtol=1e-6)
    np.testing.assert_allclose(known("orientation"), np.linspace(0, 2 * np.pi, 40), rtol=1e-6)
    np.testing.assert_allclose(known("x"), np.linspace(0, 1, 32), rtol=1e-6)


def test_the_same_seed_makes_the_same_bytes_at_any_worker_count(tmp_path):
    for workers in (1, 2):
        build(MultiDSpritesConfig(), seed=1, n=600, out=tmp_path / f"{workers}.h5", workers=workers)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_splits_and_seeds_differ():
    first = MultiDSpritesSource(MultiDSpritesConfig(), seed=0)[0].image
    for config, seed in ((MultiDSpritesConfig(split="test"), 0), (MultiDSpritesConfig(), 1)):
        assert not np.array_equal(MultiDSpritesSource(config, seed)[0].image, first)


def test_the_drawing_is_that_of_dsprites_on_the_320_frames_of_its_repository(shared_data):
    tool = runpy.run_path(str(COMPARE))
    overlaps = tool["overlaps"](tool["frames_of"](shared_data / "dsprites.gif"))
    assert {name: len(scores) for name, scores in overlaps.items()} == {
        "square": 64,
        "ellipse": 64,
        "heart": 192,
    }
    for name, least in (("square", 0.99), ("ellipse", 0.99), ("heart", 0.97)):
        assert overlaps[name].mean() >= least, name
        assert overlaps[name].min() >= 0.95, name


@pytest.mark.parametrize(
    ("shape", "areas", "within"),
    [
        ("square", (100, 144, 196, 256, 324, 400), 0),
        ("ellipse", (76, 104, 144, 184, 228, 288), 4),
        ("heart", (58, 84, 108, 140, 182, 222), 4),
    ],
)
def test_areas_are_those_of_dsprites_at_every_scale(shape, areas, within):
    drawn = [draw(shape, scale, 0.0, 0.0, 0.0).sum() for scale in sprites.SCALES]
    np.testing.assert_allclose(drawn, areas, atol=within)


def test_a_turn_is_counter_clockwise_as_seen():
    rows, columns = np.nonzero(draw("ellipse", 1.0, np.pi / 4, 0.5, 0.5))
    assert ((rows < 27) & (columns > 36)).sum() > 20  # up and to the right
    assert not ((rows < 27) & (columns < 27)).any()
    for orientation, direction in ((0.0, (-1, 0)), (np.pi / 2, (0, -1))):  # of the lobes: up, left
        heart = np.argwhere(draw("heart", 1.0, orientation, 0.5, 0.5)) - 31.5
        np.testing.assert_allclose(heart.mean(axis=0), 1.9 * np.array(direction), atol=0.2)
    turned = draw("heart", 1.0, np.pi, 0.5, 0.5)
    np.testing.assert_array_equal(turned, draw("heart", 1.0, 0.0, 0.5, 0.5)[::-1, ::-1])


@pytest.mark.parametrize("shape", ["square", "ellipse"])
def test_centres_lie_from_pixel_15_and_a_half_to_47_and_a_half(shape):
    for index, position in enumerate(sprites.POSITIONS):
        expected = 15.5 + index * 32 / 31
        rows, columns = np.nonzero(draw(shape, 1.0, 0.0, position, 1 - position))
        for places, centre in ((columns, expected), (rows, 63 - expected)):
            middle = (places.min() + places.max()) / 2
            assert abs(middle - centre) <= (0 if index in (0, 31) else 0.5)


def test_sprites_are_drawn_between_the_values_of_the_grid():
    rng = np.random.default_rng(0)
    for shape, area in (("square", 19.2**2), ("ellipse", np.pi * 12.77 * 7.24), ("heart", 224)):
        for scale, orientation, x, y in rng.uniform((0.5, 0, 0, 0), (1, 7, 1, 1), size=(50, 4)):
            mask = draw(shape, scale, orientation, x, y)
            assert abs(mask.sum() - area * scale**2) < 0.1 * area * scale**2
            if shape != "heart":
                middle = np.argwhere(mask).mean(axis=0)
                np.testing.assert_allclose(middle, 15.5 + 32 * np.array([y, x]), atol=0.35)


@pytest.mark.parametrize(
    ("factors", "line"),
    [
        ((1.2, 0.0, 0.5, 0.5), "scale must be above 0 and at most 1, got 1.2"),
        ((0.0, 0.0, 0.5, 0.5), "scale must be above 0 and at most 1, got 0.0"),
        ((np.nan, 0.0, 0.5, 0.5), "scale must be above 0 and at most 1, got nan"),
        ((1.0, 0.0, -0.1, 0.5), "x must be from 0 to 1, got -0.1"),
        ((1.0, 0.0, 0.5, 1.1), "y must be from 0 to 1, got 1.1"),
    ],
)
def test_a_sprite_that_would_be_cut_is_refused(factors, line):
    with pytest.raises(ValueError, match=re.escape(line)):
        draw("square", *factors)


def test_no_sprite_is_cut_wherever_it_lies_and_however_it_turns(monkeypatch):
    places = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.484), (0.51, 0.49)]
    turns = np.linspace(0, 2 * np.pi, 33)
    every = list(itertools.product(sprites.SHAPES, turns, places))
    drawn = [draw(shape, 1.0, turn, *place) for shape, turn, place in every]
    monkeypatch.setattr(sprites, "REACH", sprites.REACH + 1)
    for (shape, turn, place), mask in zip(every, drawn, strict=True):
        np.testing.assert_array_equal(mask, draw(shape, 1.0, turn, *place))


@pytest.fixture
def small_grid(monkeypatch):
    """A grid of 2 x 2 positions, so that a whole file is 2,880 sprites."""
    grid = (3, 6, 40, 2, 2)
    for module in (sprites, compositing):
        monkeypatch.setattr(module, "GRID", grid)
    drawn = DrawnSprites()
    classes = np.stack(np.unravel_index(np.arange(np.prod(grid)), grid), axis=1)
    images = np.stack([drawn.mask(row) for row in classes]).astype(np.uint8)
    return images, np.pad(classes, ((0, 0), (1, 0)))


def test_a_published_file_gives_its_own_sprites(tmp_path, small_grid):
    images, classes = small_grid
    path = tmp_path / "d.npz"
    np.savez(path, imgs=images, latents_classes=classes)
    published, drawn = open_sprites(path), DrawnSprites()
    assert published.origin.startswith("dsprites sha256 ")
    for row in (0, 1234, 2879):
        np.testing.assert_array_equal(
            published.mask(classes[row, 1:]), drawn.mask(classes[row, 1:])
        )


def test_another_published_file_of_the_same_name_makes_another_dataset(
    tmp_path, small_grid, capsys
):
    images, classes = small_grid
    path, out = tmp_path / "d.npz", tmp_path / "a.h5"
    command = ["sprites", "--n", "4", "--dsprites", str(path), "--out", str(out)]
    command += ["--workers", "1"]
    np.savez(path, imgs=images, latents_classes=classes)
    assert main(command) == 0
    np.savez(path, imgs=images[:, ::-1], latents_classes=classes)
    capsys.readouterr()
    assert main(command) == 2
    assert "exists and is something else" in capsys.readouterr().err


def test_a_wrong_file_is_refused_with_the_reason(tmp_path, small_grid):
    images, classes = small_grid
    wrong = {
        "imgs: expected (2880, 64, 64) uint8": (images[:7], classes),
        "latents_classes: not the grid": (images, classes[::-1]),
        "with a mean of 0.0000": (images * 0, classes),
        "got up to 255": (images * 255, classes),
    }
    for reason, (given, labels) in wrong.items():
        path = tmp_path / "d.npz"
        np.savez(path, imgs=given, latents_classes=labels)
        with pytest.raises(ValueError, match=re.escape(reason)):
            open_sprites(path)
    path.write_bytes(b"no npz")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        open_sprites(path)


def test_the_command_writes_a_file_that_opens(tmp_path, capsys):
    out = tmp_path / "s.h5"
    assert main(["sprites", "--n", "20", "--out", str(out), "--workers", "1"]) == 0
    assert "20 scenes of colored_on_colored" in capsys.readouterr().out
    with SceneFile(out) as file:
        assert file.config == MultiDSpritesConfig()
        assert file.entities == ("background", "object_0", "object_1", "object_2", "object_3")
        assert file.num_background == 1
        assert file.masks(slice(0, 20)).sum(axis=1).all()
    with h5py.File(out) as plain:
        assert plain["image"].shape == (20, 64, 64, 3)


def test_the_command_leaves_parts_where_that_is_asked(tmp_path):
    whole, parted = tmp_path / "whole.h5", tmp_path / "parted.h5"
    assert main(["sprites", "--n", "5", "--workers", "1", "--out", str(whole)]) == 0
    given = ["--n", "5", "--workers", "1", "--layout", "parts", "--out", str(parted)]
    assert main(["sprites", *given]) == 0
    assert list((tmp_path / "parted.h5.parts").glob("*.h5"))
    with SceneFile(whole) as one, SceneFile(parted) as other:
        np.testing.assert_array_equal(one["image"][:], other["image"][:])


@pytest.mark.parametrize("command", ["sprites", "clevr-like"])
def test_a_seed_below_zero_is_one_line(command, tmp_path, capsys):
    assert main([command, "--seed", "-1", "--out", str(tmp_path / "a.h5")]) == 2
    assert capsys.readouterr().err == "scenes: --seed must be from 0 to 2^63 - 1, got -1\n"
    assert not list(tmp_path.iterdir())


def test_a_missing_dsprites_file_is_one_line(tmp_path, capsys):
    path = tmp_path / "none.npz"
    assert main(["sprites", "--dsprites", str(path), "--out", str(tmp_path / "a.h5")]) == 2
    assert capsys.readouterr().err.startswith(f"scenes: {path}: no such file")


def test_the_train_file_is_called_as_monets_preset_expects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split, name in (("train", "colored_on_colored"), ("test", "colored_on_colored_test")):
        assert main(["sprites", "--n", "2", "--workers", "1", "--split", split]) == 0
        assert (tmp_path / "data" / "multi_dsprites" / f"{name}.h5").is_file()
