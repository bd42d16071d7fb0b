"""A benchmark's file, made once."""

from pathlib import Path

import pytest
from scenes.benchmarks.making import build_benchmark


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file of 320 Multi-dSprites; tests copy it before they change it."""
    path = tmp_path_factory.mktemp("benchmark") / "multi_dsprites.h5"
    build_benchmark("multi_dsprites", out=path, workers=1)
    return path
