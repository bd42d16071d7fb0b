"""MONet (Burgess et al. 2019): unsupervised scene decomposition and representation.

    >>> import monet, scenes
    >>> images = scenes.SceneFile("rooms.h5")["image"][:4]
    >>> model = monet.load("objects_room_quick")     # a run folder, a file, or a name that ships
    >>> parts = model.decompose(images, num_slots=9) # uint8 or floats in [0, 1], channels last
    >>> parts.masks.shape, parts.components.shape, parts.reconstruction.shape, parts.latents.shape
    ((4, 9, 32, 32), (4, 9, 32, 32, 3), (4, 32, 32, 3), (4, 9, 16))

`train` makes such a model, by a `TrainConfig`: `PRESETS` has the paper's and some others.

The paper's equations 1 and 2 are `monet.attention`, 3 is `monet.loss`; appendix B.1 is
`monet.component_vae`, B.2 `monet.unet`, B.3 `monet.config` and `monet.training`; section 2.2's
given masks are `monet.given_masks`. From a shell: `monet-train`, or `python -m monet`.
"""

from typing import TYPE_CHECKING

from scenes.entrance import entrance

from monet.config import LossConfig, ModelConfig, OptimiserConfig, TrainConfig
from monet.presets import PRESETS

if TYPE_CHECKING:
    from monet.model import Decomposition, Decompositions, Monet
    from monet.training.trainer import train
    from monet.weights import load

__all__ = [
    "PRESETS",
    "Decomposition",
    "Decompositions",
    "LossConfig",
    "ModelConfig",
    "Monet",
    "OptimiserConfig",
    "TrainConfig",
    "load",
    "train",
]
_HOMES = {
    "Decomposition": "monet.model",
    "Decompositions": "monet.model",
    "Monet": "monet.model",
    "load": "monet.weights",
    "train": "monet.training.trainer",
}
"""Modules of the names that need torch, which is imported when one of them is first used."""

__getattr__, __dir__ = entrance(__name__, _HOMES)
