"""The laws of what is drawn, before any scene is accepted or not."""

import numpy as np
import pytest
from scenes.objects_room.arena import ROOM_HALF_M
from scenes.objects_room.camera import RING_RADIUS_M, View
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import SHAPES, Kind
from scenes.objects_room.sampling import (
    GAP_M,
    PITCH_DEG,
    SIMILAR_HUE,
    SPAWN_RADIUS_M,
    Draws,
    hsv_to_rgb,
    sample_background,
    sample_cameras,
    sample_pitch,
    sample_places,
    sample_things,
)
from scenes.objects_room.shapes import centre_height, footprint_radius
from scenes.scene import scene_rng
from scipy.stats import chisquare, kstest, uniform

CHANCE = 1e-3
"""Below it a law is called broken; the draws are fixed, so a test that passes always does."""


@pytest.fixture
def draws():
    return Draws(np.random.default_rng(0))


def things_of(draws, config, count):
    return [thing for _ in range(count) for thing in sample_things(draws, config)]


def assert_uniform(values, low, high):
    assert kstest(values, uniform(low, high - low).cdf).pvalue > CHANCE


def assert_equal_shares(values, choices):
    counts = [sum(value == choice for value in values) for choice in choices]
    assert sum(counts) == len(values)
    assert chisquare(counts).pvalue > CHANCE


def test_draws_are_the_generators_own_numbers():
    draws = Draws(np.random.default_rng(5))
    taken = [draws.uniform() for _ in range(3 * Draws.BLOCK)]
    assert sorted(taken) == sorted(np.random.default_rng(5).random(3 * Draws.BLOCK).tolist())
    assert_equal_shares([draws.below(7) for _ in range(3500)], range(7))
    assert_uniform([draws.uniform(-2.0, 3.0) for _ in range(2000)], -2, 3)


def test_objects_and_pitch_follow_the_paper(draws):
    things = things_of(draws, ObjectsRoomConfig(), 2000)
    assert len(things) == 6000
    assert_equal_shares([thing.shape for thing in things], SHAPES)
    assert_uniform([thing.size_m for thing in things], 0.5, 1.0)
    hue, saturation, value = np.array([thing.color_hsv for thing in things]).T
    assert_uniform(hue, 0, 1)
    assert_uniform(saturation, 0.75, 1)
    assert (value == 1).all()
    assert_uniform([sample_pitch(draws) for _ in range(5000)], *PITCH_DEG)
    assert PITCH_DEG == (-25, 22)


def test_walls_and_floor_follow_the_paper(draws):
    config = ObjectsRoomConfig()
    for colors in zip(*(sample_background(draws, config, ()) for _ in range(4000)), strict=True):
        hue, saturation, value = np.array(colors).T
        assert_uniform(hue, 0, 1)
        assert_uniform(saturation, 0.75, 1)
        assert (value == 1).all()


def test_the_number_of_objects_follows_the_split(draws):
    counts = [len(sample_things(draws, ObjectsRoomConfig("identical_color"))) for _ in range(1500)]
    assert_equal_shares(counts, (4, 5, 6))
    for condition, count in (
        ("train", 3),
        ("test", 3),
        ("empty_room", 0),
        ("six_objects", 6),
        ("four_identical", 4),
        ("objects_9", 9),
    ):
        assert len(sample_things(draws, condition_config(condition, 64))) == count


def test_objects_of_one_colour_have_one_and_four_identical_a_floor_near_it(draws):
    config = ObjectsRoomConfig("four_identical")
    hues, offsets = [], []
    for _ in range(1000):
        things = sample_things(draws, config)
        assert len({thing.color_hsv for thing in things}) == 1
        hue, saturation, value = things[0].color_hsv
        wall, floor = sample_background(draws, config, things)
        assert floor[1:] == (saturation, value)
        assert 0 <= floor[0] < 1
        assert wall != floor
        hues.append(hue)
        offsets.append((floor[0] - hue + 0.5) % 1 - 0.5)
    assert_uniform(hues, 0, 1)
    assert_uniform(offsets, -SIMILAR_HUE, SIMILAR_HUE)


