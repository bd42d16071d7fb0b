"""What all tests share: shapes enforced at run time, and real scenes rendered once."""

import os
from pathlib import Path

import pytest
import torch._dynamo  # noqa: F401  (before software OpenGL: see ObjectsRoomConfig.isolated)
from jaxtyping import install_import_hook

# Before mujoco is imported anywhere: software rendering, one thread, so that scenes are the same
# bytes on every machine that runs the tests.
os.environ.setdefault("MUJOCO_GL", "osmesa")
os.environ.setdefault("LP_NUM_THREADS", "0")
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # where there is a GPU too, on which sums have other digits

install_import_hook(["scenes", "monet", "evaluation"], "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Returns the folder of published samples beside the repository, where it is there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the samples of other projects' files are not beside this repository")
    return folder


@pytest.fixture(scope="session")
def rooms_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 384 Objects Room training scenes of 32 x 32, rendered once.

    320 of them are held out by training, which leaves 64.
    """
    from scenes.driver import build
    from scenes.objects_room.config import ObjectsRoomConfig

    path = tmp_path_factory.mktemp("rooms") / "train.h5"
    build(ObjectsRoomConfig(size=32), seed=0, n=384, out=path, workers=1)
    return path
