"""No package loads a pickle, by whatever name: an imported file would run its author's code."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent.parent / "packages"
MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}
"""Whose `load` and `loads` run what they read."""


def loads_in(tree: ast.AST) -> Iterator[str]:
    """Yields what loads a pickle in a module: its line, and how."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
            yield from (f"{node.lineno}: import {name}" for name in names if name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            loads = node.module == "joblib" and any(each.name == "load" for each in node.names)
            if loads or (node.module or "").split(".")[0] in MODULES:
                yield f"{node.lineno}: from {node.module}"
        elif isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    words = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called.endswith((".load", ".loads", "read_array")) and words.get("allow_pickle") == "True":
        yield f"{node.lineno}: {called}(allow_pickle=True)"
    if called == "torch.load" and words.get("weights_only") != "True":
        yield f"{node.lineno}: torch.load without weights_only=True"
    if called.endswith("read_pickle") or called == "joblib.load":
        yield f"{node.lineno}: {called}"


def test_the_packages_load_none() -> None:
    paths = sorted(PACKAGES.rglob("*.py"))
    assert len(paths) > 100
    found = {str(path): list(loads_in(ast.parse(path.read_text()))) for path in paths}
    assert {path: loads for path, loads in found.items() if loads} == {}


def test_what_loads_one_is_found() -> None:
    code = """
import pickle, numpy as np
from joblib import load
import torch
np.load("a", allow_pickle=True)
np.save("a", 0, allow_pickle=True)
torch.load("a")
torch.load("a", weights_only=True)
pandas.read_pickle("a")
"""
    assert list(loads_in(ast.parse(code))) == [
        "2: import pickle",
        "3: from joblib",
        "5: np.load(allow_pickle=True)",
        "7: torch.load without weights_only=True",
        "9: pandas.read_pickle",
    ]
