"""Rooms whose entities rays tell, and OpenGL only the colours."""

import json
from pathlib import Path

import numpy as np
import pytest
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.render.rays import truth
from scenes.source_list import OpenByRays

ROOMS = ObjectsRoomConfig(size=32)
N = 24


@pytest.fixture(scope="module")
def by_rays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rays") / "rooms.h5"
    build(ROOMS, n=N, seed=0, out=path, workers=1, by_rays=True)
    return path


def test_scenes_are_those_of_a_build_by_codes_but_for_pixels_at_edges(
    by_rays: Path, rooms_file: Path
) -> None:
    with SceneFile(by_rays) as ours, SceneFile(rooms_file) as codes:
        for key in ("image", "factors/position", "camera/yaw", "num_visible"):
            np.testing.assert_array_equal(ours[key][:N], codes[key][:N])
        same = ours["segmentation"][:N] == codes["segmentation"][:N]
        assert same.mean() >= 0.995
        provenances = [json.loads(file.attributes["provenance"]) for file in (ours, codes)]
        assert provenances[0] == {**provenances[1], "segmentation": "rays"}
        counts = (ours["segmentation"][:N] == 4).sum(axis=(1, 2))
        np.testing.assert_array_equal(ours["factors/visible_pixels"][:N, 0], counts)


def test_rays_at_what_the_file_holds_see_its_segmentation(by_rays: Path) -> None:
    with SceneFile(by_rays) as file:
        for row in range(N):
            values = {key: file[key][row] for key in file.keys()}  # noqa: SIM118
            np.testing.assert_array_equal(
                truth(file.config, values).segmentation, values["segmentation"]
            )


def test_a_file_by_codes_is_never_extended_by_rays(rooms_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "rooms.h5"
    copy.write_bytes(rooms_file.read_bytes())
    with pytest.raises(CommandError, match='"segmentation": "rays"'):
        build(ROOMS, n=400, seed=0, out=copy, workers=1, by_rays=True)


def test_what_rays_do_not_tell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without depth"):
        build(
            ObjectsRoomConfig(size=32, depth=True), n=2, seed=0, out=tmp_path / "a.h5", by_rays=True
        )
    with pytest.raises(UsageError, match="not multi_dsprites's"):
        OpenByRays(MultiDSpritesConfig(), 0)()
