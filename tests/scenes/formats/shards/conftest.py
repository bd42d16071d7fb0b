"""Files of scenes to export, rendered once."""

from pathlib import Path

import pytest
from scenes.driver import build
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns 40 training scenes of sprites."""
    path = tmp_path_factory.mktemp("shards") / "sprites.h5"
    build(MultiDSpritesConfig(), n=40, seed=0, out=path, workers=1)
    return path


@pytest.fixture(scope="session")
def test_sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns 20 test scenes of sprites, which have full extents."""
    path = tmp_path_factory.mktemp("shards") / "sprites_test.h5"
    build(MultiDSpritesConfig(split="test"), n=20, seed=0, out=path, workers=1)
    return path


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns 20 rooms with everything that a room may have."""
    path = tmp_path_factory.mktemp("shards") / "rooms.h5"
    config = ObjectsRoomConfig(size=32, depth=True, amodal=True, views=2)
    build(config, n=20, seed=0, out=path, workers=1)
    return path
