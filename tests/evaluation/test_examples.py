"""The examples that docstrings show are run, in a folder with the files that they name."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import evaluation
import h5py
import pytest
from evaluation.predictions.models import Model
from monet.model import Monet
from scenes.driver import build
from scenes.objects_room.config import ObjectsRoomConfig

DOCUMENTED = (
    "Model",
    "Predictions",
    "SegmentationScores",
    "explore",
    "generalise",
    "represent",
    "score",
    "write_conditions",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with twelve rooms, and predictions that are their truth."""
    folder = tmp_path_factory.mktemp("examples")
    rooms = folder / "rooms.h5"
    build(ObjectsRoomConfig(size=32), seed=0, n=12, out=rooms, workers=1)
    with h5py.File(rooms) as file, h5py.File(folder / "predictions.h5", "w") as predictions:
        predictions["segmentation"] = file["segmentation"][:]
    return folder


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_has_an_example_that_runs(
    name: str, place: Path, model: Monet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    thing = getattr(evaluation, name)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(thing, name, module=False, globs={"model": model})
    assert example.examples, f"{name} shows no example"
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_public_name_is_there_and_described() -> None:
    assert set(evaluation.__all__) == {*DOCUMENTED, "METRICS"} <= set(dir(evaluation))
    for name in evaluation.__all__:
        home = importlib.import_module(evaluation._HOMES[name])
        assert getattr(evaluation, name) is getattr(home, name)
    assert evaluation.METRICS[0] == "ari"
    with pytest.raises(AttributeError, match="no attribute 'scores_of_all'"):
        evaluation.scores_of_all  # noqa: B018
    assert evaluation.__doc__ is not None
    assert evaluation.__doc__.count("\n") < 24, "it fits on a screen"


def test_a_monet_is_a_model_and_a_number_is_none(model: Monet) -> None:
    assert isinstance(model, Model)
    assert not isinstance(3, Model)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, evaluation\n"
        "print(*{'torch', 'mujoco', 'matplotlib', 'sklearn', 'numpy'} & set(sys.modules))\n"
        "evaluation.METRICS, evaluation.Model, evaluation.score, evaluation.generalise\n"
        "print(*{'torch', 'mujoco', 'matplotlib', 'sklearn'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evaluation", "score"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("eval: ")
