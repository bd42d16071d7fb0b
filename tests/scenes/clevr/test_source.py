import colorsys
import gzip
import json
import math
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scenes.clevr.config import ClevrConfig
from scenes.clevr.folder import find_scenes, inspect, png_names
from scenes.clevr.images import crop_image, crop_labels
from scenes.clevr.properties import COLORS_RGB
from scenes.clevr.scenes_json import read_scenes
from scenes.clevr.survey import survey
from scenes.cli import main
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.formats.image_file import read_rgb
from scenes.formats.tfrecord import encode, write_record


def ramp(width=320, height=240, blue=0):
    """An image whose red is the column and whose green is the row, as far as a byte goes."""
    image = np.full((height, width, 3), blue, dtype=np.uint8)
    image[..., 0] = np.minimum(255, np.arange(width) * 240 / height)
    image[..., 1] = np.arange(height)[:, None] * 240 / height
    return image


def an_object(shape="cube", x=0.5):
    return {
        "shape": shape,
        "size": "small",
        "material": "metal",
        "color": "cyan",
        "3d_coords": [x, -1.5, 0.35],
        "rotation": 90.0,
        "pixel_coords": [1, 2, 11.0],
    }


@pytest.fixture
def clevr_root(tmp_path):
    """CLEVR_v1.0's layout: five images of the split `train`, with 1 to 5 objects."""
    images = tmp_path / "CLEVR" / "images" / "train"
    images.mkdir(parents=True)
    scenes = []
    for i in range(5):
        name = f"CLEVR_train_{i:06d}.png"
        Image.fromarray(ramp(blue=50 * i)).save(images / name)
        objects = [an_object(x=0.1 * j) for j in range(i)] + [an_object("cylinder")]
        scenes.append({"image_filename": name, "objects": objects, "relationships": {"left": []}})
    place = tmp_path / "CLEVR" / "scenes" / "CLEVR_train_scenes.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"info": {"split": "train"}, "scenes": scenes}))
    return tmp_path / "CLEVR"


def clevr(*arguments):
    return main(["clevr", *map(str, arguments), "--workers", "1"])


def test_the_crop_is_rows_29_to_221_and_columns_64_to_256():
    cropped = crop_image(ramp()).astype(float)
    places = 1.5 * np.arange(128) + 0.25  # where 192 pixels are sampled for 128
    np.testing.assert_allclose(cropped[5, :, 0], 64 + places, atol=0.51)
    np.testing.assert_allclose(cropped[:, 5, 1], 29 + places, atol=0.51)


def test_the_distributed_size_shows_the_same_part_of_the_height_and_the_middle_of_the_width():
    cropped = crop_image(ramp(480, 320)).astype(float)
    places = 1.5 * np.arange(128) + 0.25
    np.testing.assert_allclose(cropped[:, 5, 1], 29 + places, atol=1.01)
    np.testing.assert_allclose(cropped[5, :, 0], np.minimum(255, 20 + 64 + places), atol=1.01)


def test_labels_lie_where_the_image_has_them():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 5, size=(24, 32)), np.ones((10, 10))).astype(np.uint8)
    image = np.repeat(50 * labels[..., None], 3, axis=2)
    values, reduced = crop_image(image)[..., 0].astype(float), crop_labels(labels)
    # Bilinear samples lie a quarter pixel away, so that a label weighs 0.75 squared at the least.
    assert abs(values - 50.0 * reduced).max() <= (1 - 0.75**2) * 200 + 1


def test_a_folder_without_json_has_images_and_nothing_else(tmp_path):
    for i in range(3):
        Image.fromarray(ramp(480, 320, blue=i)).save(tmp_path / f"{i}.png")
    out = tmp_path / "a.h5"
    assert clevr(tmp_path, "--out", out) == 0
    with SceneFile(out) as file:
        assert file.keys() == ["image"]
        assert file.entities == ("background",)
        assert (file.config.original_width, file.config.original_height) == (480, 320)
        assert file["image"][:, 0, 0, 2].tolist() == [0, 1, 2]


