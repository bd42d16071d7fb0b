"""The one driver for all sources: parts, workers, resume, and the file made of them.

While it builds, finished parts lie in `<file>.parts/`, each written under a temporary name,
flushed and renamed. A restart keeps them and makes the rest. The last step copies the parts'
compressed chunks into one file and renames that.
"""

from __future__ import annotations

import ctypes.util
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scenes.command_line import CommandError, UsageError
from scenes.config import (
    ClevrConfig,
    ClevrLikeConfig,
    ImportedConfig,
    MultiDSpritesConfig,
    ObjectsRoomConfig,
)
from scenes.file import (
    CHUNK_ROWS,
    FileError,
    SceneFile,
    append_chunks,
    append_rows,
    create,
    identity,
)
from scenes.progress import progress_bar
from scenes.scene import Scene, Source
from scenes.serialise import to_json

PART_BYTES = 8 << 20
MAX_PART_ROWS = 512
LOST_WORKERS = 5
GL_LIBRARIES = {"osmesa": ("OSMesa", "libosmesa6"), "egl": ("EGL", "libegl1")}
"""Shared library that each value of MUJOCO_GL needs, and Debian's package of it."""


@dataclass(frozen=True)
class Part:
    """Rows `start` to `stop` of a build, in a file of their own."""

    start: int
    stop: int

    def path(self, folder: Path) -> Path:
        """Returns where the finished part lies."""
        return folder / f"{self.start:010d}-{self.stop:010d}.h5"


def open_source(config: Any, seed: int) -> Source:
    """Returns the source of a config.

    Raises:
        TypeError: no source belongs to this config.
    """
    if isinstance(config, ObjectsRoomConfig):
        choose_gl()
        from scenes.objects_room.source import ObjectsRoomSource

        return ObjectsRoomSource(config, seed)
    if isinstance(config, MultiDSpritesConfig):
        from scenes.multi_dsprites.source import MultiDSpritesSource

        return MultiDSpritesSource(config, seed)
    if isinstance(config, ClevrConfig):
        from scenes.clevr.source import ClevrFolderSource, ClevrRecordsSource

        kind = ClevrFolderSource if config.num_entities is None else ClevrRecordsSource
        return kind(config, seed)
    if isinstance(config, ClevrLikeConfig):
        choose_gl()
        from scenes.clevr.likeness import ClevrLikeSource

        return ClevrLikeSource(config, seed)
    if isinstance(config, ImportedConfig):
        from scenes.formats.multi_object_datasets import ImportedSource

        return ImportedSource(config, seed)
    raise TypeError(f"no source for {type(config).__name__}")


def choose_gl() -> None:
    """Lets MuJoCo render without a display: MUJOCO_GL's way, else EGL with a GPU, else OSMesa.

    It must run before mujoco is imported. One thread a process: at these sizes LLVM's threads
    gain nothing (measured), one process per core does.

    Raises:
        CommandError: the library that this needs is missing.
    """
    gpu = Path("/dev/nvidiactl").exists() or any(Path("/dev/dri").glob("renderD*"))
    chosen = os.environ.setdefault("MUJOCO_GL", "egl" if gpu else "osmesa")
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if chosen in GL_LIBRARIES:
        library, package = GL_LIBRARIES[chosen]
        if ctypes.util.find_library(library) is None:
            raise CommandError(
                f"MUJOCO_GL={chosen} needs lib{library}; on Debian: apt-get install {package}"
            )


