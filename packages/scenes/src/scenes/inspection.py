"""Looks through images before scenes are made of them: which can be read, and what they hold."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from scenes.command_line import CommandError, in_words
from scenes.notices import in_one_line
from scenes.parts.local_workers import starting_apart
from scenes.progress import progress_bar

T = TypeVar("T")
POOL_FROM = 256
"""Images from which on a pool of processes pays: with fewer, starting it takes longer than work."""
MASK_BESIDE = "_mask"
"""`NAME_mask.png` beside `NAME.png` is that image's masks, as clevr-dataset-gen's forks write."""


@dataclass(frozen=True)
class Inspection:
    """What reading an image showed."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels; (0, 0) where it cannot be read."""
    reason: str
    """Why it cannot be read; empty where it can."""
    sha256: str = ""
    """Digest of the file, and of its masks'; empty where it cannot be read."""
    entities: int = 0
    """Entities in its masks, background included; 0 where there are none."""
    conflicts: int = 0
    """Pixels that several masks claim."""


def without_masks(names: Sequence[str]) -> list[str]:
    """Returns the names of a folder's images that are not the masks of another one."""
    stems = {name[: name.rfind(".")] for name in names}
    return [name for name in names if masked_stem(name) not in stems]


def masked_stem(name: str) -> str | None:
    """Returns the stem of the image whose masks a file holds, by its name; `None` if of none."""
    ending = f"{MASK_BESIDE}.png"
    return name[: -len(ending)] if name.lower().endswith(ending) else None


def inspect_all(
    items: Sequence[T],
    inspect: Callable[[T], Inspection],
    workers: int,
    folder: Path,
    *,
    strict: bool,
) -> list[Inspection]:
    """Inspects images, in order, on a bar; names on stderr those that cannot be read.

    Args:
        items: one for each image.
        inspect: reads one image; it and the items travel to other processes.
        workers: processes.
        folder: of the images, for messages.
        strict: whether to stop at the first image that cannot be read.

    Raises:
        CommandError: an image cannot be read, and `strict` is set.
    """
    inspections = []
    with progress_bar() as progress, _mapping(inspect, items, workers) as results:
        task = progress.add_task("checking", total=len(items), note="")
        for inspection in results:
            inspections.append(inspection)
            progress.advance(task)
            if not inspection.reason:
                continue
            line = f"{folder / inspection.name}: {inspection.reason}"
            if strict:
                raise CommandError(f"{line}; without --strict it is left out")
            said = f"scenes: {in_one_line(line)}"
            progress.console.print(said, markup=False, highlight=False, soft_wrap=True)
    return inspections


@contextmanager
def _mapping(
    inspect: Callable[[T], Inspection], items: Sequence[T], workers: int
) -> Iterator[Iterable[Inspection]]:
    if workers == 1 or len(items) < POOL_FROM:
        yield map(inspect, items)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            with starting_apart():
                results = pool.map(inspect, items, chunksize=16)
            yield results
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def digest(paths: Sequence[Path]) -> str:
    """Returns the SHA-256 of files' names and lengths, which tells whether they changed."""
    text = "".join(f"{path.name}\t{path.stat().st_size}\n" for path in paths)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def content_digest(
    images: Sequence[Inspection], details: Mapping[str, Iterable[np.ndarray]] | None = None
) -> str:
    """Returns the SHA-256 of images, in order, wherever they lie.

    Args:
        images: from inspecting them.
        details: further arrays that belong to each image, by its name.
    """
    sha = hashlib.sha256()
    for image in images:
        sha.update(f"{image.name}\t{image.sha256}\n".encode(errors="surrogateescape"))
        for values in () if details is None else details[image.name]:
            sha.update(np.ascontiguousarray(values).data)
    return sha.hexdigest()


def reason(error: OSError | ValueError, path: Path) -> str:
    """Returns, on one line and without the file's name, why a file cannot be read."""
    words = in_words(error) if isinstance(error, OSError) else str(error)
    return " ".join(words.removeprefix(f"{path}: ").split())
