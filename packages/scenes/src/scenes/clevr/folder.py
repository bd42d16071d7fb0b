"""A folder of CLEVR's PNGs: which there are, which are broken, and where their scenes JSON is."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scenes.clevr.config import ClevrConfig
from scenes.clevr.images import DISTRIBUTED, STANDARD
from scenes.clevr.properties import Objects
from scenes.command_line import in_words
from scenes.dataset import sha256_of
from scenes.formats.image_file import open_image, read_rgb

PNG = ("PNG",)

POOL_FROM = 256
"""Below so many images a pool of processes takes longer to start than to work."""


@dataclass(frozen=True)
class Inspection:
    """What decoding a PNG showed."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels; (0, 0) where it is broken."""
    reason: str
    """Why it cannot be read; empty where it can."""
    sha256: str = ""
    """Digest of the file; empty where it cannot be read."""


def image_folder(source: Path) -> Path:
    """Returns the folder that holds the PNGs: `source` itself, or its `images`.

    Raises:
        FileNotFoundError: there is no `source`.
        ValueError: there is no PNG in either.
    """
    source.stat()
    for folder in (source, source / "images"):
        if folder.is_dir() and png_names(folder):
            return folder
    raise ValueError(f"{source}: no PNG in it; give CLEVR's images/train, or a generator's output")


def png_names(folder: Path) -> list[str]:
    """Returns the names of the PNGs in order."""
    paths = (path for path in folder.iterdir() if path.suffix.lower() == ".png")
    return sorted(path.name for path in paths if not path.name.startswith("."))


def find_scenes(folder: Path) -> Path | None:
    """Returns the scenes JSON of a folder of PNGs, or the folder of one JSON for each scene.

    CLEVR_v1.0 has `scenes/CLEVR_train_scenes.json` beside `images/train`; the generator writes
    `CLEVR_scenes.json` and a folder `scenes` beside `images`.
    """
    split = f"CLEVR_{folder.name}_scenes.json"
    for place in (
        folder.parent.parent / "scenes" / split,
        folder.parent / "scenes" / split,
        folder.parent / "CLEVR_scenes.json",
        folder / "CLEVR_scenes.json",
    ):
        if place.is_file():
            return place
    each = folder.parent / "scenes"
    stems = (Path(name).stem for name in png_names(folder))
    return each if any((each / f"{stem}.json").is_file() for stem in stems) else None


def select_names(
    names: Sequence[str], scenes: Mapping[str, Objects] | None, max_objects: int | None
) -> list[str]:
    """Returns the names of the scenes with at most `max_objects` objects.

    Raises:
        ValueError: the scenes JSON lacks an image, or there is none to count objects with.
    """
    if scenes is None:
        if max_objects is not None:
            raise ValueError("--max-objects counts objects in a scenes JSON; name it by --scenes")
        return list(names)
    missing = [name for name in names if name not in scenes]
    if missing:
        raise ValueError(f"the scenes JSON lacks {missing[0]} and {len(missing) - 1} more images")
    if max_objects is None:
        return list(names)
    return [name for name in names if len(scenes[name].codes) <= max_objects]


def digest(paths: Sequence[Path]) -> str:
    """Returns the SHA-256 of the names and lengths of files, by which a later change shows."""
    text = "".join(f"{path.name}\t{path.stat().st_size}\n" for path in paths)
    return hashlib.sha256(text.encode()).hexdigest()


def content_digest(images: Sequence[Inspection], scenes: Mapping[str, Objects] | None) -> str:
    """Returns the SHA-256 of images and their objects, in order, wherever they lie."""
    sha = hashlib.sha256()
    for image in images:
        sha.update(f"{image.name}\t{image.sha256}\n".encode())
        if scenes is not None:
            objects = scenes[image.name]
            for values in (objects.codes, objects.position, objects.rotation_rad):
                sha.update(np.ascontiguousarray(values).data)
    return sha.hexdigest()


def moved_folder(config: ClevrConfig, path: Path, scenes: Path | None) -> ClevrConfig:
    """Returns a config whose images are read from another folder.

    Whether they are the same is told by the source, which knows their names and lengths.

    Args:
        config: of the images.
        path: the folder.
        scenes: the scenes JSON, if the config has one; looked for beside the images by default.

    Raises:
        ValueError: there are no images, or no scenes JSON beside them, where there was one.
        OSError: there is no such folder.
    """
    if config.scenes is None:
        return replace(config, source=str(path))
    place = scenes or find_scenes(image_folder(path))
    if place is None:
        raise ValueError(f"{path}: no scenes JSON beside it; name it by --scenes")
    return replace(config, source=str(path), scenes=str(place))


def moved_records(config: ClevrConfig, path: Path) -> ClevrConfig:
    """Returns a config whose records are read from another file.

    Raises:
        OSError: there is no such file.
    """
    return replace(config, source=str(path), items=digest([path]), content=sha256_of(path))


def inspect(path: Path) -> Inspection:
    """Decodes a whole PNG and verifies its checksums; one of another size than CLEVR's is left."""
    try:
        with open_image(path, PNG) as image:
            size = image.size
            if size not in (STANDARD, DISTRIBUTED):
                return Inspection(path.name, size, "")
            image.verify()
        read_rgb(path, PNG)
        return Inspection(path.name, size, "", sha256_of(path))
    except (OSError, ValueError) as error:
        return Inspection(path.name, (0, 0), reason(error, path))


def reason(error: OSError | ValueError, path: Path) -> str:
    """Returns in words, on one line, why a file cannot be read, without its name."""
    words = in_words(error) if isinstance(error, OSError) else str(error)
    return " ".join(words.removeprefix(f"{path}: ").split())


def inspect_all(
    paths: Sequence[Path], workers: int, report: Callable[[Inspection], None]
) -> list[Inspection]:
    """Decodes all PNGs, in order.

    Args:
        paths: the PNGs.
        workers: processes.
        report: is told of each; whatever it raises stops the work.
    """
    inspections = []
    if workers == 1 or len(paths) < POOL_FROM:
        for path in paths:
            inspections.append(inspect(path))
            report(inspections[-1])
        return inspections
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            for inspection in pool.map(inspect, paths, chunksize=16):
                inspections.append(inspection)
                report(inspection)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return inspections
