"""What object-centric-library's classes read, by a reader written from what they ask of a file.

The facts are those of its `data/datasets.py` and `config/dataset/*.yaml`: names of files and keys,
shapes, what a number and a code are made of.
"""

import colorsys
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from scenes.clevr.properties import CODES
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.formats.export import default_name
from scenes.formats.tfrecord import decode, read_records, write_record

FORMAT = "object-centric-library"
CLASSES = {
    "MultiObjectDataset": (4, 64, []),
    "Multidsprites": (1, 64, ["x", "y", "scale", "shape", "color"]),
    "Clevr": (1, 128, ["x", "y", "size", "shape", "material", "color"]),
}
"""Backgrounds, side of the images, and downstream features of each class's own configuration."""


class Reader:
    """Reads an HDF5 as one of that library's classes does; any departure is an error."""

    def __init__(self, path: Path, kind: str) -> None:
        self.backgrounds, _, self.downstream = CLASSES[kind]
        metadata = path.parent / f"{path.stem.split('-')[0]}-metadata.npy"
        self.metadata = np.load(metadata, allow_pickle=True).item()
        assert isinstance(self.metadata, dict)
        with h5py.File(path, "r") as file:
            self.data = {key: file[key][:] for key in file}
        assert self.metadata["self.dataset"]["num_samples"] == len(self.data["image"])
        if kind == "Multidsprites":
            color = self.data["color"]
            assert color.ndim == 3
            assert color.shape[-1] == 3
            hsv = np.array([[colorsys.rgb_to_hsv(*entity) for entity in row] for row in color])
            for axis, name in enumerate(("hue", "saturation", "value")):
                self.data[name] = hsv[:, :, axis]
        if kind == "Clevr":
            for axis, name in enumerate(("x_2d", "y_2d", "z_2d")):
                self.data[name] = self.data["pixel_coords"][:, :, axis]
            del self.data["pixel_coords"], self.metadata["pixel_coords"]

    def __getitem__(self, row: int) -> dict[str, np.ndarray]:
        entities = self.data["visibility"].shape[1]
        sample = {key: self._value(key, values[row], entities) for key, values in self.data.items()}
        parts = [sample[name] for name in self.downstream]
        y_true = np.concatenate(parts, axis=-1) if parts else np.zeros((entities, 0))
        assert sample["visibility"].shape == (entities, 1)
        assert sample["mask"].shape == (entities, 1, *sample["image"].shape[1:])
        assert (sample["mask"].sum(axis=0) == 1).all()
        foreground = sample["visibility"].copy()
        foreground[: self.backgrounds] = 0
        assert foreground.sum() == sample["num_actual_objects"][0]
        return {**sample, "y_true": y_true, "is_foreground": foreground}

    def _value(self, key: str, value: np.ndarray, entities: int) -> np.ndarray:
        if key == "image":
            assert value.dtype == np.uint8
            return np.moveaxis(value, -1, 0) / 255
        if key == "mask":
            return np.moveaxis(np.eye(entities)[value.astype(np.int64)], (2, 3), (1, 0))
        if key == "visibility":
            return value.astype(np.float32).reshape(entities, -1)
        if key == "num_actual_objects" or key not in self.metadata:
            return value
        about = self.metadata[key]
        if about["type"] == "categorical":
            codes = value.astype(np.int64).squeeze(-1)
            return np.eye(about["num_categories"])[codes]
        assert about["type"] == "numerical"
        assert about["shape"][-1] == value.shape[-1]
        scale = np.sqrt(about["var"]).astype("float32") + 1e-6
        return (value - about["mean"].astype("float32")) / scale

    def raw(self, key: str) -> np.ndarray:
        """Returns the values of a downstream feature before they are scaled."""
        return self.data[key]


def export(path: Path, *options: str) -> None:
    assert main(["export", str(path), "--format", FORMAT, *options]) == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """A file of each dataset, exported under its default name."""
    folder = tmp_path_factory.mktemp("ocl")
    commands = {
        "a-room": "render --n 3 --split test --seed 1",
        "colored_on_colored": "sprites --n 70",
        "colored_on_grayscale": "sprites --n 9 --variant colored_on_grayscale",
        "binarized": "sprites --n 5 --variant binarized",
        "like": "clevr-like --n 4 --max-objects 5",
    }
    paths = {}
    for name, command in commands.items():
        path = folder / f"{name}.h5"
        assert main([*command.split(), "--workers", "1", "--out", str(path)]) == 0
        export(path)
        paths[name] = path
    return paths


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a-room", "MultiObjectDataset"),
        ("colored_on_colored", "Multidsprites"),
        ("colored_on_grayscale", "Multidsprites"),
        ("binarized", "Multidsprites"),
        ("like", "Clevr"),
    ],
)
def test_each_class_loads_a_file_of_the_default_name(files, name, kind):
    out = default_name(files[name], FORMAT)
    assert "-" not in out.name
    reader = Reader(out, kind)
    with SceneFile(files[name]) as file:
        backgrounds, side, downstream = CLASSES[kind]
        assert file.num_background == backgrounds
        np.testing.assert_array_equal(reader.raw("image"), file["image"][:])
        np.testing.assert_array_equal(reader.raw("mask")[..., 0], file["segmentation"][:])
        np.testing.assert_array_equal(
            reader.raw("num_actual_objects")[:, 0], file["num_visible"][:]
        )
        for row in range(file.n):
            sample = reader[row]
            assert sample["image"].shape == (3, side, side)
            widths = {"shape": 4, "size": 3, "material": 3}
            colors = 9 if kind == "Clevr" else 3
            expected = sum({**widths, "color": colors}.get(key, 1) for key in downstream)
            assert sample["y_true"].shape == (len(file.entities), expected)
            assert np.isfinite(sample["y_true"]).all()


