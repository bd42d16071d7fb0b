"""Builds: the same content however often they are interrupted, and no half-written file."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from file_sizes import limiting_files
from monet.training.data import TrainingImages
from promises import Promise
from scenes import source_list as sources
from scenes.cli import main
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import dataset_keys, parts_folder
from scenes.lock import locked
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.multi_dsprites.source import MultiDSpritesSource
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.assemble import Origin, join
from scenes.parts.plan import Part, PartWriter, plan
from scenes.scene import UnreadableSceneError
from scenes.source_list import OpenSource
from scenes.verification import verify

SPRITES = MultiDSpritesConfig(split="test")
N = 1100  # two parts and a bit, the last chunk not full
SCENES = [sys.executable, "-m", "scenes.cli"]
LONG = 6_220  # long enough to be interrupted


def command_of(n: int) -> list[str]:
    """Returns the command that makes so many scenes; the file's name is still to come."""
    return [*SCENES, "sprites", "--split", "test", "--n", str(n), "--workers", "2", "--out"]


COMMAND = command_of(N)


def content(path: Path) -> dict[str, object]:
    """Returns all that a file holds: attributes, values, and the compressed bytes of each chunk."""
    held: dict[str, object] = {}
    with h5py.File(path) as file:
        held["/"] = {key: np.asarray(value).tolist() for key, value in file.attrs.items()}
        for key in [*dataset_keys(file), "checksums"]:
            dataset = file[key]
            attributes = {name: np.asarray(value).tolist() for name, value in dataset.attrs.items()}
            chunks = []
            if dataset.chunks is not None and dataset.size:
                count = dataset.id.get_num_chunks()
                offsets = [dataset.id.get_chunk_info(i).chunk_offset for i in range(count)]
                chunks = [dataset.id.read_direct_chunk(offset) for offset in offsets]
            held[key] = (
                str(dataset.dtype),
                dataset.shape,
                dataset[:].tobytes(),
                attributes,
                chunks,
            )
    return held


def start(*command: str | Path, **options: object) -> subprocess.Popen[str]:
    """Starts a command in a process group of its own."""
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


HUNG_S = 600.0
"""After this long a process hangs, however busy the machine is."""


