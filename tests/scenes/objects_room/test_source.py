"""Rendered rooms: their laws once accepted, and pixels, masks, depth and factors that agree."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.objects_room import source as source_module
from scenes.objects_room.arena import FULL, ROOM_HALF_M, SKY_RGB, WALL_HEIGHT_M, WALLS
from scenes.objects_room.camera import FOV_DEG, Camera
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.fields import FLOOR, SKY, WALL_LEFT, WALL_RIGHT
from scenes.objects_room.kinds import SHAPES, Kind
from scenes.objects_room.renderer import FIRST_GEOM, Renderer
from scenes.objects_room.sampling import Place, Thing
from scenes.objects_room.shapes import centre_height, mesh
from scenes.objects_room.source import MIN_VISIBLE_SHARE, ObjectsRoomSource
from scenes.render.codes import segids
from scipy.stats import chisquare, kstest, uniform

CHANCE = 1e-3
"""Below it a law is called broken; the scenes are fixed, so a test that passes always does."""
SLOPE = np.tan(np.deg2rad(FOV_DEG / 2))


def open_rooms(condition: str, size: int = 32, **special: object) -> ObjectsRoomSource:
    """Opens the scenes of a condition, seed 0."""
    return ObjectsRoomSource(replace(condition_config(condition, size), **special), 0)


def rays(camera: Camera, size: int) -> np.ndarray:
    """Returns the direction through each pixel's centre, of length 1 along the camera's axis."""
    steps = SLOPE * (2 * (np.arange(size) + 0.5) / size - 1)
    right, up, backward = camera.rotation.T
    return steps[None, :, None] * right - steps[:, None, None] * up - backward  # (H, W, 3)


def project(points: np.ndarray, camera: Camera, size: int) -> np.ndarray:
    """Returns column, row and distance along the axis of points (P, 3)."""
    right, up, backward = camera.rotation.T @ (points - camera.position_m).T
    across, along = right / -backward / SLOPE, up / -backward / SLOPE
    return np.stack([size * (1 + across) / 2, size * (1 - along) / 2, -backward], axis=1)


def interior(segmentation: np.ndarray, entity: int) -> np.ndarray:
    """Returns the entity's pixels whose eight neighbours are its own too."""
    padded = np.pad(segmentation == entity, 1)
    size = len(segmentation)
    shifts = [padded[y : y + size, x : x + size] for y in range(3) for x in range(3)]
    return np.logical_and.reduce(shifts)


@pytest.mark.parametrize("condition", ["train", "test"])
def test_accepted_scenes_keep_every_law(condition):
    rooms = open_rooms(condition, size=16)
    accepted = [rooms.sample(i) for i in range(1200)]
    things = [thing for room in accepted for thing in room.things]
    hue, saturation, _ = np.array([thing.color_hsv for thing in things]).T
    backgrounds = np.array([(room.wall, room.floor) for room in accepted])
    for values, low, high in (
        ([room.cameras[0].pitch_deg for room in accepted], -25, 22),
        ([room.cameras[0].ring_angle_rad for room in accepted], 0, 2 * np.pi),
        ([thing.size_m for thing in things], 0.5, 1),
        (hue, 0, 1),
        (saturation, 0.75, 1),
        (backgrounds[:, 0, 0], 0, 1),
        (backgrounds[:, 1, 0], 0, 1),
        (backgrounds[:, :, 1].ravel(), 0.75, 1),
    ):
        assert kstest(values, uniform(low, high - low).cdf).pvalue > CHANCE
    counts = [sum(thing.shape == shape for thing in things) for shape in SHAPES]
    assert chisquare(counts).pvalue > CHANCE


