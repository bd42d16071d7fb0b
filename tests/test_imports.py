"""What each package may import: scenes, then monet, then evaluation, and only what is needed."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
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
        ("import scenes", ("h5py", "numpy", "mujoco", "cv2", "torch")),
        (
            "import scenes.cli, scenes.pictures.sheet\nfrom scenes import SceneFile",
            ("mujoco", "cv2", "torch"),
        ),
        ("import monet, monet.cli", ("mujoco", "cv2", "torch")),
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


def loaded_with(path: Path) -> list[ast.stmt]:
    """Returns the statements that run when a module is loaded, not those for types alone."""
    pending = list(ast.parse(path.read_text()).body)
    statements = []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            statements.append(node)
            pending += [
                child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)
            ]
    return statements


def import_graph(package: str) -> dict[str, set[str]]:
    """Returns which modules of a package each of them loads as it is loaded itself."""
    source = ROOT / FOLDERS[package] / "src"
    paths = {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in source.glob("**/*.py")
    }
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        names: set[str] = set()
        for node in loaded_with(path):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        graph[module] = {name for name in names if name in paths} - {module}
    return graph


def a_circle(graph: dict[str, set[str]]) -> list[str]:
    """Returns modules of which each loads the next and the last the first, or no modules."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        for name in sorted(graph[module]):
            if circle := walk(name, [*path, module]):
                return circle
        done.add(module)
        return []

    return next((circle for module in sorted(graph) if (circle := walk(module, []))), [])


def test_a_circle_is_found() -> None:
    assert a_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert a_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("package", FOLDERS)
def test_no_modules_load_each_other_in_a_circle(package: str) -> None:
    graph = import_graph(package)
    assert sum(map(len, graph.values())) > 20
    assert a_circle(graph) == []


def test_the_choice_of_opengl_loads_nothing_that_draws() -> None:
    graph = import_graph("scenes")
    below: set[str] = set()
    pending = ["scenes.render.gl"]
    while pending:
        module = pending.pop()
        below.add(module)
        pending += graph[module] - below
    assert below == {"scenes.render.gl", "scenes.command_line", "scenes.notices"}


def asked_for(folder: Path) -> set[str]:
    """Returns the names of the distributions that a package's pyproject asks for."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    asked = [*project["dependencies"], *(name for extra in extras for name in extra)]
    return {re.split(r"[^\w.-]", name)[0].lower() for name in asked}


IMPLIED = {"monet": {"tensorboard"}}
"""Distributions that others import for a package: torch.utils.tensorboard does this one."""


@pytest.mark.parametrize("package", FOLDERS)
def test_a_package_asks_for_what_it_imports_and_nothing_else(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    names = {
        name for path in folder.glob("src/**/*.py") for name in imported_names(path.read_text())
    }
    providers = {name: [name] for name in FOLDERS} | packages_distributions()
    imported = {
        name: {provider.lower().replace("_", "-") for provider in providers[name]}
        for name in names - set(sys.stdlib_module_names) - {package}
    }
    asked = asked_for(folder)
    assert [name for name, providers in imported.items() if not providers & asked] == []
    used = set().union(*imported.values()) | IMPLIED.get(package, set())
    assert asked - used == set()


@pytest.mark.parametrize("package", FOLDERS)
def test_no_package_imports_or_asks_for_dm_control(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    for path in folder.glob("src/**/*.py"):
        assert "dm_control" not in imported_names(path.read_text()), path
    assert not asked_for(folder) & {"dm-control", "dm_control"}


@pytest.mark.parametrize("config", ["ObjectsRoomConfig", "ClevrLikeConfig"])
def test_rendering_loads_no_dm_control(config: str) -> None:
    """Without what other tests import, hence in a process of its own."""
    code = f"""
import sys
from scenes import {config}, open_source
open_source({config}(), 0)[0]
print(*[name for name in ("mujoco", "dm_control", "labmaze") if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "mujoco"