def build(
    config: Any,
    seed: int,
    n: int,
    out: Path,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> None:
    """Makes a file of `n` scenes, or extends one that has fewer.

    Args:
        config: which dataset.
        seed: entropy of every scene.
        n: number of scenes.
        out: the file.
        workers: processes; all cores by default. The bytes do not depend on it.
        overwrite: replace a file of another config.

    Raises:
        UsageError: `n` is no count, or `out` holds something else.
        CommandError: scenes could not be made or written.
    """
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    have = _rows_to_keep(config, seed, n, out, overwrite=overwrite)
    if have == n:
        return
    if getattr(config, "isolated", False):
        choose_gl()
    folder = out.with_name(out.name + ".parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _claim(folder, config, seed, overwrite=overwrite)
        start = have - have % CHUNK_ROWS
        parts = _parts(config, start, n)
        missing = [part for part in parts if not part.path(folder).exists()]
        if getattr(config, "sequential", False):
            workers = 1
        count = min(workers or os.cpu_count() or 1, max(1, len(missing)))
        _make(config, seed, missing, folder, count, total=n, done=n - _rows(missing))
        _merge(parts, folder, out, kept=start)
    except OSError as error:
        raise CommandError(f"{error}; finished parts stay in {folder}") from error
    shutil.rmtree(folder)


def _rows(parts: list[Part]) -> int:
    return sum(part.stop - part.start for part in parts)


def _rows_to_keep(config: Any, seed: int, n: int, out: Path, *, overwrite: bool) -> int:
    """Returns how many rows of an existing file serve this build."""
    if not out.exists():
        return 0
    try:
        with SceneFile(out) as file:
            same = (
                file.dataset == config.dataset
                and file.attributes["config"] == to_json(config)
                and file.seed == seed
            )
            have = file.n
    except FileError:
        same, have = False, 0
    if not same and not overwrite:
        raise UsageError(f"{out} exists and is something else; --overwrite replaces it")
    if same and have > n and not overwrite:
        raise UsageError(f"{out} has {have} scenes already, more than {n}; --overwrite replaces it")
    return have if same and have <= n else 0


def _claim(folder: Path, config: Any, seed: int, *, overwrite: bool) -> None:
    """Marks the folder of parts as this build's own, and clears what a killed one left."""
    label = folder / "build.json"
    wanted = f"{config.dataset} {to_json(config)} seed {seed}\n"
    if label.exists() and label.read_text() != wanted:
        if not overwrite:
            raise UsageError(f"{folder} holds parts of another build; --overwrite replaces them")
        shutil.rmtree(folder)
        folder.mkdir()
    for leftover in folder.glob("*.tmp*"):
        leftover.unlink()
    label.write_text(wanted)


def _parts(config: Any, start: int, n: int) -> list[Part]:
    row_bytes = 4 * config.size**2
    rows = max(1, min(MAX_PART_ROWS, PART_BYTES // row_bytes) // CHUNK_ROWS) * CHUNK_ROWS
    return [Part(first, min(first + rows, n)) for first in range(start, n, rows)]


def _make(
    config: Any, seed: int, parts: list[Part], folder: Path, workers: int, *, total: int, done: int
) -> None:
    with progress_bar() as progress:
        task = progress.add_task("scenes", total=total, completed=done, note="")

        def advance(part: Part) -> None:
            progress.advance(task, part.stop - part.start)

        if workers == 1 and not getattr(config, "isolated", False):
            source = open_source(config, seed)
            for part in parts:
                _write_part(source, part, folder)
                advance(part)
        elif parts:
            _make_in_processes(config, seed, parts, folder, workers, advance)


def _make_in_processes(
    config: Any,
    seed: int,
    parts: list[Part],
    folder: Path,
    workers: int,
    advance: Callable[[Part], None],
) -> None:
    """Makes the parts in worker processes; a part whose worker died is made again."""
    lost = 0
    while parts:
        with ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (config, seed, folder)
        ) as pool:
            waiting: dict[Future[None], Part] = {pool.submit(_work, part): part for part in parts}
            try:
                while waiting:
                    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                        advance(waiting.pop(future))
            except BrokenProcessPool:
                lost += 1
                if lost > LOST_WORKERS:
                    raise CommandError(
                        f"{lost} workers died (out of memory?); try fewer --workers"
                    ) from None
                print("scenes: a worker died; its part is made again", file=sys.stderr)  # noqa: T201
            except BaseException:
                for process in list(pool._processes.values()):
                    process.terminate()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        parts = [part for part in parts if not part.path(folder).exists()]


_worker: tuple[Source, Path] | None = None


def _start_worker(config: Any, seed: int, folder: Path) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    _worker = (open_source(config, seed), folder)


def _work(part: Part) -> None:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    source, folder = _worker
    _write_part(source, part, folder)


def _write_part(source: Source, part: Part, folder: Path) -> None:
    target = part.path(folder)
    temporary = target.with_suffix(f".tmp{os.getpid()}")
    with create(temporary, identity(source), source.fields) as file:
        for batch in _batches(part):
            append_rows(file, _stack([source[index] for index in batch]))
        file.attrs["complete"] = True
    _publish(temporary, target)


def _batches(part: Part) -> Iterator[range]:
    for first in range(part.start, part.stop, CHUNK_ROWS):
        yield range(first, min(first + CHUNK_ROWS, part.stop))


def _stack(scenes: list[Scene]) -> dict[str, np.ndarray]:
    rows = [scene.row() for scene in scenes]
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def _publish(temporary: Path, target: Path) -> None:
    """Renames a finished file to its name once its bytes are on disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)


def _merge(parts: list[Part], folder: Path, out: Path, *, kept: int) -> None:
    """Copies the kept rows of the existing file, then the parts, into one file."""
    temporary = folder / "whole.tmp"
    origins = ([out] if kept else []) + [part.path(folder) for part in parts]
    rows = ([kept] if kept else []) + [part.stop - part.start for part in parts]
    with h5py.File(origins[0], "r") as first:
        attributes = dict(first.attrs)
        fields = dict(_described(first))
        with create(temporary, attributes, fields) as target:
            for path, count in zip(origins, rows, strict=True):
                with h5py.File(path, "r") as origin:
                    if origin.attrs["provenance"] != attributes["provenance"]:
                        raise CommandError(
                            f"{path} was rendered by {origin.attrs['provenance']}, others by "
                            f"{attributes['provenance']}; --overwrite makes all of them anew"
                        )
                    append_chunks(target, origin, count)
            target.attrs["complete"] = True
    _publish(temporary, out)


def _described(file: h5py.File) -> Iterator[tuple[str, Any]]:
    from scenes.file import dataset_keys
    from scenes.scene import Field

    for key in dataset_keys(file):
        dataset = file[key]
        yield (
            key,
            Field(
                dataset.shape[1:],
                str(dataset.dtype),
                dataset.attrs["meaning"],
                dataset.attrs["unit"],
                tuple(str(name) for name in dataset.attrs["categories"]),
            ),
        )