def test_the_json_beside_the_images_gives_the_factors(clevr_root, tmp_path):
    out = tmp_path / "a.h5"
    assert clevr(clevr_root / "images" / "train", "--out", out) == 0
    with SceneFile(out) as file:
        assert file["num_objects"][:].tolist() == [1, 2, 3, 4, 5]
        assert file["factors/present"][2].tolist() == [True, True, True, False, False]
        names = file["factors/shape"].attrs["categories"].tolist()
        assert [names[code] for code in file["factors/shape"][1]] == [
            "cube",
            "cylinder",
            "none",
            "none",
            "none",
        ]
        names = file["factors/color"].attrs["categories"].tolist()
        assert names[file["factors/color"][0, 0]] == "cyan"
        np.testing.assert_allclose(file["factors/position"][2, 1], [0.1, -1.5, 0.35])
        assert file["factors/rotation"][2, 1] == pytest.approx(math.pi / 2)
        assert not file.has("segmentation")
        assert len(file.entities) == 6


def test_a_generators_output_has_one_json_for_each_scene(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "scenes").mkdir()
    for i in range(2):
        name = f"CLEVR_new_{i:06d}"
        Image.fromarray(ramp()).save(tmp_path / "images" / f"{name}.png")
        scene = {"image_filename": f"{name}.png", "objects": [an_object()] * (i + 1)}
        (tmp_path / "scenes" / f"{name}.json").write_text(json.dumps(scene))
    assert find_scenes(tmp_path / "images") == tmp_path / "scenes"
    out = tmp_path / "a.h5"
    assert clevr(tmp_path, "--out", out) == 0
    with SceneFile(out) as file:
        assert file["num_objects"][:].tolist() == [1, 2]


def test_max_objects_keeps_scenes_with_fewer(clevr_root, tmp_path):
    out = tmp_path / "a.h5"
    assert clevr(clevr_root / "images" / "train", "--max-objects", 3, "--out", out) == 0
    with SceneFile(out) as file:
        assert file["num_objects"][:].tolist() == [1, 2, 3]
        assert file["image"][:, 0, 0, 2].tolist() == [0, 50, 100]
        assert file["factors/shape"].shape == (3, 3)


def test_max_objects_without_a_json_is_refused_before_any_image_is_read(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"no image")
    assert clevr(tmp_path, "--max-objects", 6, "--out", tmp_path / "a.h5") == 2
    assert "--max-objects counts objects in a scenes JSON" in capsys.readouterr().err


def break_two(images):
    paths = sorted(images.glob("*.png"))
    paths[1].write_bytes(paths[1].read_bytes()[:400])
    data = bytearray(paths[3].read_bytes())
    data[len(data) // 2] ^= 255
    paths[3].write_bytes(data)
    return paths[1], paths[3]


def test_broken_images_are_named_and_counted_and_the_rest_is_kept(clevr_root, tmp_path, capsys):
    images, out = clevr_root / "images" / "train", tmp_path / "a.h5"
    broken = break_two(images)
    assert clevr(images, "--out", out) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines[:2]] == [str(path) for path in broken]
    assert lines[2] == f"scenes: 2 of 5 PNGs could not be read; {out} has the others"
    with SceneFile(out) as file:
        assert file["image"][:, 0, 0, 2].tolist() == [0, 100, 200]
        assert file["num_objects"][:].tolist() == [1, 3, 5]
        assert file.config.left_out == tuple(path.name for path in broken)


def test_verify_names_an_image_that_broke_since_it_was_cropped(clevr_root, tmp_path, capsys):
    images, out = clevr_root / "images" / "train", tmp_path / "clevr.h5"
    assert clevr(images, "--out", out) == 0
    first = images / "CLEVR_train_000000.png"
    first.write_bytes(bytes(first.stat().st_size))
    capsys.readouterr()
    assert main(["verify", str(out), "--n", "1", "--source", str(images)]) == 1
    assert capsys.readouterr().err == f"scenes: {first}: not a PNG file\n"