@pytest.mark.parametrize("split", ["train", "identical_color"])
def test_what_is_held_out_never_comes_and_the_rest_is_as_likely(draws, split):
    config = ObjectsRoomConfig(
        split, hold_out=(Kind(("sphere",), (0.9, 0.1)), Kind(("box", "capsule"), (0.3, 0.8)))
    )
    scenes = [sample_things(draws, config) for _ in range(1000)]
    for things in scenes:
        assert not any(config.is_held_out(thing.shape, thing.color_hsv[0]) for thing in things)
    if split == "identical_color":
        return  # hues at which much is held out are rarer there
    things = [thing for scene in scenes for thing in scene]
    shares = {"sphere": 0.8, "box": 0.5, "capsule": 0.5}
    weights = np.array([shares.get(shape, 1.0) for shape in SHAPES])
    counts = [sum(thing.shape == shape for thing in things) for shape in SHAPES]
    assert chisquare(counts, len(things) * weights / weights.sum()).pvalue > CHANCE
    spheres = [thing.color_hsv[0] for thing in things if thing.shape == "sphere"]
    assert_uniform(spheres, 0.1, 0.9)
    assert_uniform([t.color_hsv[0] for t in things if t.shape == "cylinder"], 0, 1)


@pytest.mark.parametrize("split", ["train", "identical_color"])
def test_only_held_out_puts_one_in_every_scene_among_others(draws, split):
    config = ObjectsRoomConfig(split, hold_out=(Kind(("sphere",), (0.9, 0.1)),), only_held_out=True)
    asked, others = [], []
    for _ in range(500):
        things = sample_things(draws, config)
        held = [config.is_held_out(thing.shape, thing.color_hsv[0]) for thing in things]
        assert any(held)
        asked += [thing for thing, is_held in zip(things, held, strict=True) if is_held]
        others += [thing for thing, is_held in zip(things, held, strict=True) if not is_held]
    assert {thing.shape for thing in asked} == {"sphere"}
    assert_uniform([(thing.color_hsv[0] + 0.5) % 1 for thing in asked], 0.4, 0.6)
    assert {thing.shape for thing in others} >= set(SHAPES) - {"sphere"}
    assert_uniform([thing.size_m for thing in asked], 0.5, 1.0)


@pytest.mark.parametrize("condition", ["train", "six_objects", "objects_9"])
def test_objects_overlap_neither_each_other_nor_walls_nor_camera(draws, condition):
    config = condition_config(condition, 64)
    found = 0
    for _ in range(150):
        things = sample_things(draws, config)
        cameras = sample_cameras(draws, sample_pitch(draws), 2)
        places = sample_places(draws, config, things, tuple(View(c) for c in cameras[:1]))
        if places is None:
            continue
        found += 1
        centres = np.array([place.position_m for place in places])
        radii = np.array([footprint_radius(thing.shape, thing.size_m / 2) for thing in things])
        for i in range(len(things)):
            gaps = np.hypot(*(centres[:i, :2] - centres[i, :2]).T) - radii[:i] - radii[i]
            assert (gaps >= GAP_M - 1e-9).all()
            assert centres[i, 2] == centre_height(things[i].shape, things[i].size_m / 2)
        assert (np.hypot(*centres[:, :2].T) <= SPAWN_RADIUS_M).all()
        assert (abs(centres[:, :2]).max(axis=1) + radii < ROOM_HALF_M - 0.5).all()
        for camera in cameras:
            to_camera = np.hypot(*(centres[:, :2] - camera.position_m[:2]).T)
            assert (to_camera - radii > 0.5).all()
    assert found > 50
    assert RING_RADIUS_M < ROOM_HALF_M


def test_single_objects_stand_uniformly_around_the_centre(draws):
    config = ObjectsRoomConfig(shapes=("capsule",))
    firsts = []
    for _ in range(1500):
        things = sample_things(draws, config)
        view = View(sample_cameras(draws, -10.0, 1)[0])
        places = sample_places(draws, config, things, (view,))
        if places is not None:
            firsts.append((*places[0].position_m[:2], places[0].rotation_rad))
    x, y, rotation = np.array(firsts).T
    assert len(firsts) > 1450
    assert_uniform((x**2 + y**2) / SPAWN_RADIUS_M**2, 0, 1)
    assert_uniform(np.arctan2(y, x), -np.pi, np.pi)
    assert_uniform(rotation, 0, 2 * np.pi)


def test_no_two_streams_or_seeds_or_scenes_share_numbers():
    firsts = {
        scene_rng(seed, stream, index).random()
        for seed in (0, 1, 2**32, 2**63 - 1)
        for stream in (0, 1, 100, 109, ObjectsRoomConfig(views=2).stream)
        for index in (0, 1, 2, 2**32)
    }
    assert len(firsts) == 4 * 5 * 4


def test_colours_convert_as_they_are_named():
    assert hsv_to_rgb((0.0, 1.0, 1.0)) == (1.0, 0.0, 0.0)
    assert hsv_to_rgb((0.5, 0.75, 1.0)) == (0.25, 1.0, 1.0)
