"""Every name of the entrance shows how it is used, and does what it shows."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import scenes


@pytest.mark.parametrize("name", scenes.__all__)
def test_every_name_has_an_example_that_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_examples: Callable[[str, str], int],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_examples(inspect.getdoc(getattr(scenes, name)) or "", name) >= 2


def test_the_package_s_own_example_runs_and_fits_on_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_examples: Callable[[str, str], int]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_examples(scenes.__doc__ or "", "scenes") >= 3
    assert len((scenes.__doc__ or "").splitlines()) < 30
    assert set(scenes.__all__) <= set(dir(scenes))


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'scenes' has no attribute 'rooms'"):
        _ = scenes.rooms  # type: ignore[attr-defined]


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scenes", "verify", "nowhere.h5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "scenes: nowhere.h5: no such file\n")
