"""`scenes verify FOLDER` finds what changed in shards, and compares scenes with their file."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from scenes.cli import main
from scenes.driver import build
from scenes.formats.export import export
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.verification import verify_shards
from scenes.multi_dsprites.config import MultiDSpritesConfig

FORMS = ("parquet", "webdataset")


@pytest.fixture(params=FORMS)
def out(request, sprites: Path, tmp_path: Path) -> Path:
    """Returns a folder of three shards."""
    export(sprites, tmp_path / "shards", request.param, shards=ShardOptions(per_shard=16))
    return tmp_path / "shards"


def first(out: Path) -> Path:
    return next(path for path in sorted(out.rglob("train-*")))


def test_a_sound_folder_is_said_to_be_so(out, sprites, test_sprites, capsys):
    assert main(["verify", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 40 of train: all shards are there, and as written",
        "compared none with the file that they are of: --source FILE does",
    ]
    assert main(["verify", str(out), "--source", str(sprites)]) == 0
    said = "compared 0, 13, 26, 39 with their file: the same in every byte"
    assert capsys.readouterr().out.splitlines()[1] == said
    assert main(["verify", str(out), "--source", str(test_sprites)]) == 2
    said = f"scenes: {test_sprites}: not what a split of {out} was exported from\n"
    assert capsys.readouterr().err == said


def test_every_scene_of_rooms_is_that_of_the_file(rooms, tmp_path):
    for form in FORMS:
        export(rooms, tmp_path / form, form, shards=ShardOptions(per_shard=16))
        report = verify_shards(tmp_path / form, compared=99, source=rooms)
        assert report.problems == ()
        assert report.compared == tuple(range(20))


def flip(path: Path) -> str:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "not as it was written"


def cut(path: Path) -> str:
    size = path.stat().st_size
    os.truncate(path, size - 1)
    return f"{size - 1:,} bytes, not {size:,}"


def remove(path: Path) -> str:
    path.unlink()
    return "no such file or directory"


def pipe(path: Path) -> str:
    path.unlink()
    os.mkfifo(path)
    return "a pipe, not a file"


@pytest.mark.parametrize("damage", [flip, cut, remove, pipe])
def test_what_changed_is_named(out, capsys, damage: Callable[[Path], str]):
    path = first(out)
    said = damage(path)
    assert main(["verify", str(out)]) == 1
    assert capsys.readouterr().err == f"scenes: {path}: {said}\n"


def test_what_is_not_finished_or_too_much_is_named(out, capsys):
    more = first(out).with_name(first(out).name.replace("0000", "7777"))
    more.touch()
    assert main(["verify", str(out)]) == 1
    assert capsys.readouterr().err == f"scenes: {more}: no shard of this export\n"
    more.unlink()
    manifest = out / "manifests" / "train.json"
    whole = json.loads(manifest.read_text())
    whole["shards"].pop()
    manifest.write_text(json.dumps(whole))
    assert main(["verify", str(out)]) == 1
    said = f"scenes: {out}: train: 2 of 3 shards; the command that exports it goes on\n"
    assert capsys.readouterr().err == said
    manifest.unlink()
    assert main(["verify", str(out)]) == 1
    assert capsys.readouterr().err == f"scenes: {out / 'manifests'}: holds no manifest\n"


def test_a_manifest_of_other_scenes_is_found_by_comparing(out, sprites, tmp_path, capsys):
    """What a program that writes shards wrongly would leave: right checksums of wrong scenes."""
    other = tmp_path / "other"
    form = "parquet" if (out / "data").exists() else "webdataset"
    options = ShardOptions(per_shard=16)
    build(MultiDSpritesConfig(), n=40, seed=9, out=tmp_path / "other.h5", workers=1)
    export(tmp_path / "other.h5", other, form, shards=options)
    ours, theirs = (folder / "manifests" / "train.json" for folder in (out, other))
    seals = [
        next(line for line in p.read_text().splitlines() if "sha256" in line)
        for p in (ours, theirs)
    ]
    theirs.write_text(theirs.read_text().replace(seals[1], seals[0], 1))
    assert main(["verify", str(other), "--source", str(sprites), "--n", "1"]) == 1
    said = capsys.readouterr().err
    assert f"image: scene 0 is not that of {sprites}: " in said


def test_a_folder_without_manifests_is_none_of_ours(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"scenes: {tmp_path}: is a directory\n"
