"""Exports are whole or not there, whatever ends the command; the same command knows its own."""

import inspect
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from file_sizes import limiting_files
from scenes.cli import main
from scenes.command_line import UsageError
from scenes.driver import build
from scenes.formats.export import default_name, export
from scenes.multi_dsprites.config import MultiDSpritesConfig

FORMS = ("tfrecord", "object-centric-library")
RUN = """
import os, signal, sys
moment, count = int(sys.argv[1]), 0
whole = os.replace
def replace(*paths, **options):
    global count
    count += 1
    if count == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(*paths, **options)
    count += 1
    if count == moment:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
from scenes.cli import main
sys.exit(main(sys.argv[2:]))
"""
"""A command that is killed before (odd) or after (even) one of its renames; 0 for never."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files of sprites with other scenes."""
    folder = tmp_path_factory.mktemp("export")
    paths = [folder / "one.h5", folder / "two.h5"]
    for seed, path in enumerate(paths):
        build(MultiDSpritesConfig(), n=150, seed=seed, out=path, workers=1)
    return paths


def command(path: Path, form: str, out: Path, *options: str) -> list[str]:
    return ["export", str(path), "--format", form, "--out", str(out), *options]


def run(moment: int, arguments: list[str], **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, str(moment), *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def is_there(path: Path, form: str, out: Path) -> bool:
    """Whether the export of exactly this file is finished."""
    try:
        return export(path, out, form).was_there
    except UsageError:
        return False


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_a_finished_export_is_known_and_another_is_not_replaced(files, tmp_path, capsys, form):
    one, two = files
    out = default_name(tmp_path / "sprites.h5", form)
    assert main(command(one, form, out)) == 0
    assert capsys.readouterr().out == f"{out}: 150 scenes\n"
    before = contents(tmp_path)
    assert main(command(one, form, out)) == 0
    assert capsys.readouterr().out == f"{out}: 150 scenes, already there\n"
    assert main(command(two, form, out)) == 2
    assert capsys.readouterr().err == f"scenes: {out} exists; --overwrite replaces it\n"
    assert contents(tmp_path) == before
    assert main(command(two, form, out, "--overwrite")) == 0
    assert contents(tmp_path) != before
    assert is_there(two, form, out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "moment"), [(FORMS[0], 1), (FORMS[0], 2), *((FORMS[1], each) for each in range(1, 5))]
)
def test_an_export_that_was_killed_leaves_nothing_and_goes_on(
    files, tmp_path, capsys, form, moment, promise
):
    one, _ = files
    out = default_name(tmp_path / "sprites.h5", form)
    last = 2 if form == "tfrecord" else 4
    died = run(moment, command(one, form, out))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert out.exists() == (moment == last)
    assert main(command(one, form, out)) == 0
    there = ", already there" if moment == last else ""
    assert capsys.readouterr().out == f"{out}: 150 scenes{there}\n"
    assert len(list(tmp_path.iterdir())) == last / 2
    promise(
        "An export that is killed leaves nothing half-written, and goes on",
        "SIGKILL before and after each file is named",
        1,
        "the same command ends well, nothing of the first one is left",
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_export_that_is_killed_midway_leaves_nothing(files, tmp_path, form):
    one, _ = files
    out = default_name(tmp_path / "sprites.h5", form)
    process = subprocess.Popen([sys.executable, "-c", RUN, "0", *command(one, form, out)])
    while not list(tmp_path.glob("*.tmp")):
        assert process.poll() is None
    process.kill()
    process.wait()
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".tmp")
    assert main(command(one, form, out)) == 0
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_two_files_of_an_export_are_never_of_two_exports(files, tmp_path, moment):
    one, two = files
    form = "object-centric-library"
    out = tmp_path / "sprites_ocl.hdf5"
    assert main(command(one, form, out)) == 0
    died = run(moment, command(two, form, out, "--overwrite"))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert out.exists() == (moment == 4)
    if out.exists():
        assert is_there(two, form, out)
    assert main(command(two, form, out, "--overwrite")) == 0
    assert is_there(two, form, out)
    assert not list(tmp_path.glob("*.tmp"))


