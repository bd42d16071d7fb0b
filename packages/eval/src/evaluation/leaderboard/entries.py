"""What each scores.json adds to a leaderboard, and whose scores these are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenes.benchmarks.table import BENCHMARKS, VERSION, digests_of, rows_of
from scenes.command_line import CommandError, UsageError

from evaluation.json_files import read_json, readable
from evaluation.scores.labels import DECODED, REFINED
from evaluation.scores.result_files import SCORES, from_content
from evaluation.scores.results import BenchmarkScenes, FileScores, Generalisation, Row

SEED_FOLDER = re.compile(r"seed[-_]?(\d{1,18})", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One row of scores of one training seed."""

    path: str
    """The scores.json."""
    model: str
    seed: int | None
    masks: str
    """Empty for the model's own masks, or `DECODED` or `REFINED`."""
    num_slots: int
    benchmark: BenchmarkScenes
    metrics: Row

    @property
    def place(self) -> tuple[str, int, str, str, int]:
        """What entries share that are seeds of each other: benchmark, size, model, masks, slots."""
        return (
            self.benchmark.name,
            self.benchmark.size,
            self.model,
            self.masks,
            self.num_slots,
        )


@dataclass(frozen=True)
class Bar:
    """What no model decides: a baseline's scores, or the ceiling's under an empty name."""

    path: str
    name: str
    benchmark: BenchmarkScenes
    metrics: Row


@dataclass
class Material:
    """Everything that the files of a leaderboard hold."""

    entries: list[Entry] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """A line for each file that holds no scores, or none on a known benchmark."""


def read_material(folders: Sequence[Path]) -> Material:
    """Reads every scores.json below some folders.

    Raises:
        UsageError: a folder is none, or holds no scores.json, or none of a known benchmark.
        CommandError: a file cannot be read, or is of a benchmark that this version does not know.
    """
    if not folders:
        raise UsageError("name a folder with scores.json files below it")
    material = Material()
    for path in _files(folders):
        _add(material, path)
    if not material.entries:
        first, *others = material.left_out
        raise UsageError(
            f"{first}{f', as are {len(others)} more' if others else ''}; `scenes benchmark` makes "
            "the files to score (docs/benchmark.md)"
        )
    return material


def _files(folders: Sequence[Path]) -> list[Path]:
    files: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{readable(folder)}: no such folder")
        below = sorted(folder.rglob(SCORES))
        if not below:
            raise UsageError(f"{readable(folder)}: no {SCORES} below it; `eval score` writes one")
        files |= {path.resolve(): path for path in below}
    return list(files.values())


def _add(material: Material, path: Path) -> None:
    where = readable(path)
    content = read_json(path)
    try:
        result = from_content(content)
    except ValueError as error:
        raise CommandError(f"{where}: {error}") from error
    if isinstance(result, FileScores):
        added = list(_of_file(result))
    elif isinstance(result, Generalisation):
        added = list(_of_conditions(result))
    else:
        raise CommandError(f"{where}: holds no scores of `eval score` or `eval generalise`")
    if not any(rows for _, rows, _ in added):
        reason = "holds no scores" if added else "not of a known benchmark"
        material.left_out.append(f"{where}: {reason}")
        return
    model, seed = whose(
        path, result.name if isinstance(result, FileScores) else result.checkpoint.name
    )
    for benchmark, rows, bars in added:
        check_known(where, benchmark)
        for (masks, num_slots), metrics in rows.items():
            entry = Entry(where, model, seed, masks, num_slots, benchmark, metrics)
            material.entries.append(entry)
        material.bars += [Bar(where, name, benchmark, row) for name, row in bars.items()]


Rows = dict[tuple[str, int], Row]
"""Scores by kind of masks and number of slots."""


def _of_file(result: FileScores) -> Iterator[tuple[BenchmarkScenes, Rows, dict[str, Row]]]:
    if result.benchmark is None:
        return
    kinds = {"": result.metrics, DECODED: result.decoded_masks, REFINED: result.refined}
    rows = {(kind, result.num_slots): row for kind, row in kinds.items() if row}
    ceiling = {} if result.ceiling is None else {"": result.ceiling}
    yield result.benchmark, rows, {**result.baselines, **ceiling}


def _of_conditions(
    result: Generalisation,
) -> Iterator[tuple[BenchmarkScenes, Rows, dict[str, Row]]]:
    kinds = {"": result.conditions, DECODED: result.decoded_masks, REFINED: result.refined}
    for condition, benchmark in result.benchmarks.items():
        rows = {
            (kind, result.num_slots): rows[condition]
            for kind, rows in kinds.items()
            if condition in rows
        }
        trained = result.as_trained
        if trained is not None and condition in trained.conditions:
            rows["", trained.num_slots] = trained.conditions[condition]
        bars = {
            name: rows[condition] for name, rows in result.baselines.items() if condition in rows
        }
        if condition in result.ceilings:
            bars[""] = result.ceilings[condition]
        yield benchmark, rows, bars


def whose(path: Path, own_name: str) -> tuple[str, int | None]:
    """Returns the model and the seed whose scores a file holds.

    Seeds of one model lie in folders `MODEL/seed0`, `MODEL/seed1`, at any depth: the innermost
    folder called `seedN` says the seed, the one that it lies in the model.

    Args:
        path: of the scores.json.
        own_name: of the model where no folder is called so.
    """
    folders = path.absolute().parent.parts
    for index in range(len(folders) - 1, 1, -1):
        seed = SEED_FOLDER.fullmatch(folders[index])
        if seed:
            return readable(folders[index - 1]), int(seed[1])
    return own_name, None


def check_known(where: str, benchmark: BenchmarkScenes) -> None:
    """Refuses scores of a benchmark that is not exactly one that this version knows.

    Raises:
        CommandError: it is another.
    """
    name = f"{benchmark.name} version {benchmark.version}"
    if benchmark.name not in BENCHMARKS or benchmark.version != VERSION:
        raise CommandError(
            f"{where}: of {name}; this program knows version {VERSION} of {', '.join(BENCHMARKS)}"
        )
    if benchmark.rows not in (known := rows_of(benchmark.name)):
        sizes = " or ".join(f"{rows:,}" for rows in known)
        raise CommandError(f"{where}: of {benchmark.rows:,} scenes of {name}, which has {sizes}")
    own_size = BENCHMARKS[benchmark.name].config.size
    if benchmark.size < 1 or own_size % benchmark.size:
        raise CommandError(
            f"{where}: {name} at {benchmark.size} pixels, to which {own_size} are not averaged down"
        )
    listed = digests_of(benchmark.name, benchmark.rows)
    if benchmark.factors != listed.factors:
        raise CommandError(
            f"{where}: factors {benchmark.factors} are not those of {name}, {listed.factors}"
        )
    if benchmark.exact != (benchmark.pixels == listed.pixels):
        raise CommandError(f"{where}: pixels {benchmark.pixels} are said to be the benchmark's own")
