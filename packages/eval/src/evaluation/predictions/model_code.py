"""Loads models that `--model` names as `module:factory` or `FILE.py:factory`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from scenes.command_line import UsageError

from evaluation.predictions.models import Model, ScoredModel, any_model, run_user_code


def load_model(name: str) -> ScoredModel:
    """Returns the model that a function or class makes when it is called without arguments.

    Args:
        name: `module:factory`, of an installed module or one in the current folder, or
            `FILE.py:factory`.

    Raises:
        UsageError: there is no such module, file or factory, or it makes something else.
        CommandError: the module or the factory raised an error.
    """
    place, _, factory = name.rpartition(":")
    if not place or not factory.isidentifier():
        raise UsageError(f"--model must be module:factory or FILE.py:factory, got {name!r}")
    module = _import(place)
    if not hasattr(module, factory):
        raise UsageError(f"--model {name}: {place} has no {factory}")
    model = getattr(module, factory)
    if isinstance(model, type) or not isinstance(model, Model):
        if not callable(model):
            raise UsageError(f"--model {name}: {factory} is neither a function nor a model")
        model = run_user_code(model, f"--model {name}: {factory}()")
    return any_model(model, name, factory)


def _import(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"--model {place}: no such file")
        _count_for_imports(path.parent)
        name = f"model_file_{path.stem}"
        loader = SourceFileLoader(name, str(path))
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module  # dataclasses of the file look for it there
        run_user_code(lambda: loader.exec_module(module), f"--model {place}:")
        return module
    _count_for_imports(Path())
    try:
        is_there = importlib.util.find_spec(place) is not None
    except (ImportError, ValueError):  # a parent of the module is no package
        is_there = False
    if not is_there:
        raise UsageError(f"--model {place}: no such module, neither installed nor in this folder")
    return run_user_code(lambda: importlib.import_module(place), f"--model {place}:")


def _count_for_imports(folder: Path) -> None:
    """Lets modules of a folder be imported from now on, as the model may do when it first runs."""
    entry = str(folder.resolve())
    if entry not in sys.path:
        sys.path.insert(0, entry)
