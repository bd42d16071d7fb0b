"""Every name of the entrance shows how it is used, and does what it shows."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import monet
import pytest


@pytest.fixture(autouse=True)
def beside_rooms(rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rooms.h5").symlink_to(rooms_file)


@pytest.mark.parametrize("name", sorted({*monet.__all__} - {"PRESETS"}))
def test_every_name_has_an_example_that_runs(
    name: str, run_examples: Callable[[str, str], int]
) -> None:
    assert run_examples(inspect.getdoc(getattr(monet, name)) or "", name) >= 2


def test_the_package_s_own_example_runs_and_fits_on_a_screen(
    run_examples: Callable[[str, str], int],
) -> None:
    assert run_examples(monet.__doc__ or "", "monet") >= 3
    assert len((monet.__doc__ or "").splitlines()) < 30
    assert set(monet.__all__) <= set(dir(monet))


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'monet' has no attribute 'rooms'"):
        _ = monet.rooms  # type: ignore[attr-defined]


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monet", "--preset", "slow"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("monet-train: no preset 'slow'; there are paper, ")
