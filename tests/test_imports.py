"""What each package may import: scenes, then monet, then evaluation, and only what is needed."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LATER = {"scenes": {"monet", "evaluation"}, "monet": {"evaluation"}}
FOLDERS = {"scenes": "packages/scenes", "monet": "packages/monet", "evaluation": "packages/eval"}


def imported_names(source: str) -> set[str]:
    """Returns the top-level names that a module imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", LATER)
def test_no_package_imports_one_that_comes_after_it(package: str) -> None:
    files = sorted((ROOT / FOLDERS[package]).glob("src/**/*.py"))
    assert len(files) > 5
    for path in files:
        assert not imported_names(path.read_text()) & LATER[package], path


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (
            "import scenes.cli, scenes.file.reader, scenes.pictures.sheet",
            ("mujoco", "cv2", "torch"),
        ),
        ("import monet, monet.cli", ("mujoco", "cv2")),
        (
            "import evaluation.cli, evaluation.scores.scoring, evaluation.predictions.contract",
            ("mujoco", "torch"),
        ),
    ],
)
def test_importing_loads_only_what_is_needed(code: str, unwanted: tuple[str, ...]) -> None:
    """Without the suite's own hooks, hence in a process of its own."""
    check = f"{code}\nimport sys\nprint(*[name for name in {unwanted!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("package", FOLDERS)
def test_no_package_imports_or_asks_for_dm_control(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    for path in folder.glob("src/**/*.py"):
        assert "dm_control" not in imported_names(path.read_text()), path
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    asked = [*project["dependencies"], *(name for extra in extras for name in extra)]
    assert not [name for name in asked if name.startswith(("dm-control", "dm_control"))]


@pytest.mark.parametrize("config", ["ObjectsRoomConfig", "ClevrLikeConfig"])
def test_rendering_loads_no_dm_control(config: str) -> None:
    """Without what other tests import, hence in a process of its own."""
    code = f"""
import sys
from scenes.config import {config}
from scenes.source_list import open_source
open_source({config}(), 0)[0]
print(*[name for name in ("mujoco", "dm_control", "labmaze") if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "mujoco"


IMPORTED_AS = {"pillow": "PIL", "scikit-image": "skimage", "scikit-learn": "sklearn"}


@pytest.mark.parametrize("package", ["evaluation"])
def test_a_package_asks_for_what_it_imports_and_nothing_else(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=\[ ]", line)[0] for line in project["dependencies"]}
    asked = {IMPORTED_AS.get(name, name) for name in names}
    imported = set[str]().union(
        *(imported_names(path.read_text()) for path in folder.glob("src/**/*.py"))
    )
    assert imported - {package} - set(sys.stdlib_module_names) == asked
