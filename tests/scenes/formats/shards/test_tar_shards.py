"""Tar shards are what `webdataset` iterates; the same scenes give the same bytes."""

import json
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pytest
import webdataset
from scenes.file.reader import SceneFile
from scenes.formats.export import export
from scenes.formats.shards.manifest import Manifest, read_manifests
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.tar_shards import TarShards
from scenes.scene import Field

# Both libraries leave the last shard's file to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("name", ["sprites", "rooms"])
def test_webdataset_iterates_every_pixel_and_factor(request, tmp_path, name):
    path: Path = request.getfixturevalue(name)
    with SceneFile(path) as file:
        whole = file[:]
    n = len(whole["image"])
    export(path, tmp_path / "a", "webdataset", shards=ShardOptions(per_shard=16))
    shards = f"{tmp_path}/a/train-{{000000..{-(-n // 16) - 1:06d}}}.tar"
    scenes = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert [scene["__key__"] for scene in scenes] == [f"{number:09d}" for number in range(n)]
    for key, values in whole.items():
        if key in ("image", "segmentation"):
            read = np.stack([scene[f"{key}.png"] for scene in scenes])
            read = read if key == "image" else read[..., 0]
        elif key in ("depth", "amodal"):
            read = np.stack([scene[f"{key}.npy"] for scene in scenes])
            assert read.dtype == values.dtype
        else:
            read = np.array([scene["json"][key] for scene in scenes], values.dtype)
        np.testing.assert_array_equal(read, values, err_msg=key)


def test_datasets_reads_them_too(sprites, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    export(sprites, tmp_path / "a", "webdataset")
    row = datasets.load_dataset(str(tmp_path / "a"), split="train")[3]
    with SceneFile(sprites) as file:
        np.testing.assert_array_equal(np.asarray(row["image.png"]), file["image"][3])
        assert row["json"]["factors/shape"] == file["factors/shape"][3].tolist()


def test_headers_say_nothing_of_who_wrote_them_or_when(sprites, tmp_path):
    for name in ("a", "b"):
        export(sprites, tmp_path / name, "webdataset")
    one, other = (tmp_path / name / "train-000000.tar" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as tar:
        members = tar.getmembers()
    names = ["000000000.image.png", "000000000.segmentation.png", "000000000.json"]
    assert [member.name for member in members[:3]] == names
    about = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members}
    assert about == {(0, 0, 0, "", "", 0o644, tarfile.REGTYPE)}


@pytest.fixture
def form(sprites, tmp_path) -> TarShards:
    """Returns the form of scenes that have one number each."""
    export(sprites, tmp_path / "a", "webdataset")
    manifest = read_manifests(tmp_path / "a")["train"]
    fields = {
        "image": Field((2, 2, 3), "uint8", "RGB"),
        "factors/x": Field((2,), "float32", "any"),
        "n": Field((), "uint8", "any"),
    }
    return TarShards(Manifest(1, "webdataset", "train", manifest.origin, fields, 16))


def rows_with(values: list[float]) -> dict[str, np.ndarray]:
    return {
        "image": np.zeros((1, 2, 2, 3), np.uint8),
        "factors/x": np.array([values], np.float32),
        "n": np.array([7], np.uint8),
    }


def test_nan_is_null_in_json(form, tmp_path):
    rows = rows_with([np.nan, 0.1])
    path = tmp_path / "a.tar"
    with path.open("wb") as stream, form.writing(stream) as write:
        write(form.encode(rows, 0))
    with tarfile.open(path) as tar:
        text = tar.extractfile("000000000.json").read().decode()
    strict = json.loads(text, parse_constant=pytest.fail)
    assert strict == {"factors/x": [None, float(np.float32(0.1))], "n": 7}
    read = form.read(path, 0)
    for key, values in rows.items():
        np.testing.assert_array_equal(read[key], values[0])
        assert read[key].dtype == values.dtype
    with pytest.raises(ValueError, match=str(path)):
        form.read(path, 1)


def test_an_infinite_number_is_refused_with_its_row(form):
    with pytest.raises(ValueError, match="factors/x: row 5: an infinite number"):
        form.encode(rows_with([np.inf, np.nan]), 5)


@pytest.mark.parametrize("damage", ["cut", "text", "json", "pickle"])
def test_a_damaged_shard_is_a_value_error_with_its_name(form, tmp_path, damage):
    path = tmp_path / "a.tar"
    with path.open("wb") as stream, form.writing(stream) as write:
        write(form.encode(rows_with([0, 1]), 0))
    content = path.read_bytes()
    if damage == "cut":
        content = content[:300]
    elif damage == "text":
        content = b"no tar"
    else:
        word = b'{"factors/x"'
        content = content.replace(word, (b"[" if damage == "json" else b"\x80") * len(word))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        form.read(path, 0)
