"""Parquet shards are what `datasets` reads: every pixel and every number, in their own types."""

import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.formats.export import export
from scenes.formats.shards.manifest import Manifest, read_manifests
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.parquet_shards import ParquetShards
from scenes.scene import Field


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keeps `datasets` from any network, and its cache in the test's own folder."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def assert_same(rows: datasets.Dataset, path: Path) -> None:
    """Compares every field of every scene with the file."""
    with SceneFile(path) as file:
        whole = file[:]
    assert rows.num_rows == len(whole["image"])
    assert set(rows.column_names) == set(whole)
    for key, values in whole.items():
        column = rows.select_columns(key).with_format("numpy")[:][key]
        np.testing.assert_array_equal(np.stack(column), values, err_msg=key)


def expected(key: str, values: np.ndarray) -> object:
    """Returns the feature of a field, by its dtype and the shape of a row."""
    kind, shape = str(values.dtype), values.shape[1:]
    if key in ("image", "segmentation"):
        return datasets.Image()
    if not shape:
        return datasets.Value(kind)
    if len(shape) == 1:
        return datasets.List(datasets.Value(kind), length=shape[0])
    return {2: datasets.Array2D, 3: datasets.Array3D}[len(shape)](shape=shape, dtype=kind)


@pytest.mark.parametrize("name", ["sprites", "rooms"])
@pytest.mark.parametrize("way", ["folder", "files", "stream"])
def test_datasets_reads_every_pixel_and_factor(request, tmp_path, name, way):
    path: Path = request.getfixturevalue(name)
    out = tmp_path / "shards"
    export(path, out, "parquet", shards=ShardOptions(per_shard=16))
    pattern = str(out / "data" / "*.parquet")
    if way == "folder":
        rows = datasets.load_dataset(str(out), split="train")
    elif way == "files":
        rows = datasets.load_dataset("parquet", data_files=pattern, split="train")
    else:
        streamed = datasets.load_dataset(str(out), split="train", streaming=True)
        rows = datasets.Dataset.from_list(list(streamed), features=streamed.features)
    assert_same(rows, path)
    with SceneFile(path) as file:
        features = {key: expected(key, file[key]) for key in file.keys()}  # noqa: SIM118
    assert dict(rows.features) == features


def test_pictures_are_pngs_of_their_own_modes(sprites, tmp_path):
    export(sprites, tmp_path / "a", "parquet")
    row = datasets.load_dataset(str(tmp_path / "a"), split="train")[0]
    assert (row["image"].mode, row["image"].format) == ("RGB", "PNG")
    assert (row["segmentation"].mode, row["segmentation"].format) == ("L", "PNG")


def test_others_read_plain_types(sprites, tmp_path):
    """In a process that knows nothing of `datasets`."""
    export(sprites, tmp_path / "a", "parquet")
    code = """
import sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
assert "datasets" not in sys.modules
print(table.schema.field("factors/color_rgb").type, table.schema.field("image").type, sep="; ")
print(table.schema.field("factors/shape").type, table.num_rows)"""
    (path,) = (tmp_path / "a" / "data").iterdir()
    said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert said.stdout.splitlines() == [
        "list<element: list<element: float>>; struct<bytes: binary, path: string>",
        "fixed_size_list<element: uint8>[4] 40",
    ], said.stderr


def test_a_column_says_what_it_means_and_what_it_is_of(rooms, tmp_path):
    export(rooms, tmp_path / "a", "parquet")
    (path,) = (tmp_path / "a" / "data").iterdir()
    schema = pq.read_schema(path)
    about = schema.field("factors/shape").metadata
    assert about[b"categories"].startswith(b'["box", "sphere"')
    assert schema.field("camera/yaw").metadata[b"unit"] == b"rad"
    seal = SceneFile(rooms).attributes["sha256"]
    assert seal.encode() in schema.metadata[b"scenes"]
    # A row group is a block of rows: a reader of one scene unpacks a few MB.
    assert pq.ParquetFile(path).num_row_groups == 1


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_the_bytes_do_not_depend_on_the_number_of_threads(sprites, tmp_path, form):
    for workers in (1, 3):
        options = ShardOptions(per_shard=16, workers=workers)
        export(sprites, tmp_path / str(workers), form, shards=options)
    one, three = (read_manifests(tmp_path / name)["train"].shards for name in ("1", "3"))
    assert one == three
    assert len(one) == 3


def manifest_with(sprites: Path, folder: Path, fields: dict[str, Field]) -> Manifest:
    """Returns the manifest of an export, with other fields."""
    export(sprites, folder, "parquet")
    manifest = read_manifests(folder)["train"]
    return Manifest(
        manifest.version, "parquet", "train", manifest.origin, fields, manifest.per_shard
    )


def test_numbers_that_are_not_finite_stay_as_they_are(sprites, tmp_path):
    values = np.array([[np.nan, np.inf], [-np.inf, 1]], np.float32)
    form = ParquetShards(
        manifest_with(sprites, tmp_path / "a", {"x": Field((2,), "float32", "any")})
    )
    path = tmp_path / "a.parquet"
    with path.open("wb") as stream, form.writing(stream) as write:
        write(form.encode({"x": values}, 0))
    np.testing.assert_array_equal(form.read(path, 1)["x"], values[1])
    assert pq.read_table(path)["x"].null_count == 0
    with pytest.raises(ValueError, match="it has no row 2"):
        form.read(path, 2)


def test_more_axes_than_datasets_has_arrays_for_are_refused(sprites, tmp_path):
    manifest = manifest_with(sprites, tmp_path / "a", {"x": Field((1,) * 6, "uint8", "any")})
    with pytest.raises(ValueError, match="x: 6 axes; `datasets` has arrays of 5"):
        ParquetShards(manifest)


def test_without_pyarrow_the_extra_is_named(sprites, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ["export", str(sprites), "--format", "parquet", "--out", str(tmp_path / "a")]
    assert main(arguments) == 1
    said = "scenes: --format parquet needs pyarrow: install scenes[parquet]\n"
    assert capsys.readouterr().err == said
    assert not list(tmp_path.iterdir())


def test_a_damaged_shard_is_a_value_error_with_its_name(sprites, tmp_path):
    export(sprites, tmp_path / "a", "parquet")
    form = ParquetShards(read_manifests(tmp_path / "a")["train"])
    (path,) = (tmp_path / "a" / "data").iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=str(path)):
        form.read(path, 0)
    table = pa.table({"image": [1]})
    pq.write_table(table, path)
    with pytest.raises(ValueError, match=str(path)):
        form.read(path, 0)