def test_strict_stops_at_the_first_broken_image(clevr_root, tmp_path, capsys):
    images, out = clevr_root / "images" / "train", tmp_path / "a.h5"
    first, _ = break_two(images)
    assert clevr(images, "--strict", "--out", out) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"scenes: {first}: ")
    assert error.endswith("without --strict it is left out\n")
    assert not out.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_every_damage_is_noticed(tmp_path, damage):
    path = tmp_path / "a.png"
    Image.fromarray(ramp()).save(path)
    assert inspect(path).size == (320, 240)
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    broken = {"cut": data[:-200], "flipped": data, "empty": b"", "text": b"not an image"}[damage]
    path.write_bytes(broken)
    assert inspect(path).reason


def test_another_size_names_the_file_and_its_size(tmp_path, capsys):
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    Image.fromarray(ramp(300, 200)).save(tmp_path / "b.png")
    assert clevr(tmp_path, "--out", tmp_path / "a.h5") == 2
    assert capsys.readouterr().err == (
        f"scenes: {tmp_path / 'b.png'}: 300 x 200 pixels; CLEVR is 320 x 240 or 480 x 320\n"
    )
    Image.fromarray(ramp(480, 320)).save(tmp_path / "b.png")
    assert clevr(tmp_path, "--out", tmp_path / "a.h5") == 2
    assert "one file holds one size" in capsys.readouterr().err


def test_an_image_that_the_json_lacks_is_named(clevr_root, tmp_path, capsys):
    images = clevr_root / "images" / "train"
    Image.fromarray(ramp()).save(images / "extra.png")
    assert clevr(images, "--out", tmp_path / "a.h5") == 2
    assert "the scenes JSON lacks extra.png" in capsys.readouterr().err


def test_a_word_that_clevr_does_not_know_is_named(tmp_path):
    place = tmp_path / "s.json"
    scene = {"image_filename": "a.png", "objects": [an_object("teapot")]}
    place.write_text(json.dumps({"scenes": [scene]}))
    with pytest.raises(ValueError, match=re.escape(f"{place}: not a CLEVR scenes JSON: shape 't")):
        read_scenes(place)


def test_a_finished_file_grows_and_more_than_there_are_is_refused(clevr_root, tmp_path, capsys):
    images, out = clevr_root / "images" / "train", tmp_path / "a.h5"
    assert clevr(images, "--n", 2, "--out", out) == 0
    assert clevr(images, "--n", 5, "--out", out) == 0
    with SceneFile(out) as file:
        assert file.n == 5
        assert isinstance(file.config, ClevrConfig)
    assert clevr(images, "--n", 6, "--out", out) == 2
    assert "--n 6, but there are 5 such scenes" in capsys.readouterr().err


def test_a_file_is_verified_without_its_images_too(clevr_root, tmp_path, capsys):
    out = tmp_path / "clevr.h5"
    assert clevr(clevr_root / "images" / "train", "--out", out) == 0
    clevr_root.rename(tmp_path / "elsewhere")
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert "made none again: " in capsys.readouterr().out