def test_where_all_must_be_in_view_what_the_objects_are_keeps_its_law():
    rooms = open_rooms("six_objects")
    accepted = [rooms.sample(i) for i in range(250)]
    things = [thing for room in accepted for thing in room.things]
    assert kstest([thing.size_m for thing in things], uniform(0.5, 0.5).cdf).pvalue > CHANCE
    assert kstest([t.color_hsv[0] for t in things], uniform(0, 1).cdf).pvalue > CHANCE
    counts = [sum(thing.shape == shape for thing in things) for shape in SHAPES]
    assert chisquare(counts).pvalue > CHANCE
    pitch = [room.cameras[0].pitch_deg for room in accepted]
    assert min(pitch) >= -25
    assert max(pitch) <= 22


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("train", {1, 2, 3}),
        ("test", {1, 2, 3}),
        ("empty_room", {0}),
        ("six_objects", {6}),
        ("identical_color", {4, 5, 6}),
        ("four_identical", {4}),
        *((f"objects_{count}", {count}) for count in range(10)),
    ],
)
def test_each_split_has_its_objects_in_view(condition, counts):
    rooms = open_rooms(condition)
    size = rooms.config.size
    seen = set()
    for index in range(40 if len(counts) > 1 else 6):
        room = rooms.sample(index)
        pixels = room.visible_pixels[0]
        np.testing.assert_array_equal(
            pixels, [(room.segmentations[0] == 4 + i).sum() for i in range(len(room.things))]
        )
        enough = (pixels >= MIN_VISIBLE_SHARE * size**2).sum()
        if rooms.config.all_in_view:
            assert enough == len(pixels)
        elif len(pixels):
            assert enough >= 1
        seen.add(int((pixels > 0).sum()))
        if rooms.config.one_color:
            assert len({thing.color_hsv for thing in room.things}) == 1
    assert seen == counts


def test_seven_masks_of_a_training_scene_are_disjoint_and_cover_every_pixel(rooms_file):
    with SceneFile(rooms_file) as file:
        assert file.entities == (
            "sky",
            "floor",
            "wall_left",
            "wall_right",
            "object_0",
            "object_1",
            "object_2",
        )
        masks = file.masks(slice(0, 384))
        assert masks.shape == (384, 7, 32, 32)
        assert (masks.sum(axis=1) == 1).all()
        in_view = masks.any(axis=(2, 3))
        assert set(in_view[:, 4:].sum(axis=1)) == {1, 2, 3}
        np.testing.assert_array_equal(file["num_visible"][:], in_view[:, 4:].sum(axis=1))
        np.testing.assert_array_equal(
            file["factors/visible_pixels"][:], masks[:, 4:].sum(axis=(2, 3))
        )
        assert not (in_view[:, WALL_RIGHT] & ~in_view[:, WALL_LEFT]).any()
        one_wall = in_view[:, WALL_LEFT] & ~in_view[:, WALL_RIGHT]
        assert 10 < one_wall.sum() < 374
        # Left is left: at any height the right wall begins where the left one ends.
        columns = np.arange(32)
        both = in_view[:, WALL_LEFT] & in_view[:, WALL_RIGHT]
        walls = masks[both][:, [WALL_LEFT, WALL_RIGHT]]
        centres = (walls * columns).sum(axis=(2, 3)) / walls.sum(axis=(2, 3))
        assert (centres[:, 0] < centres[:, 1]).all()


def test_masks_have_crisp_edges_that_agree_with_the_image():
    rooms = open_rooms("test", size=64)
    compared = dict.fromkeys(("sky", "floor", "wall", "object"), 0)
    for index in range(25):
        room, scene = rooms.sample(index), rooms[index]
        rgb = scene.image / 255.0
        colors = [None, room.floor, room.wall, room.wall, *(t.color_hsv for t in room.things)]
        for entity, color in enumerate(colors):
            pixels = rgb[interior(scene.segmentation, entity)]
            if entity == SKY:
                np.testing.assert_allclose(
                    pixels, np.broadcast_to(SKY_RGB, pixels.shape), atol=0.01
                )
                compared["sky"] += len(pixels)
                continue
            # Light makes a colour darker; a highlight, which only objects have, adds white.
            base = np.array(colorsys.hsv_to_rgb(*color))
            light = pixels.max(axis=1, keepdims=True)
            error = abs(pixels - light * base).max(axis=1)
            share = 0.9 if entity > WALL_RIGHT else 1.0
            assert (error < 0.03).sum() >= share * len(pixels), (index, entity)
            name = "object" if entity > WALL_RIGHT else "floor" if entity == FLOOR else "wall"
            compared[name] += len(pixels)
    assert min(compared.values()) > 3000


