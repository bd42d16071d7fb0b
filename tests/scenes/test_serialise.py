"""Configs survive JSON, and JSON that is none of theirs is refused by name."""

import re

import pytest
from scenes.formats.config import ImportedConfig
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.serialise import from_json, to_json


@pytest.mark.parametrize(
    "config",
    [
        ObjectsRoomConfig(),
        ObjectsRoomConfig(split="objects", objects=9, size=128, amodal=False, shapes=("box",)),
        MultiDSpritesConfig("binarized", "test", "dsprites.npz"),
        ImportedConfig("a.tfrecords", "abc", "objects_room", 7, 64),
    ],
    ids=lambda config: config.dataset,
)
def test_a_config_survives(config) -> None:
    assert from_json(to_json(config), type(config)) == config
    assert hash(from_json(to_json(config), type(config))) == hash(config)


def test_equal_configs_give_equal_text() -> None:
    assert to_json(ObjectsRoomConfig(size=32, depth=True)) == to_json(
        ObjectsRoomConfig(depth=True, size=32)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON: "),
        ('{"colour": 1}', "colour"),
        ('{"size": "large"}', "size"),
        ('{"size": 15}', "--size must be even, from 16 to 512, got 15"),
        ('{"split": "tests"}', "split"),
    ],
)
def test_what_is_no_config_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_json(text, ObjectsRoomConfig)
