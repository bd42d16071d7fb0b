"""What shards are called and how long they are follows from the file, unless a user says so."""

import shutil
from pathlib import Path

import pytest
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.plan import plan_of, split_of, threads_of
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.local_workers import available_cores


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("rooms_test", "test"), ("validation", "validation"), ("x_y", "train")],
)
def test_a_files_name_says_its_split(sprites, tmp_path, name, split):
    path = Path(shutil.copy(sprites, tmp_path / f"{name}.h5"))
    with SceneFile(path) as file:
        assert split_of(file) == split


def test_else_its_config_does(tmp_path):
    path = tmp_path / "rooms.h5"
    build(ObjectsRoomConfig(split="empty_room", size=32), n=1, seed=0, out=path, workers=1)
    with SceneFile(path) as file:
        assert split_of(file) == "empty_room"


def test_a_shard_has_256_mb_unpacked_and_images_come_first(sprites):
    with SceneFile(sprites) as file:
        plan = plan_of(file, "parquet", ShardOptions())
        row = sum(file[key].dtype.itemsize * file[key][0].size for key in file.keys())  # noqa: SIM118
    assert plan.per_shard % 16 == 0
    assert 240e6 < plan.per_shard * row <= 256 << 20
    assert list(plan.fields)[:2] == ["image", "segmentation"]


def test_there_is_a_thread_for_each_core():
    assert threads_of(ShardOptions()) == available_cores()
    assert threads_of(ShardOptions(workers=3)) == 3