def test_objects_are_where_the_factors_say():
    rooms = open_rooms("objects_2", size=64, shapes=("sphere", "capsule", "cylinder"))
    checked = 0
    for index in range(30):
        room, scene = rooms.sample(index), rooms[index]
        camera = room.cameras[0]
        assert scene.values["camera/position"] == pytest.approx(camera.position_m)
        assert scene.values["camera/yaw"] == pytest.approx(camera.yaw_rad)
        assert scene.values["camera/pitch"] == pytest.approx(np.deg2rad(camera.pitch_deg))
        # From the file's own numbers: a camera is its position, yaw and pitch.
        x, y, _ = scene.values["camera/position"]
        stated = Camera(float(np.arctan2(y, x)), float(np.rad2deg(scene.values["camera/pitch"])))
        places = project(scene.values["factors/position"], stated, 64)
        for i, (column, row, distance) in enumerate(places):
            full = scene.values["amodal"][i]
            if full[0].any() or full[-1].any() or full[:, 0].any() or full[:, -1].any():
                continue
            rows, columns = np.nonzero(full)
            extent = 64 * scene.values["factors/size"][i] / (2 * SLOPE * distance)
            # Perspective shifts the middle of a near object off the image of its centre.
            assert abs(columns.mean() + 0.5 - column) < 0.6 + 0.03 * extent
            assert abs(rows.mean() + 0.5 - row) < 0.6 + 0.06 * extent
            if room.things[i].shape == "sphere":
                assert np.sqrt(4 * full.sum() / np.pi) == pytest.approx(extent, rel=0.08, abs=1)
            checked += 1
    assert checked > 15


def test_full_extents_contain_what_is_visible_and_only_hidden_parts_besides():
    rooms = open_rooms("six_objects")
    hidden = 0
    for index in range(10):
        scene = rooms[index]
        full = scene.values["amodal"]
        assert full.shape == (6, 32, 32)
        for i in range(6):
            visible = scene.segmentation == 4 + i
            assert (full[i] | ~visible).all()
            # What hides a part of it is another object.
            assert (scene.segmentation[full[i] & ~visible] >= 4).all()
            hidden += (full[i] & ~visible).sum()
    assert hidden > 50


def test_depth_is_that_of_the_room():
    rooms = open_rooms("test", size=64, depth=True)
    for index in range(12):
        room, scene = rooms.sample(index), rooms[index]
        depth = scene.values["depth"].astype(np.float64)
        camera = room.cameras[0]
        directions, origin = rays(camera, 64), np.array(camera.position_m)
        assert scene.values["depth"].dtype == np.float16
        np.testing.assert_array_equal(np.isinf(depth), scene.segmentation == SKY)
        floor = interior(scene.segmentation, FLOOR)
        np.testing.assert_allclose(depth[floor], -origin[2] / directions[floor][:, 2], rtol=2e-3)
        for wall in (WALL_LEFT, WALL_RIGHT):
            pixels = interior(scene.segmentation, wall)
            if pixels.any():
                points = origin + depth[pixels][:, None] * directions[pixels]
                assert points[:, 2].max() < WALL_HEIGHT_M + 0.1
                off = [
                    abs(points @ (np.cos(a), np.sin(a), 0) - ROOM_HALF_M).max()
                    for a in WALLS.values()
                ]
                assert min(off) < 0.02
        for i, (thing, place) in enumerate(zip(room.things, room.places, strict=True)):
            pixels = interior(scene.segmentation, 4 + i)
            if thing.shape == "sphere" and pixels.any():
                points = origin + depth[pixels][:, None] * directions[pixels]
                off = np.linalg.norm(points - place.position_m, axis=1) - thing.size_m / 2
                assert abs(off).max() < 0.03  # a sphere is drawn with flat faces


def test_the_two_walls_have_one_colour_in_two_shades():
    rooms = open_rooms("empty_room")
    ratios = []
    for index in range(40):
        scene = rooms[index]
        left, right = (interior(scene.segmentation, wall) for wall in (WALL_LEFT, WALL_RIGHT))
        if left.sum() > 10 and right.sum() > 10:
            shades = [scene.image[wall].astype(float).mean(axis=0).max() for wall in (left, right)]
            ratios.append(max(shades) / min(shades))
    assert len(ratios) > 15
    assert np.quantile(ratios, 0.2) > 1.03


