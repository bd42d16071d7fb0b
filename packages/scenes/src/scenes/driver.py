"""Builds a file of scenes from any source, in parts, so that an interrupted build continues.

While a build runs, finished parts lie in `<file>.parts/`, each written under a temporary name,
flushed and renamed. A restart keeps them and makes the rest. The last step copies the parts'
compressed chunks into one file and renames that, or keeps the parts and writes an index of them.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from rich.progress import Progress

from scenes.atomic import whole_or_not
from scenes.command_line import CommandError, UsageError, in_words, refusing
from scenes.dataset import DatasetConfig
from scenes.file.schema import parts_folder
from scenes.limits import check_seed
from scenes.lock import locked
from scenes.notices import tell
from scenes.parts.assemble import Origin, check_parts, index, join
from scenes.parts.continuation import Layout, check_kept, claim, existing_rows, is_left_over
from scenes.parts.heartbeat import HANG_S
from scenes.parts.local_workers import available_cores, make_here, make_in_processes
from scenes.parts.plan import Opener, Part, most_rows, plan
from scenes.parts.ray_workers import make_on_ray
from scenes.progress import progress_bar
from scenes.render.codes import MixedCodesError
from scenes.render.gl import choose_gl
from scenes.scene import UnreadableSceneError
from scenes.source_list import OpenByRays, OpenSource

Engine = Literal["local", "ray"]
MOST_WORKERS = 1024


class _Tally:
    """Counts the rows of a build, for its bar and its messages."""

    def __init__(self, bar: Progress, folder: Path, n: int) -> None:
        self._bar, self._folder, self._n, self._done = bar, folder, n, 0
        self._task = bar.add_task("scenes", total=n, note="")

    def resume(self, done: int, *, announced: bool) -> None:
        """Counts the rows that an earlier command made."""
        self._done = done
        self._bar.update(self._task, completed=done)
        self._bar.reset(self._task, completed=done)  # the rate is that of this command
        if announced:
            tell(f"continues; {self} are there")

    def advance(self, part: Part) -> None:
        """Counts a finished part."""
        self._done += part.rows
        self._bar.advance(self._task, part.rows)

    def counting(self, doing: str, rows: int) -> Callable[[int], None]:
        """Starts another bar; returns a function that moves it on by a number of rows."""
        task = self._bar.add_task(doing, total=rows, note="")
        return lambda done: self._bar.advance(task, done)

    def __str__(self) -> str:
        return f"{self._done:,} of {self._n:,} scenes"

    def kept(self) -> str:
        """Returns the end of an error: which rows are kept, and where; empty where none are."""
        return f"; {self} are kept in {self._folder}" if self._done else ""


def build(
    config: DatasetConfig,
    *,
    n: int,
    seed: int,
    out: Path | str,
    workers: int | None = None,
    overwrite: bool = False,
    layout: Layout = "file",
    engine: Engine = "local",
    address: str | None = None,
    hang_s: float = HANG_S,
    by_rays: bool = False,
    opener: Opener | None = None,
) -> None:
    """Makes a file of `n` rows, or extends one that has fewer.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.ObjectsRoomConfig(size=32), n=2, seed=0, out="rooms.h5")
        >>> with scenes.SceneFile("rooms.h5") as file:
        ...     print(len(file), *file.entities[:4])
        2 sky floor wall_left wall_right

    Args:
        config: which dataset.
        n: number of rows.
        seed: entropy of every scene; 0 is a seed like any other.
        out: the file.
        workers: processes; all cores by default. The bytes do not depend on it.
        overwrite: make the file anew, whatever it holds.
        layout: one file, or an index of parts that stay beside it.
        engine: processes of this machine, or tasks of a Ray cluster.
        address: of that cluster.
        hang_s: seconds for which a worker that renders may be silent. Then it is ended and its
            part is made again; if that part hangs a second time, the build ends. Time in which this
            process itself did not run does not count.
        by_rays: find the Objects Room's entities by rays, not by OpenGL's codes: for machines whose
            only driver draws colours well and codes wrongly.
        opener: opens the source where config and seed do not suffice, as for arrays in memory.

    Raises:
        UsageError: a number is out of range, or `out` holds something else, or is being built.
        CommandError: scenes could not be made or written.
        KeyboardInterrupt: SIGINT or SIGTERM ended the build; the message says how to continue.
    """
    out = Path(out)
    _check_request(config, n, seed, workers, engine, address, hang_s)
    existing = existing_rows(config, seed, n, out, layout, overwrite=overwrite)
    folder = parts_folder(out)
    if existing.is_all(n, layout):
        if layout == "parts" or not folder.exists():
            return
        if not is_left_over(folder, config, seed, n):
            tell(f"{folder} holds parts of another build, which are kept")
            return
    if opener is None:
        opener = OpenByRays(config, seed) if by_rays else OpenSource(config, seed)
    if config.isolated and engine == "local":
        choose_gl()  # here, so that its workers need not choose
    _check_limit(config, opener, n)
    with progress_bar() as bar:
        tally = _Tally(bar, folder, n)
        with _errors_with(tally), _sigterm_as_sigint(), locked(folder, "building"):
            # Another process may have finished it meanwhile.
            existing = existing_rows(config, seed, n, out, layout, overwrite=overwrite)
            if not existing.is_all(n, layout):
                claim(folder, config, seed, out, existing, overwrite=overwrite)
                parts = plan(config.size, existing.whole_chunks, n)
                missing = _missing(parts, folder)
                done = n - sum(part.rows for part in missing)
                tally.resume(done, announced=done > 0)
                finished = [part for part in parts if part not in missing]
                _check_earlier(finished, folder, out, existing.whole_chunks, tally)
                make = _engine(config, engine, address, workers, len(missing), hang_s)
                make(opener, missing, folder, tally.advance)
                joining = tally.counting("joining", n)
                _finish(parts, folder, out, existing.whole_chunks, layout, joining)
            if layout == "file":
                shutil.rmtree(folder)


def _check_limit(config: DatasetConfig, opener: Opener, n: int) -> None:
    """Refuses more rows than the source has; a source that is isolated has no limit."""
    limit = None if config.isolated else opener().limit
    if limit is not None and n > limit:
        raise UsageError(f"--n {n} is more than there is: {limit}")


@contextmanager
def _errors_with(tally: _Tally) -> Iterator[None]:
    """Turns errors of the block into one line that also says which scenes are kept.

    Raises:
        CommandError: scenes could not be made or written.
        KeyboardInterrupt: the build was interrupted; the message says how to continue.
    """
    try:
        yield
    except UnreadableSceneError as error:
        way_out = "run the command again to leave it out"
        raise CommandError(f"{error}; {way_out}{tally.kept()}") from error
    except MixedCodesError as error:
        raise CommandError(f"{error}{tally.kept()}") from error
    except OSError as error:
        raise CommandError(f"{_reason(error)}{tally.kept()}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted{tally.kept()}; run the same command again to continue"
        ) from None


def _check_request(
    config: DatasetConfig,
    n: int,
    seed: int,
    workers: int | None,
    engine: Engine,
    address: str | None,
    hang_s: float,
) -> None:
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    if n > (most := most_rows(config.size)):
        raise UsageError(f"--n must be at most {most:,} at {config.size} pixels, got {n:,}")
    with refusing():
        check_seed(seed)
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        limits = "at least 1" if workers < 1 else f"at most {MOST_WORKERS}"
        raise UsageError(f"--workers must be {limits}, got {workers}")
    if not 0 < hang_s < math.inf:
        raise UsageError(f"hang_s must be above 0 and finite, got {hang_s}")
    if engine == "ray" and workers is not None:
        raise UsageError("--workers is for this machine; a Ray cluster uses all its cores")
    if engine != "ray" and address is not None:
        raise UsageError("--address goes with --engine ray")


def _check_earlier(
    parts: list[Part], folder: Path, out: Path, old_rows: int, tally: _Tally
) -> None:
    """Refuses damaged parts and rows of earlier commands, before anything is built on them."""
    if not parts and not old_rows:
        return
    advance = tally.counting("checking", old_rows + sum(part.rows for part in parts))
    if old_rows:
        check_kept(out, old_rows, advance)
    check_parts(parts, folder, advance)


def _missing(parts: list[Part], folder: Path) -> list[Part]:
    names = {path.name for path in folder.iterdir()}
    return [part for part in parts if part.name not in names]


def _engine(
    config: DatasetConfig,
    engine: Engine,
    address: str | None,
    workers: int | None,
    parts: int,
    hang_s: float,
) -> Callable[[Opener, list[Part], Path, Callable[[Part], None]], None]:
    if engine == "ray" and parts:
        return partial(make_on_ray, address=address)
    count = 1 if config.sequential else min(workers or available_cores(), parts)
    if count <= 1 and not config.isolated:
        return make_here
    # Only workers that render are watched: others wait for disks, which answer in the end.
    return partial(make_in_processes, workers=count, hang_s=hang_s if config.isolated else None)


def _finish(
    parts: list[Part],
    folder: Path,
    out: Path,
    old_rows: int,
    layout: Layout,
    advance: Callable[[int], None],
) -> None:
    kept = [Origin(out, old_rows)] if old_rows else []
    made = [Origin(part.path(folder), part.rows) for part in parts]
    with whole_or_not(out, folder) as temporary:
        if layout == "parts":
            index(parts, folder, temporary)
        else:
            join([*kept, *made], temporary, advance)


@contextmanager
def _sigterm_as_sigint() -> Iterator[None]:
    """Lets SIGTERM end a build as Ctrl-C does; Python allows this in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason = os.strerror(error.errno)
        return f"{reason}: make room and run the same command again"
    return in_words(error)
