"""A model and a run that are small enough to be trained in a test."""

from dataclasses import replace
from pathlib import Path

from monet.config import ModelConfig, OptimiserConfig, TrainConfig

MODEL = ModelConfig(
    image_size=16,
    num_slots=3,
    latent_dim=4,
    encoder_channels=(8, 8),
    encoder_hidden=16,
    decoder_channels=(8, 8),
    unet_channels=(8, 8, 8),
    unet_hidden=(16,),
)
OPTIMISER = OptimiserConfig(kind="adam", learning_rate=1e-3)


def small_run(data: Path, steps: int, **changes: object) -> TrainConfig:
    """Returns the config of a run of the small model that logs every step."""
    config = TrainConfig(
        name="small",
        model=MODEL,
        optimiser=OPTIMISER,
        data=data,
        steps=steps,
        batch_size=8,
        precision="float32",
        log_every=1,
        score_every=50,
    )
    return replace(config, **changes)  # type: ignore[arg-type]
