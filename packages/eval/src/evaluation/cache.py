"""Predictions kept on disk, so that scoring again what has not changed takes seconds.

An entry's name is the hash of everything that it depends on: the weights, the pixels of the images,
the number of slots and the code. What changes has another name; nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from jaxtyping import UInt8

from evaluation import predictions as contract
from evaluation.predictions import Predictions, predict

if TYPE_CHECKING:
    from monet import Monet

Images = UInt8[np.ndarray, "N H W 3"]

_ARRAYS = ("segmentation", "reconstruction", "decoded", "extents", "latents")


class Cache:
    """Predictions in a folder, which may be deleted at any time.

    Args:
        folder: made with the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of_model(self, model: Monet, images: Images, num_slots: int | None = None) -> Predictions:
        """Returns what `predict` returns."""
        import monet

        key = {
            "weights": hash_of_weights(model),
            "code": hash_of_code(Path(monet.__file__).parent, Path(contract.__file__)),
            "images": hash_of_array(images),
            "slots": model.config.num_slots if num_slots is None else num_slots,
        }
        return self._get(key, lambda: predict(model, images, num_slots))

    def of_baseline(
        self, name: str, segment: Callable[[Images], Predictions], images: Images
    ) -> Predictions:
        """Returns what a baseline makes of images."""
        from evaluation import baselines

        key = {
            "baseline": name,
            "code": hash_of_code(Path(baselines.__file__)),
            "images": hash_of_array(images),
        }
        return self._get(key, lambda: segment(images))

    def _get(self, key: Mapping[str, object], compute: Callable[[], Predictions]) -> Predictions:
        text = json.dumps(key, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.h5"
        if path.is_file():
            try:
                return _read(path)
            except (OSError, KeyError):
                path.unlink()  # cut short or foreign: it is made again
        made = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        _write(temporary, made, text)
        temporary.replace(path)
        return made


def hash_of_array(values: np.ndarray) -> str:
    """Returns a hash of an array's shape, type and values."""
    digest = hashlib.sha256(f"{values.shape} {values.dtype}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def hash_of_weights(model: Monet) -> str:
    """Returns a hash of a model's config and weights, wherever they were read from."""
    digest = hashlib.sha256(repr(model.config).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {hash_of_array(tensor.cpu().numpy())}".encode())
    return digest.hexdigest()


def hash_of_code(*sources: Path) -> str:
    """Returns a hash of source files, and of all under a folder."""
    digest = hashlib.sha256()
    for source in sources:
        for path in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, predictions: Predictions, key: str) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["key"] = key
        file.attrs["num_slots"] = predictions.num_slots
        for name in _ARRAYS:
            values = getattr(predictions, name)
            if values is not None:
                file.create_dataset(name, data=values, compression="gzip", compression_opts=1)
        for name, term in predictions.terms.items():
            file[f"terms/{name}"] = term


def _read(path: Path) -> Predictions:
    with h5py.File(path, "r") as file:
        terms = file.get("terms", {})
        return Predictions(
            num_slots=int(file.attrs["num_slots"]),
            terms={name: terms[name][:] for name in terms},
            **{name: file[name][:] for name in _ARRAYS if name in file},
        )
