"""What the tests of scores and pictures share: a small model, and its scores in every condition."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from evaluation.predictions.cache import Cache
from evaluation.scores.generalisation import generalise
from evaluation.scores.results import Generalisation
from monet.config import TrainConfig
from monet.model import Monet
from monet.presets import PRESETS
from monet.training.trainer import Trainer

MODEL = replace(
    PRESETS["quick"].model,
    encoder_channels=(8, 8),
    decoder_channels=(8, 8),
    unet_channels=(8, 8, 8),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder into which test scenes are rendered."""
    return tmp_path_factory.mktemp("objects_room")


@pytest.fixture(scope="session")
def model() -> Monet:
    """Returns a small untrained model of 32 pixels."""
    torch.manual_seed(0)
    return Monet(MODEL).eval()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Returns a cache that tests share."""
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def result(model: Monet, folder: Path, cache: Cache) -> Generalisation:
    """Returns the result of nine slots on three scenes of each condition."""
    return generalise(model, 9, n=3, data_folder=folder, cache=cache)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, rooms_file: Path) -> Path:
    """Returns the folder of a run that made four steps on the rooms, with its log."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    config = TrainConfig(
        name="small", model=MODEL, data=rooms_file, steps=4, batch_size=4, log_every=1
    )
    with Trainer(config, folder) as trainer:
        trainer.run()
    return folder
