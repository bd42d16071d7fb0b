"""A manifest says which shards are whole; what it cannot say is refused with its path."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from scenes.file.errors import FileError
from scenes.formats.export import export
from scenes.formats.shards.manifest import Manifest, read_manifests, shards_in
from scenes.formats.shards.options import ShardOptions


@pytest.fixture
def out(sprites: Path, tmp_path: Path) -> Path:
    """Returns a folder of three shards."""
    export(sprites, tmp_path / "shards", "parquet", shards=ShardOptions(per_shard=16))
    return tmp_path / "shards"


def test_it_comes_back_as_it_was_written(out):
    manifest = read_manifests(out)["train"]
    manifest.write(out)
    assert read_manifests(out) == {"train": manifest}
    assert manifest.complete
    assert [shard.rows for shard in manifest.shards] == [16, 16, 8]
    assert manifest.rows(2) == range(32, 40)
    assert manifest.glob == "data/train-*-of-00003.parquet"
    assert dataclasses.replace(manifest, format="webdataset", shards=()).glob == "train-*.tar"


def test_the_versions_of_what_wrote_it_make_no_other_work_of_it(out):
    manifest = read_manifests(out)["train"]
    other = dataclasses.replace(manifest, made_with={"pyarrow": "1"})
    assert manifest.made_with.keys() == {"pyarrow", "opencv-python"}
    assert manifest == other


def test_shards_are_told_from_those_of_a_split_with_a_longer_name(out):
    (out / "data" / "train_2-00000-of-00001.parquet").touch()
    (out / "data" / "train-00000-of-00009.parquet").touch()
    found = list(shards_in(out, "parquet", "train"))
    assert len(found) == 4
    assert "data/train-00000-of-00009.parquet" in found


def without(key: str):
    return lambda whole: whole.pop(key)


def setting(key: str, value: object):
    return lambda whole: whole.update({key: value})


def in_shard(key: str, value: object):
    return lambda whole: whole["shards"][0].update({key: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("format"), "format"),
        (setting("more", 1), "more"),
        (setting("version", 2), "version 2; this package reads 1"),
        (setting("split", "../../a"), "--split must be letters, digits and _"),
        (setting("split", "test"), "no such shard"),
        (lambda whole: whole.update(split="test", shards=[]), "it is of the split test"),
        (setting("format", "pickle"), "format"),
        (setting("per_shard", 0), "per_shard must be from 1"),
        (setting("per_shard", float("nan")), "a whole number"),
        (in_shard("name", "../../../etc/passwd"), "no such shard"),
        (in_shard("name", "/dev/zero"), "no such shard"),
        (in_shard("rows", 15), "no such shard"),
        (setting("shards", [{}]), "shards"),
    ],
)
def test_what_it_cannot_be_is_refused_with_its_path(out, change, said):
    path = out / "manifests" / "train.json"
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))
    with pytest.raises(FileError) as error:
        read_manifests(out)
    assert str(error.value).startswith(f"{path}: no manifest of this version: ")
    assert said in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 5000, b"\xff\xfe", b"null"])
def test_what_is_no_json_is_refused_with_its_path(out, content):
    path = out / "manifests" / "train.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=str(path)):
        read_manifests(out)


def test_a_pipe_in_its_place_is_refused_not_waited_for(out):
    path = out / "manifests" / "train.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileError, match="a pipe, not a file"):
        read_manifests(out)


def test_more_shards_than_hold_all_scenes_are_refused(out):
    manifest = read_manifests(out)["train"]
    with pytest.raises(ValueError, match="4 shards; 3 hold all scenes"):
        Manifest(**{**vars(manifest), "shards": (*manifest.shards, manifest.shards[0])})


def test_it_tells_no_place_on_this_machine(out, sprites):
    assert str(sprites.parent) not in (out / "manifests" / "train.json").read_text()
