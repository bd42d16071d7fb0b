"""Makes the files of benchmarks, always by OSMesa."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenes.benchmarks.comparison import Comparison, compare, is_made_as
from scenes.benchmarks.table import BENCHMARKS, SEED, Benchmark, check_rows, names_of
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.render.gl import gl_environment

FOLDER = Path("data/benchmark")


def build_benchmark(
    name: str,
    *,
    n: int = 320,
    out: Path | str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Makes or extends the file of a benchmark, and compares it with the benchmark's checksums.

    A file that has more scenes stays as it is; its first `n` are compared.

    Example:
        >>> import scenes
        >>> comparison = scenes.build_benchmark("multi_dsprites", out="sprites.h5", workers=1)
        >>> comparison.rows, comparison.exact
        (320, True)

    Args:
        name: one of `scenes.benchmarks.table.BENCHMARKS`.
        n: number of scenes, 320 or 10,000, where there are checksums of so many.
        out: the file; data/benchmark/NAME.h5 by default.
        workers: processes; all cores by default.
        overwrite: make the file anew, whatever it holds.

    Raises:
        UsageError: there is no such benchmark or number of scenes, or `out` holds something else.
        CommandError: OSMesa is missing, or the scenes are not the benchmark's; the file stays.
    """
    if name not in BENCHMARKS:
        names_of(name)  # names what there is, if there is no such family either
        raise UsageError(f"{name} is several benchmarks; make one at a time")
    check_rows(name, n)
    benchmark = BENCHMARKS[name]
    path = file_of(name) if out is None else Path(out)
    if overwrite or not _has_more(path, benchmark, n):
        with drawn_by_osmesa():
            build(benchmark.config, n=n, seed=SEED, out=path, workers=workers, overwrite=overwrite)
    with SceneFile(path) as file:
        comparison = compare(file, benchmark, n)
    if comparison.problems:
        raise CommandError(f"{path}: not {name}: {'; '.join(comparison.problems)}")
    return comparison


def file_of(name: str) -> Path:
    """Returns where a benchmark's file lies unless another place is named."""
    return FOLDER / f"{name}.h5"


def _has_more(path: Path, benchmark: Benchmark, n: int) -> bool:
    if not path.exists():
        return False
    try:
        with SceneFile(path) as file:
            return file.n > n and is_made_as(file, benchmark)
    except FileError:
        return False  # the build says what is wrong with it


@contextmanager
def drawn_by_osmesa() -> Iterator[None]:
    """Has builds draw by OSMesa, whatever MUJOCO_GL says."""
    settings = gl_environment("osmesa")
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
