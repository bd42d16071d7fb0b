"""Files that are whole or not there at all, and what killed commands leave of them."""

import subprocess
import sys
from pathlib import Path

from scenes.atomic import whole_or_not, write_whole

WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from scenes.atomic import whole_or_not
with whole_or_not(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_is_cleared_by_the_next_that_writes_there(
    tmp_path: Path,
) -> None:
    target, other = tmp_path / "a.png", tmp_path / "b.png"
    for path in (target, other):
        died = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, path], check=False)
        assert died.returncode == -9
    assert len(names(tmp_path)) == 2
    write_whole(target, b"whole")
    assert target.read_bytes() == b"whole"
    (left,) = set(names(tmp_path)) - {"a.png"}
    assert left.startswith("b.png.")


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with whole_or_not(target) as temporary:
        temporary.write_bytes(b"first")
        write_whole(target, b"second")
        assert temporary.read_bytes() == b"first"
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["a.png"]