def await_part(process: subprocess.Popen[str], folder: Path) -> None:
    """Waits until a build has finished a part."""
    while not list(folder.glob("*.h5")):
        assert process.poll() is None, "it ended before a part was finished"
        time.sleep(0.005)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file of `COMMAND`, made in one go by one process."""
    path = tmp_path_factory.mktemp("undisturbed") / "sprites.h5"
    build(SPRITES, n=N, seed=0, out=path, workers=1)
    return path


@pytest.fixture(scope="session")
def undisturbed_long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file of `command_of(LONG)`, made in one go by one process."""
    path = tmp_path_factory.mktemp("undisturbed") / "long.h5"
    build(SPRITES, n=LONG, seed=0, out=path, workers=1)
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Returns a folder on a disk of its own, for `resize`; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def kill_and_restart(command: list[str], out: Path, kills: int, longest: float, seed: int) -> None:
    """Kills a build so often at random moments, the group and the driver alone in turn."""
    rng = random.Random(seed)
    killed = 0
    while killed < kills:
        process = start(*command, out)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.2, longest))
        if process.poll() is not None:  # finished before its time: begin again
            _, errors = process.communicate()
            assert process.returncode == 0, errors
            out.unlink()
            continue
        workers = psutil.Process(process.pid).children(recursive=True)
        if killed % 2:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += 1
        _, alive = psutil.wait_procs(workers, timeout=HUNG_S)
        assert not alive, "workers outlive their driver"
        if out.exists():
            with SceneFile(out):  # what has the final name is whole
                pass
    process = start(*command, out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_a_build_killed_twice_gives_the_same_content(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "killed.h5"
    kill_and_restart(COMMAND, out, kills=2, longest=3.0, seed=0)
    assert content(out) == content(undisturbed)
    assert not parts_folder(out).exists()


@pytest.mark.slow
def test_rooms_killed_twenty_times_give_the_same_content(tmp_path: Path, promise: Promise) -> None:
    render = [*SCENES, "render", "--split", "test", "--size", "64", "--workers", "2"]
    command = [*render, "--n", "2600", "--depth", "--out"]
    whole, out = tmp_path / "whole.h5", tmp_path / "killed.h5"
    process = start(*command, whole)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    kills = 20
    kill_and_restart(command, out, kills=kills, longest=6.0, seed=1)
    assert content(out) == content(whole)
    assert not verify(out).problems
    promise(
        "A build that is killed goes on, and the file is as if it had not been",
        "SIGKILL at random moments, to the driver or to all of it",
        kills,
        "the same bytes in every field",
    )


def await_end(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Returns what a process writes to stderr, and the processor time of it and its children.

    Only of these: those of the whole test process would count what other tests have started.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    late = threading.Timer(HUNG_S, process.kill)
    late.start()
    with process.stdout, process.stderr:
        errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    late.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return errors, used.ru_utime + used.ru_stime


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow, id="SIGINT"),
        pytest.param(signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_a_signal_ends_a_build_in_two_seconds_and_says_how_to_go_on(
    tmp_path: Path, undisturbed_long: Path, number: signal.Signals
) -> None:
    out = tmp_path / "signalled.h5"
    process = start(*command_of(LONG), out)
    await_part(process, parts_folder(out))
    driver = psutil.Process(process.pid)
    workers = driver.children(recursive=True)
    # As of a worker that is killed while it writes, which happens now and then.
    (parts_folder(out) / f"{Part(6_144, LONG).name}.0.tmp").write_bytes(b"half")
    worked = sum(sum(p.cpu_times()[:2]) for p in (driver, *workers))
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: the workers get it too
    else:
        process.send_signal(number)
    errors, used = await_end(process)
    # Of processor time, which other work does not change.
    assert worked <= used < worked + 0.5
    assert process.returncode == 1
    line, *more = errors.splitlines()
    assert not more, errors
    # The first part may be there before its worker has told the driver of it.
    kept = rf"; [\d,]+ of {LONG:,} scenes are kept in .*"
    said = rf"scenes: interrupted({kept})?; run the same command again"
    assert re.match(said, line)
    _, alive = psutil.wait_procs(workers, timeout=HUNG_S)
    assert not alive
    assert not out.exists()
    assert not list(parts_folder(out).glob("*.tmp"))

    if number == signal.SIGTERM:
        return  # from here on it is the same
    again = start(*command_of(LONG), out)
    _, errors = again.communicate()
    assert again.returncode == 0
    assert re.match(rf"scenes: continues; [\d,]+ of {LONG:,} scenes are there", errors)
    assert content(out) == content(undisturbed_long)


def test_the_part_of_a_dead_worker_is_made_again_and_reported(
    tmp_path: Path, undisturbed_long: Path
) -> None:
    out = tmp_path / "widowed.h5"
    process = start(*command_of(LONG), out)  # so long that the killed one has a part to make
    await_part(process, parts_folder(out))
    workers = [
        child
        for child in psutil.Process(process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[0].kill()
    _, errors = process.communicate()
    assert process.returncode == 0
    assert re.search(r"a worker ended by signal 9; rows \d+ to \d+ are made again", errors)
    assert content(out) == content(undisturbed_long)


def test_workers_that_keep_dying_end_the_build(tmp_path: Path) -> None:
    out = tmp_path / "doomed.h5"
    process = start(*COMMAND, out)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
        time.sleep(0.02)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "6 workers died one after the other, the last by signal 9" in errors.splitlines()[-1]
    assert not out.exists()


def test_the_content_does_not_depend_on_the_number_of_workers(
    tmp_path: Path, undisturbed: Path
) -> None:
    out = tmp_path / "three.h5"
    build(SPRITES, n=N, seed=0, out=out, workers=3)
    assert content(out) == content(undisturbed)


def test_an_extended_file_is_as_one_made_in_one_go(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "extended.h5"
    for n in (5, 600, 600, N):
        build(SPRITES, n=n, seed=0, out=out, workers=1)
    assert content(out) == content(undisturbed)
    message = f"{out} has 1100 scenes already, more than 5; --overwrite replaces it"
    with pytest.raises(UsageError, match=re.escape(message)):
        build(SPRITES, n=5, seed=0, out=out, workers=1)
    build(SPRITES, n=5, seed=0, out=out, workers=1, overwrite=True)
    with SceneFile(out) as file:
        assert file.n == 5


def test_a_file_of_something_else_is_kept_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "kept.h5"
    build(SPRITES, n=20, seed=0, out=out, workers=1)
    before = out.read_bytes()
    message = f"{out} exists and is something else; --overwrite replaces it"
    for config, seed in ((SPRITES, 1), (MultiDSpritesConfig(), 0)):
        with pytest.raises(UsageError, match=re.escape(message)):
            build(config, n=30, seed=seed, out=out, workers=1)
    assert out.read_bytes() == before
    assert not parts_folder(out).exists()
    build(SPRITES, n=30, seed=1, out=out, workers=1, overwrite=True)
    with SceneFile(out) as file:
        assert (file.seed, file.n) == (1, 30)
    out.write_text("a letter")
    with pytest.raises(UsageError, match=re.escape(message)):
        build(SPRITES, n=30, seed=0, out=out, workers=1)
    assert out.read_text() == "a letter"


def test_parts_of_another_build_are_kept_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "parts.h5"
    process = start(*command_of(LONG), out)
    await_part(process, parts_folder(out))
    process.send_signal(signal.SIGTERM)
    process.communicate()
    kept = sorted(parts_folder(out).iterdir())
    message = f"{parts_folder(out)} holds parts of another build; --overwrite replaces them"
    with pytest.raises(UsageError, match=re.escape(message)):
        build(SPRITES, n=20, seed=1, out=out, workers=1)
    assert sorted(parts_folder(out).iterdir()) == kept
    build(SPRITES, n=20, seed=1, out=out, workers=1, overwrite=True)
    assert not verify(out).problems


def test_an_interrupted_extension_outlives_a_request_for_what_is_there(
    tmp_path: Path, undisturbed_long: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "extended.h5"
    build(SPRITES, n=20, seed=0, out=out, workers=1)
    process = start(*command_of(LONG), out)
    await_part(process, parts_folder(out))
    process.send_signal(signal.SIGTERM)
    process.communicate()
    kept = sorted(parts_folder(out).iterdir())
    build(SPRITES, n=20, seed=0, out=out, workers=1)
    said = f"scenes: {parts_folder(out)} holds parts of another build, which are kept\n"
    assert capsys.readouterr().err == said
    assert sorted(parts_folder(out).iterdir()) == kept
    build(SPRITES, n=LONG, seed=0, out=out, workers=2)
    assert content(out) == content(undisturbed_long)


def test_a_second_build_of_the_same_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "twice.h5"
    message = f"{out}.parts: another command is building there; wait for it"
    with (
        locked(parts_folder(out), "building"),
        pytest.raises(UsageError, match=re.escape(message)),
    ):
        build(SPRITES, n=20, seed=0, out=out, workers=1)
    build(SPRITES, n=20, seed=0, out=out, workers=1)


@pytest.mark.parametrize("size", ["300k", "800k"], ids=["at the parts", "at the last step"])
def test_a_full_disk_loses_nothing(
    small_disk: Path, undisturbed: Path, size: str, promise: Promise
) -> None:
    out = small_disk / "full.h5"
    remount(small_disk, f"size={size}")
    process = start(*COMMAND, out)
    _, errors = process.communicate()
    assert process.returncode == 1
    (line,) = errors.splitlines()
    said = "scenes: No space left on device: make room and run the same command again"
    assert line.startswith(said)
    assert not out.exists()
    assert not list(parts_folder(out).glob("*.tmp"))
    remount(small_disk, "size=9m")
    process = start(*COMMAND, out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert content(out) == content(undisturbed)
    promise(
        "A full disk loses nothing that was built",
        "a disk that fills at the parts, or at the last step",
        1,
        "one line, and the same command goes on once there is room",
    )


def test_a_limit_on_file_sizes_is_said_in_one_line(tmp_path: Path) -> None:
    out = tmp_path / "limited.h5"
    process = start(*COMMAND, out, **limiting_files(50_000))
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == "scenes: File too large: make room and run the same command again\n"
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    below = tmp_path / "file" / "a.h5"
    assert main(["sprites", "--n", "5", "--out", str(below)]) == 1
    assert capsys.readouterr().err == f"scenes: {below}.parts: not a directory\n"
    remount(small_disk, "ro")
    assert main(["sprites", "--n", "5", "--out", str(small_disk / "a.h5")]) == 1
    assert capsys.readouterr().err == f"scenes: {small_disk}/a.h5.parts: read-only file system\n"


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    out = tmp_path / "damaged.h5"
    part = plan(SPRITES.size, 0, 40)[0].path(parts_folder(out))
    part.parent.mkdir()
    part.write_bytes(b"not what a worker writes")
    message = f"{part}: damaged; delete it and run the same command again"
    with pytest.raises(CommandError, match=re.escape(message)):
        build(SPRITES, n=40, seed=0, out=out, workers=1)
    part.unlink()
    build(SPRITES, n=40, seed=0, out=out, workers=1)


def test_parts_of_two_renderers_are_never_mixed(tmp_path: Path) -> None:
    out = tmp_path / "mixed.h5"
    config = ObjectsRoomConfig(size=16)
    build(config, n=16, seed=0, out=out, workers=1)
    command = [*SCENES, "render", "--size", "16", "--n", "32", "--out", out]
    # Mesa's other software renderer says so in its strings.
    process = start(*command, env={**os.environ, "GALLIUM_DRIVER": "softpipe"})
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "softpipe" in errors
    assert "llvmpipe" in errors
    assert "delete that folder and begin again with --overwrite" in errors
    with SceneFile(out) as file:
        assert file.n == 16
    shutil.rmtree(parts_folder(out))
    process = start(*command, "--overwrite", env={**os.environ, "GALLIUM_DRIVER": "softpipe"})
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    with SceneFile(out) as file:
        assert file.n == 32
        assert "softpipe" in file.attributes["provenance"]


def test_asking_for_more_than_a_source_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finite(MultiDSpritesSource):
        limit = 7

    monkeypatch.setattr(sources, "open_source", Finite)
    with pytest.raises(UsageError, match=re.escape("--n 8 is more than there is: 7")):
        build(SPRITES, n=8, seed=0, out=tmp_path / "finite.h5", workers=1)
    assert not list(tmp_path.iterdir())
    build(SPRITES, n=7, seed=0, out=tmp_path / "finite.h5", workers=1)


def test_a_scene_that_cannot_be_read_ends_the_build_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn(MultiDSpritesSource):
        def __getitem__(self, index: int):
            if index == 600:
                raise UnreadableSceneError("leaf 600: torn out")
            return super().__getitem__(index)

    monkeypatch.setattr(sources, "open_source", Torn)
    out = tmp_path / "torn.h5"
    message = (
        "leaf 600: torn out; run the command again to leave it out; 512 of 700 scenes are kept in "
        f"{parts_folder(out)}"
    )
    with pytest.raises(CommandError, match=re.escape(message)):
        build(SPRITES, n=700, seed=0, out=out, workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "--n must be at least 1, got 0"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
        ({"engine": "ray", "workers": 2}, "--workers is for this machine; a Ray cluster uses all"),
        ({"address": "auto"}, "--address goes with --engine ray"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        build(SPRITES, seed=0, **{"n": 5, "out": tmp_path / "a.h5", **options})


def test_parts_are_whole_chunks_without_gaps() -> None:
    for size, n in ((16, 1), (64, 1608), (256, 1000), (512, 50)):
        parts = plan(size, 0, n)
        assert parts[0].start == 0
        assert parts[-1].stop == n
        for before, after in pairwise(parts):
            assert before.stop == after.start
            assert before.rows % 16 == 0
            assert before.rows == parts[0].rows


def test_a_part_made_twice_is_the_same(tmp_path: Path) -> None:
    writer = PartWriter(OpenSource(SPRITES, 0), tmp_path)
    part = Part(32, 64)
    writer.write(part)
    first = part.path(tmp_path).read_bytes()
    writer.write(part)
    assert part.path(tmp_path).read_bytes() == first
    assert not list(tmp_path.glob("*.tmp"))


def test_a_part_is_a_whole_file_under_a_seal_of_its_own(tmp_path: Path) -> None:
    part = Part(0, 32)
    PartWriter(OpenSource(SPRITES, 0), tmp_path).write(part)
    report = verify(part.path(tmp_path))
    assert not report.problems
    assert report.rows == 32
    assert len(report.remade) == 4


def test_chunks_of_numbers_are_joined_whether_they_fit_or_not(tmp_path: Path) -> None:
    writer = PartWriter(OpenSource(SPRITES, 0), tmp_path)
    # Numbers lie in chunks of 512 rows: the second part's and the fourth's fit, the third's not.
    parts = [Part(0, 512), Part(512, 528), Part(528, 1024), Part(1024, 1040)]
    for part in parts:
        writer.write(part)
    joined = tmp_path / "joined.h5"
    join([Origin(part.path(tmp_path), part.rows) for part in parts], joined, lambda rows: None)
    with SceneFile(joined) as file, ExitStack() as opened:
        made = [opened.enter_context(SceneFile(part.path(tmp_path))) for part in parts]
        for key in file.keys():  # noqa: SIM118
            rows = np.concatenate([each[key][:] for each in made])
            np.testing.assert_array_equal(file[key][:], rows, err_msg=key)
    assert not verify(joined, remade=0).problems


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the index of parts of the same scenes as `undisturbed`."""
    path = tmp_path_factory.mktemp("indexed") / "sprites.h5"
    build(SPRITES, n=600, seed=0, out=path, workers=1, layout="parts")
    build(SPRITES, n=N, seed=0, out=path, workers=1, layout="parts")
    return path


def test_an_index_of_parts_gives_what_one_file_gives(indexed: Path, undisturbed: Path) -> None:
    with SceneFile(indexed) as parts, SceneFile(undisturbed) as whole, h5py.File(indexed) as plain:
        assert parts.is_index
        assert parts.attributes == whole.attributes, "the digest among them"
        assert parts.keys() == whole.keys()
        for key in whole.keys():  # noqa: SIM118
            np.testing.assert_array_equal(parts[key][:], whole[key][:])
            np.testing.assert_array_equal(plain[key][:], whole[key][:])
        for step in (0, 7):
            images = [
                TrainingImages(file, 32, 64, seed=3).batch(step).images for file in (parts, whole)
            ]
            assert images[0].equal(images[1])
    assert not verify(indexed).problems


def test_an_index_moves_with_its_parts_and_misses_them(tmp_path: Path, indexed: Path) -> None:
    moved = tmp_path / "elsewhere" / indexed.name
    moved.parent.mkdir()
    for path in (indexed, *parts_folder(indexed).iterdir()):
        target = tmp_path / "elsewhere" / path.relative_to(indexed.parent)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert not verify(moved).problems
    missing = Part(512, 1024).path(parts_folder(moved))
    missing.unlink()
    message = f"{moved}: {parts_folder(moved)}: 1 of 3 parts are missing, the first {missing.name}"
    with pytest.raises(FileError, match=re.escape(message)):
        SceneFile(moved)


def test_an_index_becomes_one_file_but_not_the_other_way(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "sprites.h5"
    build(SPRITES, n=N, seed=0, out=out, workers=1, layout="parts")
    build(SPRITES, n=N, seed=0, out=out, workers=1)
    assert content(out) == content(undisturbed)
    assert not parts_folder(out).exists()
    message = f"{out} is one file; --overwrite makes parts anew in its place"
    with pytest.raises(UsageError, match=re.escape(message)):
        build(SPRITES, n=N, seed=0, out=out, workers=1, layout="parts")


def test_an_overwritten_index_leaves_no_part_of_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "sprites.h5"
    build(SPRITES, n=600, seed=0, out=out, workers=1, layout="parts")
    other = replace(SPRITES, split="train")
    build(other, n=40, seed=0, out=out, workers=1, layout="parts", overwrite=True)
    assert [path.name for path in parts_folder(out).glob("*.h5")] == [Part(0, 40).name]
    assert not verify(out).problems
