"""Scores that tests of leaderboards are made of."""

from collections.abc import Callable
from pathlib import Path

from evaluation.scores.results import BenchmarkScenes, FileScores, ModelIdentity, Statistic
from scenes.benchmarks.table import VERSION, digests_of

Write = Callable[..., Path]


def statistic(mean: float, half: float = 0.02) -> Statistic:
    return Statistic(mean, half / 2, mean - half, mean + half, 320)


def scenes_of(name: str = "rooms_test", rows: int = 320, size: int = 64) -> BenchmarkScenes:
    """Returns what scores of a benchmark's own pixels say of their scenes."""
    listed = digests_of(name, rows)
    return BenchmarkScenes(name, VERSION, rows, size, listed.factors, listed.pixels, exact=True)


def scores(
    ari_fg: float,
    benchmark: BenchmarkScenes | None,
    *,
    name: str = "mine",
    refined: float | None = None,
    baseline: float = 0.5,
    **changes: object,
) -> FileScores:
    """Returns scores of a model, with one baseline."""
    fields = {
        "checkpoint": ModelIdentity(None, name, None),
        "predictions": None,
        "data": "rooms.h5",
        "n": 320,
        "num_slots": 7,
        "metrics": {"ari_fg": statistic(ari_fg), "ari": statistic(0.7), "mse": statistic(0.01, 0)},
        "refined": None if refined is None else {"ari_fg": statistic(refined)},
        "baselines": {"k-means on colour": {"ari_fg": statistic(baseline)}},
        "benchmark": benchmark,
    }
    return FileScores(**{**fields, **changes})  # type: ignore[arg-type]
