"""MONet (Burgess et al. 2019): unsupervised scene decomposition and representation."""

from monet.config import PRESETS, ModelConfig, OptimiserConfig, TrainConfig
from monet.model import Decomposition, Decompositions, Monet
from monet.weights import load

__all__ = [
    "PRESETS",
    "Decomposition",
    "Decompositions",
    "ModelConfig",
    "Monet",
    "OptimiserConfig",
    "TrainConfig",
    "load",
]
