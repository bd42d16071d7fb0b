"""Locks: they keep other commands out, and a disk without them stops nothing."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scenes.file.errors import NO_LOCKS, refusal_of_system
from scenes.file.reader import SceneFile

BUILD_TWICE = """
import errno, fcntl, os, sys
from scenes.cli import main

def refuse(*_):
    raise OSError(int(sys.argv[1]), os.strerror(int(sys.argv[1])))

fcntl.flock = refuse
for out in sys.argv[2:]:
    assert main(["sprites", "--n", "20", "--workers", "1", "--out", out]) == 0
"""


@pytest.mark.parametrize("number", NO_LOCKS, ids=errno.errorcode.get)
def test_a_disk_without_locks_is_said_once_and_stops_nothing(tmp_path: Path, number: int) -> None:
    outs = [tmp_path / "a.h5", tmp_path / "b.h5"]
    done = subprocess.run(
        [sys.executable, "-c", BUILD_TWICE, str(number), *outs],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith("scenes: ")]
    assert f"{outs[0]}.parts: its disk has no locks" in warning
    for out in outs:
        with SceneFile(out) as file:
            assert len(file) == 20


NO_FLOCK = "int flock(int file, int how) { __errno_location()[0] = %d; return -1; }\n"


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def no_locks(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Returns a library under which no file can be locked."""
    source, library = tmp_path / "flock.c", tmp_path / "flock.so"
    source.write_text("extern int *__errno_location(void);\n" + NO_FLOCK % request.param)
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no C compiler for a library without locks")
    return library


def test_a_whole_build_goes_on_without_locks_and_a_reader_is_told_the_way_out(
    tmp_path: Path, no_locks: Path
) -> None:
    out = tmp_path / "a.h5"
    command = [sys.executable, "-m", "scenes.cli"]
    build = [*command, "sprites", "--n", "20", "--workers", "1", "--out", out]
    made = subprocess.run(
        build, env={"LD_PRELOAD": str(no_locks)}, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    verify = [*command, "verify", out]
    refused = subprocess.run(
        verify, env={"LD_PRELOAD": str(no_locks)}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert re.fullmatch(
        rf"scenes: {re.escape(str(out))}: .*set HDF5_USE_FILE_LOCKING=FALSE to do without\n",
        refused.stderr,
    )
    without = {"LD_PRELOAD": str(no_locks), "HDF5_USE_FILE_LOCKING": "FALSE"}
    assert subprocess.run(verify, env=without, check=False).returncode == 0


def test_the_line_about_a_file_that_is_being_written_is_another(tmp_path: Path) -> None:
    said = str(refusal_of_system(errno.EAGAIN, tmp_path / "a.h5"))
    assert "Another program is writing it" in said
    assert "LOCKING" not in said
