"""Shards are whole or not there, whatever ends the command, and the same command goes on."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import h5py
import pytest
from file_sizes import limited_files
from scenes.cli import main
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats.export import default_name, export
from scenes.formats.shards.encoding import Encoder
from scenes.formats.shards.manifest import read_manifests
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.writing import WORK
from scenes.lock import locked
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig

FORMS = ("parquet", "webdataset")
SIXTEEN = ShardOptions(per_shard=16)


def command(path: Path, form: str, out: Path, *options: str) -> list[str]:
    name = ["--format", form, "--out", str(out)]
    return ["export", str(path), *name, "--per-shard", "16", *options]


def forked(work: Callable[[], int]) -> tuple[int, str]:
    """Returns the exit code of some work in a process of its own, and what it said on stderr."""
    with tempfile.TemporaryFile("w+") as said:

        def child() -> None:
            os.dup2(said.fileno(), 2)
            sys.stderr = os.fdopen(2, "w", closefd=False)
            code = work()
            sys.stderr.flush()
            os._exit(code)

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        said.seek(0)
        return process.exitcode or 0, said.read()


def run(moment: int, arguments: list[str]) -> int:
    """Runs a command that is killed before (odd) or after (even) one of its renames."""

    def work() -> int:
        count, replace = 0, Path.replace

        def replace_or_die(path: Path, target: Path) -> Path:
            nonlocal count
            count += 2
            if count - 1 == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            done = replace(path, target)
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        Path.replace = replace_or_die
        return main(arguments)

    code, _ = forked(work)
    return code


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def shards(out: Path) -> list[Path]:
    return sorted([*out.glob("train-*.tar"), *out.glob("data/train-*.parquet")])


@pytest.mark.parametrize("form", FORMS)
def test_a_finished_export_is_known_and_another_is_not_replaced(sprites, tmp_path, capsys, form):
    other = tmp_path / "other.h5"
    build(MultiDSpritesConfig(), n=17, seed=1, out=other, workers=1)
    out = tmp_path / "shards"
    assert main(command(sprites, form, out)) == 0
    assert capsys.readouterr().out == f"{out}: 40 scenes\n"
    before = contents(out)
    assert len(shards(out)) == 3
    assert main(command(sprites, form, out)) == 0
    assert capsys.readouterr().out == f"{out}: 40 scenes, already there\n"
    assert main(command(other, form, out)) == 2
    said = f"scenes: {shards(out)[0]} exists; --overwrite replaces it\n"
    assert capsys.readouterr().err == said
    assert contents(out) == before
    assert main(command(other, form, out, "--overwrite")) == 0
    assert len(shards(out)) == 2  # none is left of the three
    assert read_manifests(out)["train"].origin.n == 17
    assert main(command(other, form, tmp_path / "again")) == 0
    assert contents(out) == contents(tmp_path / "again")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_an_export_that_was_killed_goes_on_and_keeps_whole_shards(
    sprites, tmp_path, capsys, form, promise
):
    straight = tmp_path / "straight"
    assert main(command(sprites, form, straight)) == 0
    # The manifest, three times a shard and the manifest again, and the card.
    renames = 1 + 3 * 2 + 1
    for moment in range(1, 2 * renames + 1):
        out = tmp_path / str(moment)
        assert run(moment, command(sprites, form, out)) == -signal.SIGKILL
        told = read_manifests(out) if moment > 1 else {}
        whole = {out / shard.name for each in told.values() for shard in each.shards}
        times = {path: path.stat().st_mtime_ns for path in whole}
        assert len(whole) == min(3, max(0, (moment - 2) // 4))
        assert main(command(sprites, form, out)) == 0
        assert contents(out) == contents(straight)
        assert {path: path.stat().st_mtime_ns for path in whole} == times
        shutil.rmtree(out)
    assert run(2 * renames + 1, command(sprites, form, out)) == 0
    promise(
        "An export of shards that is killed goes on, and keeps the whole ones",
        "SIGKILL before and after each file is named, in each format",
        2 * renames,
        "the same bytes as without; no finished shard is written again",
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_export_that_is_killed_midway_leaves_no_half_of_a_shard(sprites, tmp_path, form):
    out = tmp_path / "shards"

    def work() -> int:
        write = Encoder.blocks

        def then_die(self: Encoder, numbers: range) -> Iterator[tuple[int, Any]]:
            for count, block in write(self, numbers):
                yield count, block
                if numbers.start == 16:
                    os.kill(os.getpid(), signal.SIGKILL)

        Encoder.blocks = then_die
        return main(command(sprites, form, out))

    code, _ = forked(work)
    assert code == -signal.SIGKILL
    seen = [path.name for path in (out / WORK).iterdir()]
    assert len([name for name in seen if name.endswith(".tmp")]) == 1
    assert len(shards(out)) == 1
    assert main(command(sprites, form, out)) == 0
    assert export(sprites, out, form, shards=SIXTEEN).was_there
    assert not (out / WORK).exists()


def test_a_shard_that_is_gone_or_cut_is_made_again(sprites, tmp_path):
    out = tmp_path / "shards"
    export(sprites, out, "webdataset", shards=SIXTEEN)
    before = contents(out)
    shards(out)[1].unlink()
    assert not export(sprites, out, "webdataset", shards=SIXTEEN).was_there
    assert contents(out) == before
    os.truncate(shards(out)[0], 100)
    export(sprites, out, "webdataset", shards=SIXTEEN)
    assert contents(out) == before


def test_splits_lie_in_one_folder_and_load_together(
    sprites, test_sprites, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "sprites"
    assert main(command(sprites, "parquet", out)) == 0
    assert main(command(test_sprites, "parquet", out)) == 2
    said = f"scenes: {out}: train has no amodal; --leave-out amodal\n"
    assert capsys.readouterr().err == said
    assert main(command(test_sprites, "parquet", out, "--leave-out", "amodal")) == 0
    validation = command(sprites, "parquet", out, "--split", "validation")
    assert main(validation) == 0
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    whole = datasets.load_dataset(str(out))
    rows = {split: each.num_rows for split, each in whole.items()}
    assert rows == {"test": 20, "train": 40, "validation": 40}
    # Replacing one split leaves the others.
    before = contents(out)
    one = tmp_path / "one.h5"
    build(MultiDSpritesConfig(), n=4, seed=5, out=one, workers=1)
    assert main(command(one, "parquet", out, "--split", "validation", "--overwrite")) == 0
    after = contents(out)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert "README.md" in changed
    assert {name for name in changed if "validation" not in name} == {"README.md"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            MultiDSpritesConfig(variant="binarized"),
            "train is of multi_dsprites with 5 entities, more of multi_dsprites with 4",
        ),
        (ObjectsRoomConfig(size=32), "train is of multi_dsprites with 5 entities, more of objects"),
    ],
)
def test_what_cannot_be_loaded_together_is_refused(sprites, tmp_path, capsys, config, said):
    out, other = tmp_path / "shards", tmp_path / "other.h5"
    export(sprites, out, "parquet")
    build(config, n=1, seed=0, out=other, workers=1)
    before = contents(out)
    assert main(command(other, "parquet", out, "--split", "more", "--overwrite")) == 2
    assert said in capsys.readouterr().err
    assert main(command(sprites, "webdataset", out, "--split", "more")) == 2
    line = f"scenes: {out}: has parquet shards; another --out takes these\n"
    assert capsys.readouterr().err == line
    assert contents(out) == before


def test_rooms_of_no_objects_leave_out_what_has_no_values(tmp_path, capsys):
    path, out = tmp_path / "empty.h5", tmp_path / "shards"
    build(ObjectsRoomConfig(split="empty_room", size=32), n=2, seed=0, out=path, workers=1)
    out.mkdir()
    for form in FORMS:
        assert main(command(path, form, out / form)) == 0
        said = capsys.readouterr().err
        assert f"{path}: amodal, factors/color_hsv, " in said
        assert "without a value, left out" in said
    assert [path.name for path in (out / "parquet" / "data").iterdir()] == [
        "empty_room-00000-of-00001.parquet"
    ]
    rows = datasets.load_dataset(str(out / "parquet"), split="empty_room")
    assert "num_objects" in rows.column_names


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_changed_are_refused_by_their_numbers(sprites, tmp_path, capsys, form):
    changed, out = Path(shutil.copy(sprites, tmp_path / "a.h5")), tmp_path / "shards"
    with h5py.File(changed, "r+") as file:
        file["factors/x"][20, 0] += 1
    assert main(command(changed, form, out)) == 2
    said = f"scenes: {changed}: rows 16 to 31 are not as written\n"
    assert capsys.readouterr().err == said
    (shard,) = shards(out)  # of the rows before them
    assert "00000" in shard.name
    assert not (out / "README.md").exists()
    assert not (out / WORK).exists()


def test_a_changed_card_is_kept(sprites, test_sprites, tmp_path, capsys):
    out = tmp_path / "shards"
    assert main(command(sprites, "webdataset", out)) == 0
    card = out / "README.md"
    card.write_text(mine := card.read_text().replace("# Multi-dSprites", "# Mine"))
    assert main(command(sprites, "webdataset", out)) == 0
    assert card.read_text() == mine
    capsys.readouterr()
    more = command(test_sprites, "webdataset", out, "--leave-out", "amodal")
    assert main(more) == 2
    said = "not as this command wrote it, and would be written anew; --overwrite does so"
    assert capsys.readouterr().err == f"scenes: {card}: {said}\n"
    assert card.read_text() == mine
    assert main([*more, "--overwrite"]) == 0
    assert "| test | 20 |" in card.read_text()
    card.unlink()
    assert main(command(sprites, "webdataset", out)) == 0
    assert "| test | 20 |" in card.read_text()


@pytest.mark.parametrize("form", FORMS)
def test_what_can_be_refused_is_refused_before_the_work(sprites, tmp_path, capsys, form):
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my own\n")
    before = contents(tmp_path)
    card = tmp_path / "mine" / "README.md"
    for options, said in [
        (["--out", "nowhere/a"], "nowhere: no such folder"),
        (["--out", "file"], "file: a file, not a folder"),
        (["--out", "/dev/full"], "/dev/full: a file, not a folder"),
        (
            ["--out", "mine"],
            f"{card.relative_to(tmp_path)}: not as this command wrote it, and "
            "would be written anew; --overwrite does so",
        ),
        (["--split", "../a"], "--split must be letters, digits and _, got '../a'"),
        (["--split", "a-b"], "--split must be letters, digits and _, got 'a-b'"),
        (["--per-shard", "40"], "--per-shard must be a multiple of 16, got 40"),
        (["--per-shard", "0"], "--per-shard must be from 16 to 16777216, got 0"),
        (["--workers", "0"], "--workers must be from 1 to 1024, got 0"),
        (["--leave-out", "image"], f"--leave-out image: {sprites} has background/color_rgb, "),
        (["--leave-out", "depth"], f"--leave-out depth: {sprites} has background/color_rgb, "),
    ]:
        out = [] if "--out" in options else ["--out", "shards"]
        assert in_folder(tmp_path, ["export", str(sprites), "--format", form, *out, *options]) == 2
        assert capsys.readouterr().err.startswith(f"scenes: {said}")
    assert contents(tmp_path) == before


def in_folder(folder: Path, arguments: list[str]) -> int:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return main(arguments)
    finally:
        os.chdir(before)


def test_another_command_in_the_folder_is_waited_for_by_name(sprites, tmp_path, capsys):
    out = tmp_path / "shards"
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(out / WORK, "exporting"):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert main(command(sprites, "webdataset", out)) == 2
    finally:
        done.set()
        thread.join()
    said = f"scenes: {out / WORK}: another command is exporting there; wait for it\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("size", [4000, 6000])
@pytest.mark.parametrize("form", FORMS)
def test_a_shard_that_may_not_grow_is_one_line(sprites, tmp_path, form, size):
    out = tmp_path / "shards"

    def work() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with limited_files(size):
            return main(command(sprites, form, out))

    first = "data/train-00000-of-00003.parquet" if form == "parquet" else "train-000000.tar"
    assert forked(work) == (1, f"scenes: {out / first}: file too large\n")
    assert shards(out) == []
    assert not (out / WORK).exists()
    assert main(command(sprites, form, out)) == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_one_line_and_keeps_whole_shards(sprites, tmp_path, form):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={64 if form == 'parquet' else 96}k",
        "tmpfs",
        disk,
    ]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this process may not mount a small disk")
    try:
        out = disk / "shards"
        code, said = forked(lambda: main(command(sprites, form, out)))
        assert code == 1, said
        assert len(said.splitlines()) == 1, said
        assert "no space left on device" in said
        assert {out / shard.name for shard in read_manifests(out)["train"].shards} == set(
            shards(out)
        )
        assert not (out / WORK).exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_index_of_parts_is_exported_like_a_file(sprites, tmp_path):
    parts = tmp_path / "sprites.h5"
    build(MultiDSpritesConfig(), n=40, seed=0, out=parts, workers=1, layout="parts")
    export(parts, tmp_path / "parts", "webdataset")
    export(sprites, tmp_path / "file", "webdataset")
    assert read_manifests(tmp_path / "parts")["train"].shards == (
        read_manifests(tmp_path / "file")["train"].shards
    )
    assert SceneFile(parts).is_index


def test_the_folder_lies_beside_the_file_by_default(sprites):
    assert default_name(sprites, "parquet") == sprites.with_name("sprites_parquet")
    assert default_name(sprites, "webdataset") == sprites.with_name("sprites_webdataset")
