"""The committed lock serves behind every package index."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', lock, re.MULTILINE))


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_a_clone_names_no_index_and_keeps_every_pin_through_its_first_sync(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=tmp_path)
    committed = (clone / "uv.lock").read_text()
    assert "://" not in committed
    run("uv", "sync", "--quiet", "--no-dev", "--package", "scenes", cwd=clone)
    filled = (clone / "uv.lock").read_text()
    assert "://" in filled
    assert pins(filled) == pins(committed)
    run("uv", "sync", "--quiet", "--locked", "--no-dev", "--package", "scenes", cwd=clone)
    run("git", "config", "filter.index-neutral.clean", "tools/lock --strip", cwd=clone)
    run("git", "add", "uv.lock", cwd=clone)
    assert run("git", "status", "--porcelain", cwd=clone) == ""
    installed = {path.name for path in clone.glob(".venv/lib/*/site-packages/*")}
    assert "mujoco" in installed
    assert "torch" not in installed


def test_stripping_a_lock_twice_is_stripping_it_once() -> None:
    committed = run("git", "show", "HEAD:uv.lock", cwd=ROOT)
    stripped = subprocess.run(
        [ROOT / "tools" / "lock", "--strip"],
        input=committed,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert stripped == committed


def test_check_accepts_the_committed_lock() -> None:
    assert run(str(ROOT / "tools" / "lock"), "--check", cwd=ROOT) == "uv.lock: no address, agrees\n"
