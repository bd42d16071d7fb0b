"""Cuts a file into training, validation and test scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from scenes.command_line import UsageError, refusing
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.limits import check_seed, check_whole
from scenes.regular_files import read_regular
from scenes.serialise import parse_json, to_json
from scenes.splits.config import SplitConfig
from scenes.splits.source import seal_of

REST = "train"
"""Name of the split with the rows that are in no other split."""
MOST_LIST_BYTES = 256 << 20

Rows = int | Sequence[Any] | np.ndarray
"""A number of rows, or the numbers of certain rows."""


@dataclass(frozen=True)
class Split:
    """One of the files that `split` wrote."""

    path: Path
    n: int
    """Number of scenes."""


def split(
    file: Path | str,
    *,
    test: Rows = 0,
    validation: Rows = 0,
    seed: int | None = None,
    out: Path | str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> dict[str, Split]:
    """Writes a file's scenes as files of their own: test, validation, and the rest as `train`.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=20, seed=0, out="sprites.h5")
        >>> parts = scenes.split("sprites.h5", test=4, validation=[0, 7])
        >>> {name: part.n for name, part in parts.items()}
        {'train': 14, 'validation': 2, 'test': 4}
        >>> scenes.SceneFile("sprites_test.h5").config.variant
        'colored_on_colored'

    Args:
        file: a file of scenes, or an index of parts.
        test: how many scenes, or which, by their numbers in the file.
        validation: how many scenes, or which, for validation.
        seed: takes scenes at random; without it the last ones are taken, test scenes last of all.
        out: folder of FILE_train.h5, FILE_validation.h5 and FILE_test.h5; by default the file's.
        workers: processes; all cores by default. The bytes do not depend on it.
        overwrite: replace files that hold something else.

    Returns:
        The files, by the name of the split; a split without scenes has none.

    Raises:
        UsageError: a number is out of range or chosen twice, no scene is left for training, or a
            file there holds something else.
        FileError: the file is not as it was written.
    """
    path = Path(file)
    folder = path.parent if out is None else Path(out)
    with SceneFile(path) as opened:
        n, dataset, seed_of_scenes = opened.n, opened.dataset, opened.seed
        config, sides = opened.config, opened["image"].shape[1:3]
    rows = choose_rows(n, {"test": test, "validation": validation}, seed)
    content = seal_of(path)
    files = {}
    for name, numbers in rows.items():
        if not len(numbers):
            continue
        part = SplitConfig(
            str(path), content, dataset, to_json(config), _ranges(numbers), max(sides)
        )
        target = folder / f"{path.stem}_{name}.h5"
        build(part, n=part.n, seed=seed_of_scenes, out=target, workers=workers, overwrite=overwrite)
        files[name] = Split(target, part.n)
    return files


def choose_rows(
    n: int, wanted: Mapping[str, Rows], seed: int | None
) -> dict[str, Int64[np.ndarray, " M"]]:
    """Returns the rows of each split, in rising order; the rest comes first.

    Args:
        n: number of rows in the file.
        wanted: how many rows, or which, by the name of the split.
        seed: chooses rows at random; `None` takes the last ones.

    Raises:
        UsageError: a row does not exist or is chosen twice, or none is left for the rest.
    """
    free = np.ones(n, dtype=bool)
    chosen: dict[str, Int64[np.ndarray, " M"]] = {}
    for name, rows in wanted.items():  # lists first, since counts choose among the rows left
        if not isinstance(rows, int):
            chosen[name] = _listed(name, rows, free)
    if seed is not None:
        with refusing():
            check_seed(seed)
    rng = None if seed is None else np.random.default_rng(seed)
    for name, count in wanted.items():
        if isinstance(count, int):
            chosen[name] = _counted(name, count, free, rng)
    if not free.any():
        raise UsageError(f"no scene of {n:,} is left for {REST}")
    return {REST: np.flatnonzero(free), **{name: chosen[name] for name in reversed(list(wanted))}}


def _listed(
    name: str, rows: Sequence[Any] | np.ndarray, free: np.ndarray
) -> Int64[np.ndarray, " M"]:
    """Returns the rows of a list, and clears them in `free`."""
    numbers = rows.tolist() if isinstance(rows, np.ndarray) else list(rows)
    for row in numbers:
        with refusing():
            check_whole(f"a row of --{name}", row, 0, len(free) - 1)
        if not free[row]:
            raise UsageError(f"--{name}: row {row} is chosen twice")
        free[row] = False
    return np.sort(np.array(numbers, dtype=np.int64))


def _counted(
    name: str, count: int, free: np.ndarray, rng: np.random.Generator | None
) -> Int64[np.ndarray, " M"]:
    """Returns a number of free rows, and clears them in `free`."""
    choice = np.flatnonzero(free)
    with refusing():
        check_whole(f"--{name}", count, 0, len(choice))
    rows = (
        choice[len(choice) - count :] if rng is None else rng.choice(choice, count, replace=False)
    )
    free[rows] = False
    return np.sort(rows)


def _ranges(rows: Int64[np.ndarray, " M"]) -> tuple[tuple[int, int], ...]:
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return tuple((int(run[0]), int(run[-1]) + 1) for run in runs)


def rows_of(text: str | None, name: str) -> int | list[Any]:
    """Returns the rows that a flag names: how many, or which.

    Args:
        text: a number, or the path of a JSON list of numbers; `None` for no rows.
        name: of the split and its flag.

    Raises:
        UsageError: the text is neither.
    """
    if text is None:
        return 0
    if text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    try:
        rows = parse_json(read_regular(Path(text), MOST_LIST_BYTES).decode())
    except FileNotFoundError:
        raise UsageError(f"--{name} {text}: neither a number nor a file") from None
    except ValueError as error:
        raise UsageError(f"--{name} {text}: {error}") from error
    if not isinstance(rows, list):
        raise UsageError(f"--{name} {text}: must be a list of the numbers of scenes")
    return rows