def test_worker_processes_make_the_same_file(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(260):
        image = np.full((240, 320, 3), i % 256, dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{i:03d}.png")
    (folder / "zzz.png").write_bytes(b"")
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        assert main(["clevr", str(folder), "--out", str(out), "--workers", str(workers)]) == 1
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    with SceneFile(tmp_path / "1.h5") as file:
        assert file["image"][:, 7, 7, 0].tolist() == [i % 256 for i in range(260)]


def test_published_images_are_read(shared_data, tmp_path):
    folder, out = shared_data / "clevr_png", tmp_path / "a.h5"
    assert clevr(folder, "--out", out) == 0
    with SceneFile(out) as file:
        assert file["image"].shape == (6, 128, 128, 3)
        # The large teal ball of the first one, in its crop's middle.
        red, green, blue = file["image"][0, 88, 62].tolist()
        assert green > 1.4 * red
        assert blue > 1.4 * red


def test_records_with_masks_take_the_same_crop(shared_data, tmp_path):
    out = tmp_path / "a.h5"
    path = shared_data / "tfrecords" / "clevr_with_masks.tfrecords"
    assert clevr(path, "--max-objects", 6, "--n", 12, "--out", out) == 0
    with SceneFile(out) as file:
        assert file.entities[-1] == "object_5"
        counts = file["num_objects"][:]
        assert counts.min() >= 3
        assert counts.max() <= 6
        present = file["factors/present"][:]
        np.testing.assert_array_equal(present.sum(axis=1), counts)
        visible = file["factors/visible_pixels"][:]
        for i in range(6):
            pixels = (file["segmentation"][:] == i + 1).sum(axis=(1, 2))
            np.testing.assert_array_equal(pixels, visible[:, i])
        # A red object is redder inside its mask than the grey ground around.
        red = file["factors/color"].attrs["categories"].tolist().index("red")
        rows, objects = np.nonzero((file["factors/color"][:] == red) & (visible > 50))
        assert len(rows) > 2
        for row, number in zip(rows, objects, strict=True):
            mean = file["image"][row][file["segmentation"][row] == number + 1].mean(axis=0)
            assert mean[0] > 1.3 * mean[1]


SEEN = [
    ("sphere", "large", "rubber", "red"),
    ("cylinder", "large", "rubber", "cyan"),
    ("sphere", "small", "metal", "green"),
    ("sphere", "small", "metal", "red"),
    ("cube", "small", "rubber", "red"),
    ("cube", "small", "metal", "blue"),
    ("cube", "large", "metal", "brown"),
]
"""The objects of the released record, as one sees them in its picture."""


@pytest.fixture
def released(shared_data, tmp_path):
    """Writes the first record of the released `clevr_with_masks` that is public, codes and all."""
    folder = shared_data / "clevr_with_masks_real"
    segmentation = np.asarray(Image.open(folder / "segmentation_0.png"))

    def column(*objects, dtype=np.uint8):
        values = np.zeros((11, *np.shape(objects[0])), dtype=dtype)
        values[1:8] = objects
        return values

    record = {
        "image": read_rgb(folder / "image_0.png", ("PNG",)),
        "mask": (segmentation == np.arange(11)[:, None, None]).astype(np.uint8) * np.uint8(255),
        "color": column(1, 2, 3, 1, 1, 4, 5),
        "material": column(1, 1, 2, 2, 1, 2, 2),
        "shape": column(1, 2, 1, 1, 3, 3, 3),
        "size": column(1, 1, 2, 2, 2, 2, 1),
        "visibility": column(1, 1, 1, 1, 1, 1, 1, dtype=np.float32),
        "pixel_coords": np.zeros((11, 3), np.float32),
        **{name: np.zeros(11, np.float32) for name in ("x", "y", "z", "rotation")},
    }
    path = tmp_path / "released.tfrecords"
    with gzip.open(path, "wb") as stream:
        write_record(stream, encode(record))
    return path


def test_codes_of_the_released_file_mean_what_is_seen_in_its_picture(released, tmp_path):
    out = tmp_path / "a.h5"
    assert clevr(released, "--out", out) == 0
    with SceneFile(out) as file:
        names = [
            [file[f"factors/{f}"].attrs["categories"][c] for c in file[f"factors/{f}"][0, :7]]
            for f in ("shape", "size", "material", "color")
        ]
        assert list(zip(*names, strict=True)) == SEEN
        image, labels = file["image"][0].astype(float), file["segmentation"][0]
    seen = 0
    for number, (_, size, material, color) in enumerate(SEEN, start=1):
        inside = labels == number
        if inside.sum() < 40:  # the small blue cube is outside the crop
            continue
        seen += 1
        shown = np.median(image[inside], axis=0) / 255
        if material == "rubber":  # metal mirrors what is around it
            hues = {
                name: hue_of(np.array(rgb) / 255)
                for name, rgb in COLORS_RGB.items()
                if name != "gray"
            }
            assert min(hues, key=lambda name: abs(hues[name] - hue_of(shown))) == color
        # The farthest large object is larger in the picture than the nearest small one.
        assert (np.ptp(np.nonzero(inside)[0]) > 21) == (size == "large")
    assert seen >= 5


def hue_of(rgb):
    return colorsys.rgb_to_hsv(*rgb)[0]


def test_names_that_an_earlier_version_gave_to_records_codes_are_refused(released, tmp_path):
    out = tmp_path / "a.h5"
    assert clevr(released, "--out", out) == 0
    with h5py.File(out, "r+") as file:
        file["factors/shape"].attrs["categories"] = ["none", "cube", "sphere", "cylinder"]
    with SceneFile(out) as file:
        assert file["image"].shape == (1, 128, 128, 3)
        assert file["factors/size"][0, 0] == 1
        with pytest.raises(FileError, match="factors/shape: an earlier version gave these codes"):
            file["factors/shape"]


def test_a_cut_tfrecord_keeps_what_came_before(shared_data, tmp_path, capsys):
    path, out = tmp_path / "cut.tfrecords", tmp_path / "a.h5"
    whole = (shared_data / "tfrecords" / "clevr_with_masks.tfrecords").read_bytes()
    path.write_bytes(whole[: len(whole) // 8])
    assert clevr(path, "--strict", "--out", out) == 1
    assert not out.exists()
    capsys.readouterr()
    assert clevr(path, "--out", out) == 1
    with SceneFile(out) as file:
        assert 5 <= file.n <= 9
        assert f"{path}: record {file.n}: " in capsys.readouterr().err


def test_another_kind_of_tfrecord_is_refused(tmp_path, capsys):
    sprites, path = tmp_path / "s.h5", tmp_path / "s.tfrecords"
    assert main(["sprites", "--n", "2", "--out", str(sprites), "--workers", "1"]) == 0
    assert main(["export", str(sprites), "--out", str(path)]) == 0
    assert clevr(path, "--out", tmp_path / "a.h5") == 2
    assert "multi_dsprites; scenes import reads that" in capsys.readouterr().err


def test_what_is_no_png_in_a_folder_is_named_and_left_out(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(ramp()).save(folder / "a.png")
    Image.fromarray(ramp()).save(folder / "b.png", "JPEG")
    (folder / "c.png").symlink_to(tmp_path)
    os.mkfifo(folder / "d.png")
    (folder / "e.png").symlink_to("/dev/zero")
    (folder / "f.png").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "a.h5"
    assert clevr(folder, "--out", out) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"scenes: {folder / 'b.png'}: not a PNG file",
        f"scenes: {folder / 'c.png'}: a folder, not a file",
        f"scenes: {folder / 'd.png'}: a pipe, not a file",
        f"scenes: {folder / 'e.png'}: a device, not a file",
        f"scenes: {folder / 'f.png'}: no such file or directory",
        f"scenes: 5 of 6 PNGs could not be read; {out} has the others",
    ]
    with SceneFile(out) as file:
        assert file.n == 1


def test_a_16_bit_grey_png_is_read_by_its_range(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    grey = np.full((240, 320), 77 * 257, dtype=np.uint16)
    Image.fromarray(grey).save(folder / "a.png")
    assert clevr(folder, "--out", tmp_path / "a.h5") == 0
    with SceneFile(tmp_path / "a.h5") as file:
        assert (file["image"][:] == 77).all()


def test_an_empty_folder_is_refused(tmp_path, capsys):
    assert clevr(tmp_path, "--out", tmp_path / "a.h5") == 2
    assert capsys.readouterr().err.startswith(f"scenes: {tmp_path}: no PNG in it; ")


def test_masks_beside_the_images_are_no_scenes(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("CLEVR_new_000000.png", "CLEVR_new_000000_mask.png", "other_mask.png"):
        Image.new("RGB", (320, 240), (len(name), 0, 0)).save(folder / name)
    assert png_names(folder) == ["CLEVR_new_000000.png", "other_mask.png"]
    assert survey(folder, workers=1).n == 2