@pytest.mark.parametrize("name", ["colored_on_colored", "colored_on_grayscale", "binarized"])
def test_sprites_factors_are_theirs(files, name):
    reader = Reader(default_name(files[name], FORMAT), "Multidsprites")
    with SceneFile(files[name]) as file:
        for key in ("x", "y", "scale", "orientation", "shape"):
            np.testing.assert_array_equal(reader.raw(key)[:, 1:, 0], file[f"factors/{key}"][:])
            assert not reader.raw(key)[:, 0].any()
        assert reader.raw("shape").dtype == np.uint8
        np.testing.assert_array_equal(reader.raw("color")[:, 1:], file["factors/color_rgb"][:])
        np.testing.assert_array_equal(reader.raw("color")[:, 0], file["background/color_rgb"][:])
        color = reader.raw("color").astype(float)
    about = reader.metadata["color"]
    np.testing.assert_allclose(about["mean"], color.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(about["var"], color.var(axis=(0, 1)), rtol=1e-5)
    assert reader.metadata["visibility"]["num_categories"] == 2


def test_clevr_s_factors_are_theirs_and_pixel_coordinates_lie_on_the_objects(files):
    reader = Reader(default_name(files["like"], FORMAT), "Clevr")
    with SceneFile(files["like"]) as file:
        for column, key in enumerate("xyz"):
            np.testing.assert_array_equal(
                reader.raw(key)[:, 1:, 0], file["factors/position"][..., column]
            )
        for key in CODES:
            np.testing.assert_array_equal(reader.raw(key)[:, 1:, 0], file[f"factors/{key}"][:])
        np.testing.assert_allclose(
            reader.raw("rotation")[:, 1:, 0], np.rad2deg(file["factors/rotation"][:]), rtol=1e-6
        )
        labels, present = file["segmentation"][:], file["factors/present"][:]
        distance = np.linalg.norm(
            file["camera/position"][:][:, None] - file["factors/position"][:], axis=-1
        )
    apart = []
    for scene, entity in zip(*np.nonzero(present), strict=True):
        x, y, z = (reader.raw(key)[scene, entity + 1] for key in ("x_2d", "y_2d", "z_2d"))
        assert 0 < z <= distance[scene, entity]
        rows, columns = np.nonzero(labels[scene] == entity + 1)
        if len(rows) and min(*rows, *columns) > 2 and max(*rows, *columns) < 125:
            seen = 64 + 1.5 * columns.mean(), 29 + 1.5 * rows.mean()
            apart.append(np.hypot(x - seen[0], y - seen[1]))
    assert len(apart) >= 8
    assert np.median(apart) < 4  # of 320 pixels: what hides an object moves its visible middle


def test_the_released_layout_keeps_its_factors(tmp_path, shared_data, capsys):
    origin, path = tmp_path / "c.tfrecords", tmp_path / "c.h5"
    records = list(read_records(shared_data / "tfrecords" / "clevr_with_masks.tfrecords"))[:3]
    with origin.open("wb") as stream:
        for record in records:
            write_record(stream, record)
    assert main(["import", str(origin), "--out", str(path)]) == 0
    export(path)
    reader = Reader(tmp_path / "c_ocl.hdf5", "Clevr")
    for row, record in enumerate(map(decode, records)):
        for key in ("x", "y", "z", "rotation", *CODES):
            np.testing.assert_array_equal(reader.raw(key)[row, :, 0], record[key])
        pixels = record["pixel_coords"].reshape(-1, 3)
        np.testing.assert_array_equal(reader.raw("x_2d")[row], pixels[:, 0])
        reader[row]
    crops = tmp_path / "crops.h5"
    assert main(["clevr", str(origin), "--out", str(crops), "--workers", "1"]) == 0
    capsys.readouterr()
    export(crops)
    said = capsys.readouterr()
    assert said.err == f"scenes: {crops}: pixel_coords are not known: NaN\n"
    cropped = Reader(tmp_path / "crops_ocl.hdf5", "Clevr")
    assert np.isfinite(cropped[0]["y_true"]).all()
    assert np.isnan(cropped.raw("x_2d")[0, 1])


def test_under_a_released_name_the_metadata_are_found_too(files, tmp_path):
    out = tmp_path / "clevr_10-full.hdf5"
    export(files["like"], "--out", str(out))
    assert (tmp_path / "clevr_10-metadata.npy").is_file()
    Reader(out, "Clevr")[0]


def test_the_name_under_which_labels_are_changed_is_refused(files, tmp_path, capsys):
    command = ["export", str(files["a-room"]), "--format", FORMAT, "--out"]
    assert main([*command, str(tmp_path / "objects_room.hdf5")]) == 2
    assert "choose another" in capsys.readouterr().err


def test_the_same_scenes_give_the_same_bytes(files, tmp_path):
    for path in files.values():
        theirs = default_name(path, FORMAT)
        out = tmp_path / theirs.name
        export(path, "--out", str(out))
        for name in (theirs.name, f"{theirs.stem}-metadata.npy"):
            ours, first = (
                hashlib.sha256((folder / name).read_bytes()).digest()
                for folder in (tmp_path, path.parent)
            )
            assert ours == first