def test_shadows_are_on_the_floor_and_soft():
    renderer = Renderer(1, 64)
    sphere = Thing("sphere", 0.9, (0.6, 1.0, 1.0))
    renderer.arrange([sphere], [Place((0.0, 0.0, 0.45), 0.0)])
    renderer.look(Camera(-2.6, -15.0))
    renderer.take(0)
    renderer.paint(0, [sphere], (0.3, 1.0, 1.0), (0.0, 1.0, 1.0))
    segmentation, image = renderer.segmentations([0])[0][0], renderer.images([0])[0]
    red = image[interior(segmentation, FLOOR)][:, 0].astype(int)
    lit, dark = np.median(red), red.min()
    assert dark < 0.75 * lit
    shadow = (red < dark + 0.1 * (lit - dark)).sum()
    between = ((red > dark + 0.1 * (lit - dark)) & (red < lit - 0.1 * (lit - dark))).sum()
    assert shadow > 20
    assert between > 0.3 * shadow, "the shadow's edge is hard"


def test_pictures_come_near_mujocos_best_quality():
    rooms = open_rooms("test", size=64)
    best = Renderer(3, 64, FULL)
    differences = []
    for index in range(24):
        room, scene = rooms.sample(index), rooms[index]
        best.arrange(room.things, room.places)
        best.look(room.cameras[0])
        best.take(0)
        best.paint(0, room.things, room.wall, room.floor)
        differences.append(abs(best.images([0])[0].astype(int) - scene.image.astype(int)).mean())
    assert np.mean(differences) < 1.0, "of 255"
    assert max(differences) < 4.0


@pytest.mark.parametrize("size", [16, 34, 100, 512])
def test_every_even_size_renders_the_same_room(size):
    scene = open_rooms("test", size=size, depth=True)[0]
    assert scene.image.shape == (size, size, 3)
    assert scene.segmentation.shape == (size, size)
    assert scene.values["amodal"].shape == (3, size, size)
    assert scene.values["depth"].shape == (size, size)
    assert scene.segmentation.max() >= 4
    wall = scene.segmentation == WALL_LEFT
    assert wall.any()
    assert np.ptp(scene.image, axis=(0, 1)).min() > 20


def test_views_are_the_same_scene_from_other_places():
    rooms = open_rooms("train", views=3)
    for scene in range(6):
        rows = [rooms[3 * scene + view] for view in range(3)]
        for view, row in enumerate(rows):
            assert row.values["scene"] == scene
            assert row.values["view"] == view
            assert set(row.row()) == set(rooms.fields)
            assert row.values["num_visible"] >= 1
            for key in (
                "factors/position",
                "factors/color_rgb",
                "factors/shape",
                "background/wall_rgb",
                "camera/pitch",
            ):
                np.testing.assert_array_equal(row.values[key], rows[0].values[key])
        assert len({float(row.values["camera/yaw"]) for row in rows}) == 3
        assert not np.array_equal(rows[0].image, rows[1].image)


def test_a_row_does_not_depend_on_what_was_asked_before():
    config = replace(condition_config("objects_3", 32), views=2, depth=True)
    rooms = ObjectsRoomSource(config, 7)
    expected = [rooms[i].row() for i in range(6)]
    again = ObjectsRoomSource(config, 7)
    for i in (5, 0, 3, 3, 1, 4, 2):
        for key, value in again[i].row().items():
            np.testing.assert_array_equal(value, expected[i][key], err_msg=f"{i} {key}")


@pytest.mark.parametrize("shape", ["icosahedron", "triangle"])
@pytest.mark.parametrize("size_m", [0.5, 0.97])
def test_a_mesh_fills_what_its_corners_span_at_any_size(shape, size_m):
    renderer, camera = Renderer(1, 128), Camera(0.5, -12.0)
    thing = Thing(shape, size_m, (0.1, 1.0, 1.0))
    place = Place((0.4, -0.2, centre_height(shape, size_m / 2)), 1.1)
    renderer.arrange([thing], [place])
    renderer.look(camera)
    renderer.take(0)
    (segmentation,), (pixels,) = renderer.segmentations([0])
    turn = np.array([[np.cos(1.1), -np.sin(1.1), 0], [np.sin(1.1), np.cos(1.1), 0], [0, 0, 1]])
    corners = size_m / 2 * mesh(shape)[0] @ turn.T + place.position_m
    spanned = project(corners, camera, 128)[:, :2]
    rows, columns = np.nonzero(segmentation == 4)
    np.testing.assert_allclose(spanned.min(axis=0), [columns.min(), rows.min()], atol=1.2)
    np.testing.assert_allclose(spanned.max(axis=0), [columns.max() + 1, rows.max() + 1], atol=1.2)
    assert pixels[0] == len(rows) > 150


