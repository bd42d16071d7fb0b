"""Rays, which need no OpenGL, against what the renderer wrote into files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes.clevr.config import ClevrLikeConfig
from scenes.clevr.images import crop_labels
from scenes.clevr.view import HEIGHT, WIDTH
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.fields import FIRST_OBJECT
from scenes.objects_room.kinds import SHAPES
from scenes.render.rays import truth
from scenes.source_list import open_source

N = 12
SHARE = 0.995
"""Of all pixels, those at outlines too, so many must be of the same entity."""
DEPTH_M = 0.005
"""Depths are written as float16, which rounds by up to 2 mm below 8 m and by 4 mm beyond."""
ROOMS = [
    *(condition_config(name, 64) for name in ("train", "test", "empty_room", "six_objects")),
    *(condition_config(name, 64) for name in ("identical_color", "four_identical", "objects_9")),
    *(ObjectsRoomConfig("objects", objects=2, shapes=(shape,)) for shape in SHAPES),
    ObjectsRoomConfig(size=34, views=3),
    ObjectsRoomConfig(size=200),
]


def rows_of(config, n=N):
    rows = open_source(config, 7).rows(range(n))
    return [{key: values[i] for key, values in rows.items()} for i in range(n)]


def interior(segmentation):
    """Returns the pixels whose neighbours are all of their own entity."""
    height, width = segmentation.shape
    padded = np.pad(segmentation, 1, mode="edge")
    shifts = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_and.reduce([shifted == segmentation for shifted in shifts])


def assert_same_entities(config, rows):
    same = []
    for values in rows:
        seen, rendered = truth(config, values).segmentation, values["segmentation"]
        same.append(seen == rendered)
        assert same[-1][interior(rendered)].all()
    assert np.mean(same) >= SHARE


@pytest.mark.parametrize("config", ROOMS, ids=lambda c: f"{c.condition}-{c.size}")
def test_rays_and_renderer_see_the_same_room(config):
    config = ObjectsRoomConfig(**{**vars(config), "depth": True})
    rows = rows_of(config)
    assert_same_entities(config, rows)
    on_objects = 0
    for values in rows:
        seen, rendered = truth(config, values), values["segmentation"]
        same = interior(rendered) & interior(seen.segmentation)
        sky = same & (rendered == 0)
        assert np.isinf(seen.depth[sky]).all()
        assert np.isinf(values["depth"][sky]).all()
        apart = abs(seen.depth[same & ~sky] - values["depth"][same & ~sky].astype(float))
        assert apart.max() <= DEPTH_M
        on_objects += np.count_nonzero(same & (rendered >= FIRST_OBJECT))
    assert on_objects > 500 or config.max_objects == 0


@pytest.mark.parametrize(
    "config", [ClevrLikeConfig(), ClevrLikeConfig("test", 3)], ids=lambda c: c.split
)
def test_rays_and_renderer_see_the_same_clevr_like_scene(config):
    source = open_source(config, 7)
    rows = [source[i].row() for i in range(N)]
    assert_same_entities(config, rows)
    # The last scene is still arranged; files have no depth, the renderer's buffer has.
    screen, scene = source._renderer._screen, source._renderer._scene
    screen.take(scene)
    view = screen.model.vis.map
    near, far = (screen.model.stat.extent * plane for plane in (view.znear, view.zfar))
    buffer = screen.depths([scene], WIDTH, HEIGHT)[0].astype(float)
    rendered = crop_labels(near / (1 - buffer * (1 - near / far)))
    seen = truth(config, rows[-1])
    same = interior(rows[-1]["segmentation"]) & interior(seen.segmentation)
    assert abs(seen.depth - rendered)[same].max() <= DEPTH_M


def test_an_object_five_centimetres_away_from_its_place_is_noticed():
    config = condition_config("six_objects", 64)
    for values in rows_of(config, 4):
        moved = {**values, "factors/position": values["factors/position"] + (0.05, 0, 0)}
        rendered = values["segmentation"]
        assert (truth(config, moved).segmentation != rendered).mean() > 1 - SHARE


def test_rays_need_no_opengl(rooms_file: Path) -> None:
    check = """
import sys
from scenes.file.reader import SceneFile
from scenes.render.rays import truth
with SceneFile(sys.argv[1]) as file:
    seen = truth(file.config, {key: file[key][5] for key in file.keys()})
    print((seen.segmentation == file["segmentation"][5]).mean(), "OpenGL" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", check, rooms_file],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MUJOCO_GL": "disable"},
    )
    share, with_opengl = done.stdout.split()
    assert float(share) >= SHARE
    assert with_opengl == "False"


def test_scenes_of_two_dimensions_are_refused():
    with pytest.raises(TypeError, match="no rays for MultiDSpritesConfig"):
        truth(MultiDSpritesConfig(), {})
