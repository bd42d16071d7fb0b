import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from scenes.clevr.config import ClevrLikeConfig
from scenes.clevr.images import SIZE, crop_image
from scenes.clevr.likeness import MIN_VISIBLE_PIXELS, ClevrLikeSource
from scenes.clevr.meshes import build_mesh, ground_mesh
from scenes.clevr.properties import CODES, COLORS_RGB, Objects, code_of, names_of
from scenes.clevr.renderer import DISPLAY_RGB, Renderer
from scenes.clevr.sampling import Setting, sample_objects, sample_setting
from scenes.clevr.stage import CAMERA_M, LAMPS
from scenes.clevr.view import HALF_HEIGHT, facing
from scenes.cli import main
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats.tfrecord import decode, read_records
from scenes.scene import Source, scene_rng
from scenes.verification import verify
from sealing import reseal

STILL = Setting(np.array(CAMERA_M), np.array([lamp.position_m for lamp in LAMPS.values()]))


@pytest.fixture(scope="module")
def source():
    return ClevrLikeSource(ClevrLikeConfig("test"), seed=0)


@pytest.fixture(scope="module")
def scenes(source):
    return [source[i] for i in range(12)]


@pytest.fixture(scope="module")
def renderer():
    return Renderer(3)


def one(shape, size, material, color, x=0.0, y=0.0, z=0.7):
    names = {"shape": shape, "size": size, "material": material, "color": color}
    codes = [[code_of(factor, name) for factor, name in names.items()]]
    return Objects(np.array(codes, dtype=np.uint8), np.array([[x, y, z]]), np.array([0.3]))


@pytest.mark.parametrize("shape", ["cube", "sphere", "cylinder"])
def test_meshes_are_closed_and_face_outwards(shape):
    mesh = build_mesh(shape)
    corners = mesh.vertices[mesh.faces]
    facing_out = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("fk,fk->f", facing_out, corners.mean(axis=1)) > 0).all()
    # The gradient theorem: the faces of a closed surface sum to nothing, and enclose the volume.
    np.testing.assert_allclose(facing_out.sum(axis=0), 0, atol=1e-9)
    volume = np.einsum("fk,fk->", facing_out, corners.mean(axis=1)) / 6
    full = {"cube": 2**1.5, "sphere": 4 / 3 * np.pi, "cylinder": 2 * np.pi}[shape]
    assert 0.95 * full < volume < full
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1)
    half_height = {"cube": 0.5**0.5}.get(shape, 1.0)
    np.testing.assert_allclose(mesh.vertices.min(axis=0), -half_height, atol=0.01)


def test_the_ground_faces_up():
    mesh = ground_mesh(10.0)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_objects_keep_the_generators_distances():
    rng = np.random.default_rng(0)
    drawn, counts = [], []
    while len(drawn) < 40:
        setting = sample_setting(rng)
        objects = sample_objects(rng, int(rng.integers(3, 11)), setting)
        if objects is not None:
            drawn.append((objects, setting))
    for objects, setting in drawn:
        place, count = objects.position[:, :2], len(objects.codes)
        counts.append(count)
        assert abs(place).max() <= 3
        gaps = np.linalg.norm(place[:, None] - place, axis=2)[np.triu_indices(count, 1)]
        assert gaps.min() >= 0.25 + 2 * 0.35 / 2**0.5
        ahead = -setting.camera_m[:2] / np.linalg.norm(setting.camera_m[:2])
        for axis in (ahead, np.array([ahead[1], -ahead[0]])):
            along = np.sort(place @ axis)
            assert np.diff(along).min() >= 0.4 - 1e-9
        radius = np.array([0.7, 0.35])[objects.codes[:, 1] - 1]
        cube = objects.codes[:, 0] == code_of("shape", "cube")
        np.testing.assert_allclose(objects.position[:, 2], np.where(cube, radius / 2**0.5, radius))
    assert len(set(counts)) > 4
    codes = np.concatenate([objects.codes for objects, _ in drawn])
    for column, names in enumerate(CODES.values()):
        assert set(codes[:, column].tolist()) == set(range(1, len(names)))


def test_objects_are_those_drawn_before_their_codes_were_the_released_ones():
    # As the version drew them that numbered shapes and colours by clevr-dataset-gen's order.
    rng = scene_rng(0, ClevrLikeConfig("train", 6).stream, 0)
    count = int(rng.integers(3, 7))
    objects = sample_objects(rng, count, sample_setting(rng))
    assert [names_of(codes) for codes in objects.codes] == [
        ("cube", "small", "metal", "yellow"),
        ("sphere", "large", "rubber", "blue"),
        ("cube", "small", "metal", "brown"),
    ]
    np.testing.assert_allclose(
        objects.position,
        [
            [0.92179656, -0.05870001, 0.24748737],
            [0.42071491, -2.20907831, 0.7],
            [-2.10736752, -1.10829401, 0.24748737],
        ],
        atol=1e-7,
    )


