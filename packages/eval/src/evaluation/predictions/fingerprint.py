"""Hashes everything that a model's output depends on: weights, images and code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from monet import Monet


def hash_of_array(values: np.ndarray) -> str:
    """Returns a hash of an array's shape, type and values."""
    digest = hashlib.sha256(f"{values.shape} {values.dtype}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def hash_of_weights(model: Monet) -> str:
    """Returns a hash of a model's config and weights, wherever they were read from."""
    digest = hashlib.sha256(repr((model.config, model.loss_config)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {hash_of_array(tensor.cpu().numpy())}".encode())
    return digest.hexdigest()


def hash_of_code(*sources: Path) -> str:
    """Returns a hash of source files, and of all Python files in folders."""
    digest = hashlib.sha256()
    for source in sources:
        for path in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(path.read_bytes())
    return digest.hexdigest()
