"""Kinds of objects: how they are written, what they hold, what a file without them may show."""

import re

import numpy as np
import pytest
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import SHAPES, Kind, exists, parse_kind
from scenes.serialise import from_json, to_json


def test_a_kind_is_read_as_it_is_written():
    assert parse_kind("shape=sphere") == Kind(("sphere",))
    assert parse_kind("hue=0.25-0.5") == Kind(hue=(0.25, 0.5))
    assert parse_kind("shape=sphere+box, hue=0.9-0.1") == Kind(("sphere", "box"), (0.9, 0.1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sphere", "'sphere' is no kind of objects; write it as shape=sphere, hue=0.9-0.1 or"),
        ("size=1", "'size=1' is no kind of objects"),
        ("shape=cone", "no shape 'cone'; there are box, sphere, cylinder, capsule"),
        ("hue=red", "a hue's range is two numbers of 0 to 1 such as 0.9-0.1, got 'red'"),
        ("hue=0.5", "a hue's range is two numbers of 0 to 1 such as 0.9-0.1, got '0.5'"),
        ("hue=0.5-1.5", "a hue's range is two numbers of 0 to 1, got 0.5-1.5"),
        ("hue=0.5-0.5", "a hue's range is two numbers of 0 to 1, got 0.5-0.5"),
        ("hue=0.9-0.1,hue=0.2-0.3", "'hue=0.9-0.1,hue=0.2-0.3' has hue twice; write several"),
        ("shape=box,shape=sphere", "'shape=box,shape=sphere' has shape twice"),
    ],
)
def test_a_kind_that_cannot_be_read_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_kind(text)


def test_a_range_of_hues_may_go_round():
    red = Kind(hue=(0.9, 0.1))
    assert [red.holds("box", hue) for hue in (0.0, 0.05, 0.1, 0.5, 0.9, 0.99)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    blue = Kind(("box",), (0.6, 0.7))
    assert [blue.holds("box", hue) for hue in (0.59, 0.6, 0.69, 0.7)] == [False, True, True, False]
    assert not blue.holds("sphere", 0.65)


def test_what_remains_is_found_by_trying_all_hues():
    rng = np.random.default_rng(0)
    for _ in range(40):
        kinds = [
            Kind(
                tuple(s for s in SHAPES if rng.random() < 0.7) or ("box",),
                None if rng.random() < 0.3 else tuple(rng.uniform(size=2).tolist()),
            )
            for _ in range(rng.integers(1, 5))
        ]
        shapes = ("box", "sphere")
        held = {
            any(kind.holds(shape, hue) for kind in kinds)
            for shape in shapes
            for hue in np.linspace(0, 1, 199, endpoint=False).tolist()
        }
        for answer in held:
            assert exists(kinds, shapes, held_out=answer)
    assert not exists([Kind(("box",))], ["box"], held_out=False)
    assert not exists([Kind(("box",))], ["sphere"], held_out=True)
    assert not exists([Kind(hue=(0.2, 0.6)), Kind(hue=(0.6, 0.2))], SHAPES, held_out=False)


def test_a_config_with_kinds_survives_json():
    config = ObjectsRoomConfig(
        views=3, hold_out=(Kind(("sphere", "box"), (0.9, 0.1)), Kind(hue=(0.3, 0.4)))
    )
    assert from_json(to_json(config), ObjectsRoomConfig) == config
    assert from_json(to_json(config), ObjectsRoomConfig).stream == config.stream


def test_every_law_has_a_stream_and_a_name_of_its_own():
    red_spheres = (Kind(("sphere",), (0.9, 0.1)),)
    configs = [
        *(condition_config(f"objects_{count}", 64) for count in range(10)),
        *(
            ObjectsRoomConfig(**law, **special)
            for law in (
                {"split": "train"},
                {"split": "test"},
                {"split": "six_objects"},
                {"split": "identical_color"},
                {"split": "four_identical"},
                {"split": "objects", "objects": 3},
            )
            for special in (
                {},
                {"views": 2},
                {"shapes": ("box", "sphere")},
                {"hold_out": red_spheres},
                {"hold_out": red_spheres, "only_held_out": True},
            )
        ),
        ObjectsRoomConfig(split="empty_room"),
    ]
    different = set(configs)
    assert len({config.stream for config in configs}) == len(different)
    assert len({config.condition for config in configs}) == len(different)
    # What is written beside the scenes is no law.
    assert ObjectsRoomConfig(depth=True, amodal=True).stream == ObjectsRoomConfig().stream


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"size": 15}, "--size must be even, from 16 to 512, got 15"),
        ({"size": 514}, "--size must be even, from 16 to 512, got 514"),
        ({"size": 33}, "--size must be even, from 16 to 512, got 33"),
        ({"split": "objects"}, "the split 'objects' and a number of objects go together"),
        ({"split": "objects", "objects": 10}, "--objects must be from 0 to 9, got 10"),
        ({"shapes": ()}, "--shapes must name at least one shape"),
        ({"views": 0}, "--views must be from 1 to 64, got 0"),
        ({"only_held_out": True}, "--only-held-out needs --hold-out, which names the objects"),
        (
            {"split": "empty_room", "hold_out": (Kind(("box",)),), "only_held_out": True},
            "--only-held-out needs a split that has objects",
        ),
        ({"shapes": ("box",), "hold_out": (Kind(("box",)),)}, "--hold-out leaves no object"),
        (
            {"shapes": ("box",), "hold_out": (Kind(("sphere",)),), "only_held_out": True},
            "--hold-out names no object of --shapes",
        ),
    ],
)
def test_a_config_that_makes_no_scene_is_refused_with_the_reason(wrong, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        ObjectsRoomConfig(**wrong)