@pytest.fixture
def old_file(tmp_path):
    """Makes a file as the version wrote it that numbered shapes in clevr-dataset-gen's order."""
    out = tmp_path / "a.h5"
    build(ClevrLikeConfig(max_objects=3), seed=0, n=16, out=out, workers=1)
    before = ("none", "cube", "sphere", "cylinder")
    with h5py.File(out, "r+") as file:
        key = "factors/shape"
        theirs = np.array([before.index(name) for name in CODES["shape"]], np.uint8)
        file[key][:] = theirs[file[key][:]]
        file[key].attrs["categories"] = list(before)
        reseal(file)
    return out


def test_a_file_of_other_codes_verifies_by_their_names_and_is_not_extended(old_file, capsys):
    report = verify(old_file)
    assert (report.problems, len(report.remade)) == ((), 4)
    command = ["clevr-like", "--max-objects", "3", "--n", "32", "--out", str(old_file)]
    content = old_file.read_bytes()
    assert main([*command, "--workers", "1"]) == 1
    error = capsys.readouterr().err
    assert "factors/shape: begun with the codes none, cube, sphere, cylinder, here" in error
    assert old_file.read_bytes() == content


def test_the_camera_and_the_lamps_move_within_their_boxes():
    rng = np.random.default_rng(0)
    settings = [sample_setting(rng) for _ in range(300)]
    moved = np.array([setting.camera_m for setting in settings]) - STILL.camera_m
    assert 0.48 < abs(moved).max() <= 0.5
    moved = np.array([setting.lamps_m for setting in settings]) - STILL.lamps_m
    assert 0.98 < abs(moved).max() <= 1.0


def test_rows_are_what_the_fields_say(source, scenes):
    assert isinstance(source, Source)
    for scene in scenes:
        row = scene.row()
        assert set(row) == set(source.fields)
        for key, field in source.fields.items():
            assert row[key].shape == field.shape, key
            assert row[key].dtype == field.dtype, key


