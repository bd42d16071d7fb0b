"""From the scores of single seeds to the tables of a leaderboard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from scenes.benchmarks.table import BENCHMARKS
from scenes.command_line import CommandError
from scipy.special import stdtrit

from evaluation.leaderboard.entries import Bar, Entry, read_material
from evaluation.scores.labels import DECODED, REFINED
from evaluation.scores.leaderboard_results import (
    BenchmarkTable,
    Leaderboard,
    OverSeeds,
    SeedScores,
    Standing,
)
from evaluation.scores.result_files import to_plain
from evaluation.scores.results import Row, Statistic

COLUMNS = ("ari_fg", "ari_merged", "ari", "msc", "recall", "count", "mse")
"""Scores that tables show; the first one that any model has orders them."""
MASKS = ("", REFINED, DECODED)
BARS_AGREE = 0.005
"""Most by which means of a baseline may differ on the same pixels without a remark: half a digit of
what tables show."""


def leaderboard(folders: Sequence[Path]) -> Leaderboard:
    """Gathers the scores below some folders into a table for each benchmark and size of images.

    Args:
        folders: with scores.json files below them; seeds of a model in `MODEL/seedN`.

    Raises:
        UsageError: there is nothing to gather.
        CommandError: a file cannot be read, or scores do not belong into one table.
    """
    material = read_material(folders)
    order = list(BENCHMARKS)
    entries = sorted(
        material.entries, key=lambda e: (order.index(e.benchmark.name), -e.benchmark.size)
    )
    tables = [
        _table(list(group), material.bars)
        for _, group in groupby(entries, key=lambda e: (e.benchmark.name, e.benchmark.size))
    ]
    return Leaderboard(tables=tuple(tables), left_out=tuple(material.left_out))


def _table(entries: Sequence[Entry], bars: Sequence[Bar]) -> BenchmarkTable:
    """Returns the table of one benchmark at one size."""
    first = entries[0]
    benchmark = first.benchmark
    for entry in entries:
        if entry.benchmark.rows != benchmark.rows:
            raise CommandError(
                f"{entry.path}: {entry.benchmark.rows:,} scenes of {benchmark.name}, but "
                f"{benchmark.rows:,} in {first.path}: not the same benchmark; give those of one"
            )
    places: dict[tuple, list[Entry]] = {}
    for entry in entries:
        places.setdefault(entry.place, []).append(entry)
    standings = [_standing(seeds) for seeds in places.values()]
    own = [
        bar
        for bar in bars
        if (bar.benchmark.name, bar.benchmark.size) == (benchmark.name, benchmark.size)
    ]
    remarks: list[str] = []
    rows = _bars(own, remarks)
    ceiling = rows.pop("", None)
    drawings = {e.benchmark.pixels: e.benchmark.exact for e in entries}
    return BenchmarkTable(
        benchmark,
        BENCHMARKS[benchmark.name].title,
        drawings,
        tuple(_ordered(standings)),
        rows,
        ceiling,
        tuple(remarks),
    )


def _standing(entries: Sequence[Entry]) -> Standing:
    """Returns the mean of a model's seeds.

    Raises:
        CommandError: one seed has two different scores, two seeds the same, or one of several is
            not named.
    """
    seeds: dict[int | None, Entry] = {}
    for entry in entries:
        other = seeds.setdefault(entry.seed, entry)
        if to_plain(other.metrics) != to_plain(entry.metrics):
            seed = "the same seed" if entry.seed is None else f"seed {entry.seed}"
            raise CommandError(
                f"{entry.path}: {entry.model!r}, {seed} as in {other.path}, with other scores; "
                "seeds lie in folders MODEL/seed0, MODEL/seed1"
            )
    if len(seeds) > 1 and None in seeds:
        raise CommandError(
            f"{seeds[None].path}: one of {len(seeds)} trainings of {seeds[None].model!r}, and no "
            "folder seedN says which"
        )
    _check_distinct(list(seeds.values()))
    chosen = [seeds[seed] for seed in sorted(seeds, key=lambda seed: seed or 0)]
    rows = [entry.metrics for entry in chosen]
    names = dict.fromkeys(name for row in rows for name in row)
    first = chosen[0]
    return Standing(
        first.model,
        first.masks,
        first.num_slots,
        tuple(SeedScores(e.seed, e.path, e.metrics, e.benchmark.pixels) for e in chosen),
        {name: over_seeds([row[name] for row in rows if name in row]) for name in names},
    )


def _check_distinct(entries: Sequence[Entry]) -> None:
    for index, entry in enumerate(entries):
        for other in entries[:index]:
            if to_plain(entry.metrics) == to_plain(other.metrics):
                raise CommandError(
                    f"{entry.path}: has exactly the scores of {other.path}: one training counted "
                    f"as seeds {other.seed} and {entry.seed} of {entry.model!r}"
                )


def over_seeds(statistics: Sequence[Statistic]) -> OverSeeds:
    """Returns the mean of a score over seeds, with the t interval over these seeds.

    Args:
        statistics: of each seed; those where the score is undefined do not count.
    """
    defined = [one for one in statistics if not math.isnan(one.mean)]
    count = len(defined)
    if not count:
        return OverSeeds(math.nan, 0, math.nan, math.nan, math.nan)
    means = np.array([one.mean for one in defined])
    mean = float(means.mean())
    half = math.nan
    if count > 1:
        half = float(stdtrit(count - 1, 0.975) * means.std(ddof=1) / math.sqrt(count))
    images = float(np.mean([(one.high - one.low) / 2 for one in defined]))
    return OverSeeds(mean, count, mean - half, mean + half, images)


def _ordered(standings: Sequence[Standing]) -> list[Standing]:
    """Returns models, the best first, each followed by its other masks and numbers of slots."""
    column = first_column(standings)

    def score(standing: Standing) -> float:
        own = standing.scores.get(column)
        if own is None or math.isnan(own.mean):
            return math.inf
        return own.mean if column == "mse" else -own.mean

    best: dict[str, float] = {}
    for standing in standings:
        if not standing.masks:
            best[standing.model] = min(best.get(standing.model, math.inf), score(standing))
    return sorted(
        standings,
        key=lambda s: (best.get(s.model, math.inf), s.model, s.num_slots, MASKS.index(s.masks)),
    )


def first_column(standings: Iterable[Standing]) -> str:
    """Returns the first score of `COLUMNS` that any of the models has."""
    return next(iter(shown_columns([standing.scores for standing in standings])), COLUMNS[0])


def shown_columns(rows: Iterable[Mapping[str, OverSeeds] | Row]) -> list[str]:
    """Returns the scores of `COLUMNS` that are defined in any of the rows."""
    defined = {name for row in rows for name, one in row.items() if not math.isnan(one.mean)}
    merged = "ari_merged" in defined  # of rooms, over which it says what `ari` says of others
    return [name for name in COLUMNS if name in defined and not (merged and name == "ari")]


def _bars(bars: Sequence[Bar], remarks: list[str]) -> dict[str, Row]:
    """Returns each baseline once, as the first file has it.

    Args:
        bars: of all files.
        remarks: gets a line for each file that has one otherwise on the same pixels.
    """
    chosen: dict[str, Bar] = {}
    for bar in bars:
        other = chosen.setdefault(bar.name, bar)
        if other.benchmark.pixels != bar.benchmark.pixels:
            continue
        for name in (name for name in other.metrics if name in bar.metrics):
            apart = abs(other.metrics[name].mean - bar.metrics[name].mean)
            if apart > BARS_AGREE:
                remarks.append(
                    f"{bar.path}: {name} of {bar.name or 'the ceiling'} is {apart:.2g} from that "
                    f"in {other.path}, on the same pixels: another version made one of them"
                )
    return {name: bar.metrics for name, bar in chosen.items()}
