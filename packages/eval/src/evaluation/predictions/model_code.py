"""Models that are named as `module:factory` or `FILE.py:factory`, such as `--model` names them."""

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
    """Returns the model that a function or class makes, without arguments.

    Args:
        name: `module:factory`, where the current folder counts, or `FILE.py:factory`.

    Raises:
        UsageError: there is no such module, file or factory, or what it makes is no model.
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
        sys.modules[name] = module  # where dataclasses of the file look for it
        run_user_code(lambda: loader.exec_module(module), f"--model {place}:")
        return module
    _count_for_imports(Path())
    try:
        is_there = importlib.util.find_spec(place) is not None
    except (ImportError, ValueError):  # a package on the way to it is none
        is_there = False
    if not is_there:
        raise UsageError(f"--model {place}: no such module, neither installed nor in this folder")
    return run_user_code(lambda: importlib.import_module(place), f"--model {place}:")


def _count_for_imports(folder: Path) -> None:
    """Lets modules of a folder be imported, now and when the model first runs."""
    entry = str(folder.resolve())
    if entry not in sys.path:
        sys.path.insert(0, entry)