def test_segmentation_agrees_with_where_the_objects_stand(scenes):
    for scene in scenes:
        camera = scene.values["camera/position"].astype(float)
        rotation = facing(-camera)
        for i in np.flatnonzero(scene.values["factors/present"]):
            extent = scene.values["amodal"][i]
            if not extent.any() or extent[[0, -1]].any() or extent[:, [0, -1]].any():
                continue
            right, up, back = (scene.values["factors/position"][i] - camera) @ rotation
            # In pixels of 320 x 240, then of the crop.
            column = 160 + 120 / HALF_HEIGHT * right / -back
            row = 120 - 120 / HALF_HEIGHT * up / -back
            expected = (np.array([row, column]) - (29, 64)) * 128 / 192 - 0.5
            rows, columns = np.nonzero(extent)
            middle = [(rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2]
            assert np.linalg.norm(middle - expected) < 2.5


def test_nothing_is_seen_beyond_an_objects_full_extent(scenes):
    hidden = 0
    for scene in scenes:
        for i, extent in enumerate(scene.values["amodal"]):
            visible = scene.segmentation == i + 1
            assert not (visible & ~extent).any()
            assert visible.sum() == scene.values["factors/visible_pixels"][i]
            hidden += int(visible.sum() < extent.sum())
    assert hidden > 5


def test_every_object_shows_200_pixels_before_the_crop(source):
    for index in range(4):
        scene = source[index]
        whole = source._renderer.entities()  # still arranged
        count = int(scene.values["num_objects"])
        assert 3 <= count <= 10
        assert np.bincount(whole.ravel(), minlength=11)[1 : count + 1].min() >= MIN_VISIBLE_PIXELS


def test_the_image_is_the_crop_of_the_whole_picture(renderer):
    renderer.arrange(one("cube", "large", "rubber", "yellow"), STILL)
    cut = renderer.image()
    renderer._screen.take(renderer._scene)
    whole = renderer._screen.pictures([renderer._scene], 320, 240)[0]
    difference = abs(cut.astype(int) - whole[29:221, 64:256])
    assert (difference > 8).mean() < 0.002
    assert crop_image(whole).shape == (SIZE, SIZE, 3)


def look(renderer, shape, material, color="purple", turn=0.3):
    """Returns the pixels of one object in the stage's middle."""
    objects = replace(one(shape, "large", material, color), rotation_rad=np.array([turn]))
    renderer.arrange(objects, STILL)
    renderer.polish(objects, STILL)
    inside = renderer.entities()[29:221, 64:256] == 1
    return renderer.image()[inside].astype(float)


@pytest.mark.parametrize(("shape", "times"), [("sphere", 2.5), ("cylinder", 1.5), ("cube", 1.5)])
def test_metal_has_visibly_more_contrast_than_rubber(renderer, shape, times):
    metal, rubber = (look(renderer, shape, name).max(axis=1) for name in ("metal", "rubber"))
    assert np.ptp(np.percentile(metal, [2, 98])) > times * np.ptp(np.percentile(rubber, [2, 98]))
    assert metal.mean() < rubber.mean()


@pytest.mark.parametrize("color", COLORS_RGB)
@pytest.mark.parametrize("shape", ["sphere", "cylinder", "cube"])
def test_metal_of_every_colour_has_a_highlight_however_it_is_turned(renderer, shape, color):
    for turn in (0.0, 0.4, 0.8, 1.2):
        metal, rubber = (look(renderer, shape, name, color, turn) for name in ("metal", "rubber"))
        assert metal.mean(axis=1).max() > 1.25 * rubber.mean(axis=1).max()
        assert metal.mean(axis=1).max() > 1.5 * np.median(metal.mean(axis=1))


def test_polishing_twice_changes_nothing(renderer):
    objects = one("cylinder", "large", "metal", "red")
    renderer.arrange(objects, STILL)
    renderer.polish(objects, STILL)
    first = renderer.image()
    renderer.polish(objects, STILL)
    np.testing.assert_array_equal(renderer.image(), first)


def test_rubber_is_as_it_was_after_its_mesh_was_metal(renderer):
    first = look(renderer, "cube", "rubber")
    look(renderer, "cube", "metal")
    np.testing.assert_array_equal(look(renderer, "cube", "rubber"), first)


def test_light_is_that_of_the_published_generator(shared_data):
    path = shared_data / "tfrecords" / "clevr_with_masks.tfrecords"
    theirs = []
    for number, record in enumerate(read_records(path)):
        if number == 24:
            break
        values = decode(record)
        image = crop_image(values["image"].reshape(240, 320, 3))
        labels = values["mask"].reshape(11, 240, 320).argmax(axis=0)[29:221, 64:256][::3, ::3]
        theirs.append((image[::2, ::2], labels, values["material"][1:], values["color"][1:]))
    source = ClevrLikeSource(ClevrLikeConfig("train"), seed=1)
    ours = []
    for index in range(24):
        scene = source[index]
        material, color = (scene.values[f"factors/{name}"] for name in ("material", "color"))
        ours.append((scene.image[::2, ::2], scene.segmentation[::2, ::2], material, color))
    for name, tolerance in (("ground", 0.03), ("rubber", 0.05), ("metal", 0.05)):
        assert abs(brightness(ours, name) - brightness(theirs, name)) < tolerance, name


def brightness(scenes, name):
    """Mean of the image over the ground, or over a material in units of its colour."""
    values = []
    for image, labels, material, color in scenes:
        if name == "ground":
            values.append(image[labels == 0].mean() / 255)
            continue
        for i in np.flatnonzero(material == code_of("material", name)):
            inside = labels == i + 1
            if inside.sum() > 20:
                shown = image[inside].mean(axis=0) / 255
                values.append((shown / DISPLAY_RGB[CODES["color"][color[i]]]).mean())
    assert len(values) > 10
    return float(np.mean(values))


@pytest.mark.slow
def test_the_same_seed_makes_the_same_bytes_at_any_worker_count(tmp_path, monkeypatch):
    monkeypatch.setattr("scenes.parts.plan.MAX_PART_ROWS", 16)
    config = ClevrLikeConfig(max_objects=3)
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        build(config, seed=1, n=20, out=out, workers=workers)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_every_split_and_count_has_a_stream_of_its_own():
    configs = [ClevrLikeConfig(split, most) for split in ("train", "test") for most in range(3, 11)]
    assert len({config.stream for config in configs}) == len(configs)


def test_the_command_writes_masks_and_factors(tmp_path):
    out = tmp_path / "a.h5"
    command = ["clevr-like", "--n", "3", "--max-objects", "4", "--split", "test"]
    assert main([*command, "--out", str(out), "--workers", "1"]) == 0
    with SceneFile(out) as file:
        assert file.config == ClevrLikeConfig("test", 4)
        assert file.entities == ("background", *(f"object_{i}" for i in range(4)))
        assert file["image"].shape == (3, 128, 128, 3)
        assert file["amodal"].shape == (3, 4, 128, 128)
        assert file.masks(slice(0, 3)).sum(axis=1).all()
        # Another process renders the same bytes, and a scene does not depend on those before it.
        scene = ClevrLikeSource(ClevrLikeConfig("test", 4), seed=0)[2]
        for key, value in scene.row().items():
            np.testing.assert_array_equal(file[key][2], value)


def test_too_few_or_too_many_objects_are_refused(tmp_path, capsys):
    for most in (2, 11):
        command = ["clevr-like", "--max-objects", str(most), "--out", str(tmp_path / "a.h5")]
        assert main(command) == 2
        error = capsys.readouterr().err
        assert re.search(f"--max-objects must be from 3 to 10, got {most}", error)
