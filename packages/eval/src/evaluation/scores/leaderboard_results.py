"""What a leaderboard holds, as data; its Markdown and its page show nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.scores.results import SCHEMA, BenchmarkScenes, Row


@dataclass(frozen=True)
class SeedScores:
    """Scores of one training seed of a model."""

    seed: int | None
    """Its number, from the folder `seedN`; `None` where no folder says it."""
    path: str
    """The scores.json that has them."""
    metrics: Row
    pixels: str
    """SHA-256 of the pixels that were scored."""


@dataclass(frozen=True)
class OverSeeds:
    """The mean of a score over training seeds."""

    mean: float
    """Over the seeds where the score is defined; NaN where there is none."""
    count: int
    """Number of these seeds."""
    low: float
    """Lower end of the 95% t interval over seeds; NaN with fewer than two."""
    high: float
    """Upper end."""
    half_over_images: float
    """Half of the 95% interval over images, mean of the seeds'."""


@dataclass(frozen=True)
class Standing:
    """A model, or another segmentation of it, in the table of a benchmark."""

    model: str
    masks: str
    """Empty for the model's own masks, or `decoded_masks` or `refined`."""
    num_slots: int
    seeds: tuple[SeedScores, ...]
    scores: Mapping[str, OverSeeds]


@dataclass(frozen=True)
class BenchmarkTable:
    """Everything that was scored on one benchmark at one size."""

    benchmark: BenchmarkScenes
    """Of the first file; the others have the same but for `pixels` and `exact`."""
    title: str
    drawings: Mapping[str, bool]
    """SHA-256 of each drawing that was scored, and whether it is the benchmark's own."""
    standings: tuple[Standing, ...]
    """The best first, by the first score that any of them has; a model's other masks follow it."""
    baselines: Mapping[str, Row]
    ceiling: Row | None
    remarks: tuple[str, ...]
    """A line for each baseline that files have otherwise on the same pixels."""


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """A table for each benchmark."""

    schema: int = SCHEMA
    tables: tuple[BenchmarkTable, ...]
    left_out: tuple[str, ...]
    """A line for each file whose scenes are of no benchmark that is known."""
