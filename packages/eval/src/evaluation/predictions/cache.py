"""Predictions and decompositions kept on disk: what has not changed is not computed again.

An entry's name is the hash of everything that it depends on: the weights, the pixels of the images,
the number of slots, the rounds of refining and the code. What changes has another name; nothing
stale is ever read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import h5py
import numpy as np
from jaxtyping import Float, UInt8
from scenes.atomic import whole_or_not

from evaluation import predictions as contract
from evaluation.predictions.contract import Predictions, predict

if TYPE_CHECKING:
    from monet import Decompositions, Monet

Made = TypeVar("Made")
Images = UInt8[np.ndarray, "N H W 3"]

CACHE = Path("results/.cache")
"""Where every command keeps what it computes, unless `--out` names another folder."""
_ARRAYS = ("segmentation", "reconstruction", "decoded", "extents", "latents")


def cache_of(out: Path | None) -> Cache:
    """Returns the cache under a command's `--out`, else the one that all commands share."""
    return Cache(CACHE if out is None else out / CACHE.name)


class Cache:
    """Predictions and decompositions in a folder, which may be deleted at any time.

    Args:
        folder: made with the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of_model(
        self, model: Monet, images: Images, num_slots: int | None = None, refine: int = 0
    ) -> Predictions:
        """Returns what `predict` returns."""
        key = _key(model, images, num_slots, "predictions", Path(contract.__file__), refine=refine)
        return self._get(key, lambda: predict(model, images, num_slots, refine), _write, _read)

    def decompositions(
        self, model: Monet, images: Images, num_slots: int | None = None, refine: int = 0
    ) -> Decompositions:
        """Returns what `Monet.decompose` returns: far more than scores need, so for a few images.

        Everything is kept as it is, not rounded: pictures are the same the second time.
        """
        key = _key(model, images, num_slots, "decompositions", refine=refine)

        def decompose() -> Decompositions:
            return model.decompose(images, num_slots, refine=refine)

        return self._get(key, decompose, _write_parts, _read_parts)

    def whole_image(self, model: Monet, images: Images) -> Float[np.ndarray, "N D"]:
        """Returns what `whole_image_latents` returns."""
        from evaluation.scores import representation as represent

        key = _key(model, images, 1, "whole image", Path(represent.__file__))
        return self._get(
            key,
            lambda: represent.whole_image_latents(model, images),
            lambda file, latents: file.create_dataset("latents", data=latents),
            lambda file: file["latents"][:],
        )

    def of_baseline(
        self, name: str, segment: Callable[[Images], Predictions], images: Images
    ) -> Predictions:
        """Returns what a baseline makes of images."""
        from evaluation.predictions import baselines as baselines

        key = {
            "baseline": name,
            "code": hash_of_code(Path(baselines.__file__)),
            "images": hash_of_array(images),
        }
        return self._get(key, lambda: segment(images), _write, _read)

    def _get(
        self,
        key: Mapping[str, object],
        compute: Callable[[], Made],
        write: Callable[[h5py.File, Made], object],
        read: Callable[[h5py.File], Made],
    ) -> Made:
        text = json.dumps(key, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.h5"
        if path.is_file():
            try:
                with h5py.File(path, "r") as file:
                    return read(file)
            except (OSError, KeyError):
                path.unlink()  # cut short or foreign: it is made again
        made = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Others may make the same at the same time.
        with whole_or_not(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["key"] = text
            write(file, made)
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


def _key(
    model: Monet, images: Images, num_slots: int | None, kind: str, *sources: Path, refine: int = 0
) -> dict[str, object]:
    import monet

    return {
        "kind": kind,
        "weights": hash_of_weights(model),
        "code": hash_of_code(Path(monet.__file__).parent, *sources),
        "images": hash_of_array(images),
        "slots": model.config.num_slots if num_slots is None else num_slots,
        "refine": refine,
    }


def _write(file: h5py.File, predictions: Predictions) -> None:
    file.attrs["num_slots"] = predictions.num_slots
    for name in _ARRAYS:
        values = getattr(predictions, name)
        if values is not None:
            file.create_dataset(name, data=values, compression="gzip", compression_opts=1)
    for name, term in predictions.terms.items():
        file[f"terms/{name}"] = term


def _read(file: h5py.File) -> Predictions:
    terms = file.get("terms", {})
    return Predictions(
        num_slots=int(file.attrs["num_slots"]),
        terms={name: terms[name][:] for name in terms},
        **{name: file[name][:] for name in _ARRAYS if name in file},
    )


def _write_parts(file: h5py.File, parts: Decompositions) -> None:
    for name, values in vars(parts).items():
        file.create_dataset(name, data=values, compression="lzf", shuffle=True)


def _read_parts(file: h5py.File) -> Decompositions:
    from monet import Decompositions

    return Decompositions(**{f.name: file[f.name][:] for f in fields(Decompositions)})
