"""The three packages as wheels, in an environment and a folder that know nothing of this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("scenes", "monet", "evaluation")
USE = """
import evaluation, monet, scenes
print(*(package.__file__ for package in (scenes, monet, evaluation)), sep="\\n")
scenes.build(scenes.ObjectsRoomConfig(), n=8, seed=0, out="rooms.h5", workers=1)
model = monet.load("objects_room_64")
print(evaluation.score("rooms.h5", model, n=8, baselines=False).metrics["ari_fg"].mean)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv builds the wheels")
def test_wheels_work_in_an_empty_environment_elsewhere(tmp_path: Path) -> None:
    # Otherwise uv takes this project's environment, and Python its packages.
    ours = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH")
    outside = {name: value for name, value in os.environ.items() if name not in ours}

    def run(*command: str | Path, **settings: str) -> str:
        ended = subprocess.run(
            command, cwd=tmp_path, env={**outside, **settings}, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    wheels, environment = tmp_path / "wheels", tmp_path / "environment"
    run("uv", "build", "--quiet", "--project", ROOT, "--all-packages", "--wheel", "-o", wheels)
    built = sorted(wheels.glob("*.whl"))
    assert sorted(wheel.name.partition("-")[0] for wheel in built) == sorted(PACKAGES)

    run("uv", "venv", "--quiet", "--python", sys.executable, environment)
    run("uv", "pip", "install", "--quiet", *built, VIRTUAL_ENV=str(environment))
    programs = environment / "bin"
    *files, ari_fg = run(programs / "python", "-c", USE).splitlines()
    for package, file in zip(PACKAGES, files, strict=True):
        # PyPI has strangers' packages of two of these names.
        assert Path(file).is_relative_to(environment), package
    assert 0.4 < float(ari_fg) <= 1

    # Templates, MJCF and weights come along.
    run(programs / "scenes", "clevr-like", "--n", "2", "--workers", "1", "--out", "clevr.h5")
    run(programs / "scenes", "show", "rooms.h5", "--n", "4", "--out", "rooms.html", "--html")
    report = ["report", "--checkpoint", "objects_room_64", "--data", "rooms.h5", "--n", "8"]
    run(programs / "eval", *report, "--out", "report")
    for page in ("rooms.html", "report/report.html"):
        assert "</html>" in (tmp_path / page).read_text()
