"""Keeps predictions and decompositions on disk, so that nothing is computed twice.

An entry's name is the hash of everything that it depends on: the weights, the pixels of the images,
the number of slots, the rounds of refining and the code. When any of these changes, so does the
name, so that no stale entry is ever read. The output of a model without a fingerprint is not kept.

An entry is an HDF5 file, followed by the SHA-256 of its bytes. It is read and written in memory, so
that a damaged one is computed again before HDF5 sees it, and a full disk raises an error of the
system, not of HDF5.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np
from jaxtyping import Float, UInt8
from scenes.atomic import write_whole

from evaluation.folders import check_writable
from evaluation.metrics import reconstruction
from evaluation.predictions import baselines, batches, checks, contract, models
from evaluation.predictions.batches import decompose_images, predict
from evaluation.predictions.contract import ModelOutput, Predictions
from evaluation.predictions.fingerprint import hash_of_array, hash_of_code
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.scores import latents

if TYPE_CHECKING:
    from monet import Monet

Entry = TypeVar("Entry")
Images = UInt8[np.ndarray, "N H W 3"]

CACHE = Path("results/.cache")
"""Folder of the cache that commands share, unless `--out` names another place."""
CHECKSUM_BYTES = hashlib.sha256().digest_size
_PREDICTING = tuple(
    Path(str(module.__file__)) for module in (batches, checks, contract, models, reconstruction)
)
"""Files of code on which predictions depend, beside the model's own."""


def cache_of(out: Path | None) -> Cache:
    """Returns the cache under a command's `--out`, else the one that all commands share.

    Raises:
        UsageError: the folder cannot be written to.
    """
    folder = CACHE if out is None else out / CACHE.name
    check_writable(folder.parent)
    return Cache(folder)


class Cache:
    """Predictions and decompositions in a folder, which may be deleted at any time.

    Args:
        folder: the folder, which is made with the first entry; `None` keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def of_model(
        self,
        model: Model | ScoredModel,
        images: Images,
        num_slots: int | None = None,
        refine: int = 0,
    ) -> Predictions:
        """Returns the predictions of `predict`, from disk if they are there."""
        subject = scored_model(model)
        slots = subject.slots(num_slots)
        key = _key(subject, images, slots, "predictions", _PREDICTING, refine=refine)
        return self._get(key, lambda: predict(subject, images, slots, refine), _write, _read)

    def decompositions(
        self,
        model: Model | ScoredModel,
        images: Images,
        num_slots: int | None = None,
        refine: int = 0,
    ) -> ModelOutput:
        """Returns a model's whole output for a few images, more than scores need.

        It is kept without rounding, so that pictures are the same the second time.
        """
        subject = scored_model(model)
        slots = subject.slots(num_slots)
        key = _key(subject, images, slots, "decompositions", _PREDICTING, refine=refine)
        return self._get(
            key,
            lambda: decompose_images(subject, images, slots, refine),
            lambda file, output: _write_arrays(file, output, compression="lzf", shuffle=True),
            lambda file: ModelOutput(**_arrays_in(file)),
        )

    def whole_image(self, model: Monet, images: Images) -> Float[np.ndarray, "N D"]:
        """Returns the latents of `whole_image_latents`, from disk if they are there."""
        subject = scored_model(model)
        key = _key(subject, images, 1, "whole image", (Path(latents.__file__),))
        return self._get(
            key,
            lambda: latents.whole_image_latents(model, images),
            lambda file, values: file.create_dataset("latents", data=values),
            lambda file: file["latents"][:],
        )

    def of_baseline(
        self, name: str, segment: Callable[[Images], Predictions], images: Images
    ) -> Predictions:
        """Returns a baseline's predictions for images, from disk if they are there."""
        key = {
            "baseline": name,
            "code": hash_of_code(Path(baselines.__file__)),
            "images": hash_of_array(images),
        }
        return self._get(key, lambda: segment(images), _write, _read)

    def _get(
        self,
        key: Mapping[str, object] | None,
        compute: Callable[[], Entry],
        write: Callable[[h5py.File, Entry], object],
        read: Callable[[h5py.File], Entry],
    ) -> Entry:
        if self.folder is None or key is None:
            return compute()
        text = json.dumps(key, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.h5"
        content = _whole_entry(path)
        if content is not None:
            with h5py.File(io.BytesIO(content), "r") as file:
                return read(file)
        entry = compute()
        in_memory = io.BytesIO()
        with h5py.File(in_memory, "w") as file:
            file.attrs["key"] = text
            write(file, entry)
        content = in_memory.getvalue()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Another command may write the same entry at the same time.
        write_whole(path, content + hashlib.sha256(content).digest())
        return entry


def _whole_entry(path: Path) -> bytes | None:
    """Returns an entry's HDF5; `None` where there is none, or it is damaged or foreign."""
    if not path.is_file():
        return None
    entry = path.read_bytes()
    content, checksum = entry[:-CHECKSUM_BYTES], entry[-CHECKSUM_BYTES:]
    return content if hashlib.sha256(content).digest() == checksum else None


def _key(
    model: ScoredModel,
    images: Images,
    num_slots: int,
    kind: str,
    sources: Sequence[Path],
    refine: int = 0,
) -> dict[str, object] | None:
    """Returns everything that an entry depends on; `None` for a model without a fingerprint."""
    if model.fingerprint is None:
        return None
    return {
        "kind": kind,
        "model": model.fingerprint(),
        "code": hash_of_code(*sources),
        "images": hash_of_array(images),
        "slots": num_slots,
        "refine": refine,
    }


def _write(file: h5py.File, predictions: Predictions) -> None:
    file.attrs["num_slots"] = predictions.num_slots
    _write_arrays(file, predictions, compression="gzip", compression_opts=1)


def _read(file: h5py.File) -> Predictions:
    return Predictions(num_slots=int(file.attrs["num_slots"]), **_arrays_in(file))


def _write_arrays(file: h5py.File, entry: Predictions | ModelOutput, **form: Any) -> None:
    for name, values in vars(entry).items():
        if isinstance(values, np.ndarray):
            file.create_dataset(name, data=values, **form)
    for name, term in entry.terms.items():
        file[f"terms/{name}"] = term


def _arrays_in(file: h5py.File) -> dict[str, Any]:
    terms = file.get("terms", {})
    arrays = {name: values[:] for name, values in file.items() if name != "terms"}
    return {**arrays, "terms": {name: terms[name][:] for name in terms}}
