"""Named configs (paper, appendix B)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monet.config import LossAblations, LossConfig, ModelConfig, OptimiserConfig, TrainConfig

_PAPER = TrainConfig()
_MUON = OptimiserConfig(kind="muon", warmup_steps=100, schedule="cosine")
_CLEVR = replace(
    _PAPER,
    name="paper-clevr",
    model=ModelConfig(image_size=128, num_slots=11, unet_channels=(32, 32, 32, 64, 64, 64)),
    data=Path("data/clevr/train.h5"),
)

PRESETS: dict[str, TrainConfig] = {
    "paper": _PAPER,
    "paper-multi-dsprites": replace(
        _PAPER,
        name="paper-multi-dsprites",
        model=ModelConfig(num_slots=5),
        data=Path("data/multi_dsprites/colored_on_colored.h5"),
    ),
    "paper-clevr": _CLEVR,
    "paper-clevr-like": replace(
        _CLEVR, name="paper-clevr-like", data=Path("data/clevr_like/train.h5")
    ),
    "conditions": replace(
        _PAPER,
        name="conditions",
        loss=LossConfig(sigma_bg=0.05, sigma_fg=0.05, beta=0.5, gamma=0.25),
        masks="element",
    ),
    "quick": TrainConfig(
        name="quick",
        model=ModelConfig(
            image_size=32,
            num_slots=5,
            encoder_channels=(16, 16, 32, 32),
            encoder_hidden=128,
            decoder_channels=(16, 16, 16, 16),
            unet_channels=(16, 32, 32, 32),
        ),
        loss=LossConfig(sigma_bg=0.195, sigma_fg=0.205, beta=0.05, gamma=0.15),
        optimiser=replace(_MUON, learning_rate=2e-3, vae_rate=0.375),
        steps=3_000,
        batch_size=16,
        score_every=500,
    ),
    "fast": TrainConfig(
        name="fast",
        ablations=LossAblations(posterior_weight=1.0, posterior_start=6_000),
        optimiser=replace(_MUON, learning_rate=1e-3, vae_rate=0.5, average_decay=0.999),
        steps=36_000,
    ),
}
"""`paper*`: the paper's settings; `conditions`: those of section 2.2, where the masks are given and
the VAE is trained alone; `quick`: 32 pixels, five slots, half the widths, about twice the sigmas,
nearly alike, minutes on a CPU (measured choices, see docs/ablations.md); `fast`: the paper's model
by Muon, with the fourth term from step 6,000 on, minutes on a GPU. `fast` has not been run as it
stands: two runs, of 6,000 and 30,250 steps, one after the other, made `objects_room_64`."""
