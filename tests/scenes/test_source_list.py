"""The table of datasets: each row names a config, a command and a law of test scenes."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import scenes
from scenes import ClevrLikeConfig, MultiDSpritesConfig, ObjectsRoomConfig, open_source
from scenes.cli import COMMANDS
from scenes.dataset import Dataset, DatasetConfig
from scenes.scene import Source
from scenes.source_list import DATASETS


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_a_row_names_what_there_is(dataset: Dataset) -> None:
    assert DATASETS[dataset.config.dataset] is dataset
    program, _, command = dataset.command.partition(" ")
    if dataset.from_arrays:
        assert program.removeprefix("scenes.") in scenes.__all__
    else:
        assert program == "scenes"
        assert command in COMMANDS
    assert dataset.title


@pytest.mark.parametrize(
    "config",
    [
        ObjectsRoomConfig(size=32, views=2),
        MultiDSpritesConfig("binarized"),
        ClevrLikeConfig(max_objects=6),
    ],
    ids=lambda config: config.dataset,
)
def test_test_scenes_follow_the_law_of_training_scenes_with_a_stream_of_their_own(
    config: DatasetConfig,
) -> None:
    law = DATASETS[config.dataset].test_config
    assert law is not None
    tests = law(config)
    assert tests.split == "test"
    assert tests.size == config.size
    assert tests.stream != config.stream
    assert tests.with_amodal
    assert not config.with_amodal


def test_a_source_is_opened_for_its_own_config_alone() -> None:
    assert isinstance(open_source(MultiDSpritesConfig(), seed=0), Source)

    @dataclass(frozen=True)
    class Rooms:
        dataset: ClassVar[str] = "objects_room"
        isolated: ClassVar[bool] = False
        sequential: ClassVar[bool] = False
        size: int = 64

    with pytest.raises(TypeError, match="no source for Rooms"):
        open_source(Rooms(), seed=0)