@pytest.mark.parametrize("views", [1, 3])
def test_rows_are_the_same_however_many_are_asked_for(monkeypatch, views):
    config = replace(condition_config("test", 32), views=views, depth=True)
    rooms = ObjectsRoomSource(config, 4)
    rows = rooms.rows(range(5, 21))
    assert rows.keys() == rooms.fields.keys()
    for key, field in rooms.fields.items():
        assert rows[key].shape == (16, *field.shape)
        assert rows[key].dtype == field.dtype
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 5)
    for key, values in ObjectsRoomSource(config, 4).rows(range(5, 21)).items():
        np.testing.assert_array_equal(values, rows[key], err_msg=key)
    for number in (20, 5, 11):
        for key, value in rooms[number].row().items():
            np.testing.assert_array_equal(value, rows[key][number - 5], err_msg=key)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_geoms_have_the_codes_that_the_renderer_reads(count):
    renderer = Renderer(4, 16)
    things = [Thing(shape, 0.6, (0.1, 1.0, 1.0)) for shape in ("box", "triangle", "sphere", "box")]
    renderer.arrange(things[:count], [Place((i - 1.5, 0.0, 0.4), 0.0) for i in range(count)])
    renderer.take(0)
    scene = renderer._frames[0].scene
    codes = {geom.objid: geom.segid for geom in scene.geoms[: scene.ngeom]}
    assert codes == dict(enumerate(segids(FIRST_GEOM + count)))


def test_each_file_has_its_own_scenes_and_the_same_at_any_worker_count(tmp_path):
    config = replace(condition_config("objects_1", 32), views=2)
    for name, workers in (("one", 1), ("two", 2)):
        build(config, n=530, seed=3, out=tmp_path / f"{name}.h5", workers=workers)
    with SceneFile(tmp_path / "one.h5") as one, SceneFile(tmp_path / "two.h5") as two:
        assert one.keys() == two.keys()
        for key in sorted(one.keys()):
            np.testing.assert_array_equal(one[key][:], two[key][:], err_msg=key)
        np.testing.assert_array_equal(one["scene"][:], np.arange(530) // 2)
        np.testing.assert_array_equal(one["view"][:], np.arange(530) % 2)


def test_held_out_objects_are_in_no_scene_or_in_view_of_every_one():
    kinds = (Kind(("sphere",), (0.9, 0.1)), Kind(("box",)))
    for only in (False, True):
        rooms = open_rooms("train", hold_out=kinds, only_held_out=only)
        for index in range(60):
            room = rooms.sample(index)
            held = [rooms.config.is_held_out(t.shape, t.color_hsv[0]) for t in room.things]
            assert any(held) == only
            if only:
                assert room.visible_pixels[0][held].max() >= MIN_VISIBLE_SHARE * 32**2


def test_no_two_laws_share_a_scene():
    kinds = (Kind(("sphere",), (0.9, 0.1)),)
    sources = [
        open_rooms("train"),
        open_rooms("test"),
        open_rooms("objects_3"),
        open_rooms("train", hold_out=kinds),
        open_rooms("train", hold_out=kinds, only_held_out=True),
        open_rooms("train", shapes=("box", "sphere")),
        ObjectsRoomSource(ObjectsRoomConfig(size=32), 1),
    ]
    angles = [room.cameras[0].ring_angle_rad for s in sources for room in map(s.sample, range(5))]
    assert len(set(angles)) == 35


def test_scenes_that_cannot_be_found_are_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(source_module, "MAX_ATTEMPTS", 20)
    rooms = open_rooms("objects_9", views=64)
    with pytest.raises(CommandError, match="scene 0 was not accepted in 20 attempts; fewer"):
        rooms.sample(0)


def test_two_renderers_of_one_process_do_not_disturb_each_other():
    first = open_rooms("train")
    expected = first[0].image
    second = open_rooms("six_objects")
    second[0]
    np.testing.assert_array_equal(first[0].image, expected)
    first.sample(1)
    del second
    np.testing.assert_array_equal(first[0].image, expected)