def test_metadata_of_another_file_are_not_replaced(files, tmp_path, capsys):
    one, two = files
    form = "object-centric-library"
    assert main(command(one, form, tmp_path / "a-train.hdf5")) == 0
    before = contents(tmp_path)
    assert main(command(two, form, tmp_path / "a-test.hdf5")) == 2
    said = f"scenes: {tmp_path / 'a-metadata.npy'} exists; --overwrite replaces it\n"
    assert capsys.readouterr().err == said
    assert contents(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_changed_are_not_exported(files, tmp_path, capsys, form):
    changed = tmp_path / "changed.h5"
    shutil.copy(files[0], changed)
    with h5py.File(changed, "r+") as file:
        file["image"][20, 0, 0] ^= 1
    out = default_name(changed, form)
    assert main(command(changed, form, out)) == 2
    said = f"scenes: {changed}: rows 16 to 31 are not as written\n"
    assert capsys.readouterr().err == said
    assert contents(tmp_path).keys() == {changed.name}


@pytest.mark.parametrize("form", FORMS)
def test_what_can_be_refused_is_refused_before_the_work(files, tmp_path, capsys, form):
    one, _ = files
    for out, said in [
        (tmp_path / "nowhere" / "a.x", f"{tmp_path / 'nowhere'}: no such folder"),
        (tmp_path, f"{tmp_path}: a folder, not a file"),
        (Path("/dev/full"), "/dev/full: a device, not a file"),
        (one, f"{one}: an export cannot replace the file that it is made of"),
    ]:
        before = one.read_bytes()
        assert main(command(one, form, out, "--overwrite")) == 2
        assert capsys.readouterr().err == f"scenes: {said}\n"
        assert one.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_names_those_there_are(files, tmp_path, capsys):
    assert main(command(files[0], "pickle", tmp_path / "a")) == 2
    said = capsys.readouterr().err
    assert all(form in said for form in (*FORMS, "parquet", "webdataset"))
    unchecked = inspect.unwrap(export)  # the tests' own check of types comes before it
    words = "--format pickle: there are tfrecord, object-centric-library, parquet, webdataset"
    with pytest.raises(UsageError, match=words):
        unchecked(files[0], tmp_path / "a", "pickle")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_one_file_has_no_splits(files, tmp_path, capsys, form):
    assert main(command(files[0], form, tmp_path / "a", "--split", "test")) == 2
    said = f"scenes: --format {form} has no splits or shards; parquet and webdataset have\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("size", [0, 20_000])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_may_not_grow_is_one_line(files, tmp_path, form, size):
    out = default_name(tmp_path / "sprites.h5", form)
    done = run(0, command(files[0], form, out), **limiting_files(size))
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"scenes: {out}: file too large\n"
    assert not list(tmp_path.iterdir())
    assert main(command(files[0], form, out)) == 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this process may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_one_line(files, small_disk, form, promise):
    out = default_name(small_disk / "sprites.h5", form)
    done = run(0, command(files[0], form, out))
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"scenes: {out}: no space left on device\n"
    assert not list(small_disk.iterdir())
    promise(
        "A full disk leaves no half of an export",
        "a disk of 64 KB, in each format",
        1,
        "one line, and nothing on the disk",
    )


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.05, 0.9])
def test_an_import_that_may_not_grow_is_one_line_and_goes_on(files, tmp_path, share):
    records, out = tmp_path / "sprites.tfrecords", tmp_path / "again.h5"
    assert main(command(files[0], "tfrecord", records)) == 0
    arguments = ["import", str(records), "--out", str(out)]
    assert main(arguments) == 0
    size = out.stat().st_size
    out.unlink()
    done = run(0, arguments, **limiting_files(int(share * size)))
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "ile too large" in done.stderr
    assert not out.exists()
    assert main(arguments) == 0
    assert out.stat().st_size == size
