"""Mean, standard error and bootstrap interval of per-image scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from evaluation.scores.results import Statistic

_RESAMPLES_AT_ONCE = 100


def statistics(
    values: Mapping[str, Float64[np.ndarray, " N"]],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
) -> dict[str, Statistic]:
    """Returns the statistic of each score.

    The bootstrap draws from all images, including those where a score is undefined. It draws the
    same ones for all scores, so that one matrix product gives all means.

    Args:
        values: score of each image by name, NaN where undefined; all of one length.
        rng: source of the resamples.
        resamples: number of bootstrap resamples; the interval is their 2.5 to 97.5 percentiles.
    """
    if not values:
        return {}
    scores = np.stack(list(values.values()), axis=1)  # (N, M)
    defined = ~np.isnan(scores)
    counts = defined.sum(0)
    filled = np.where(defined, scores, 0)
    means = np.full(len(counts), np.nan)
    np.divide(filled.sum(0), counts, out=means, where=counts > 0)
    squares = np.where(defined, np.square(filled - np.nan_to_num(means)), 0).sum(0)
    sems = np.full(len(counts), np.nan)
    np.divide(squares, counts * (counts - 1.0), out=sems, where=counts > 1)
    low, high = _intervals(filled, defined, rng, resamples)
    low, high = (np.where(counts > 1, end, np.nan) for end in (low, high))
    # Resampled sums are rounded in another order; a score that never varies must keep its value.
    low, high = np.minimum(low, means), np.maximum(high, means)
    return {
        name: Statistic(
            mean=float(means[i]),
            sem=float(np.sqrt(sems[i])),
            low=float(low[i]),
            high=float(high[i]),
            count=int(counts[i]),
        )
        for i, name in enumerate(values)
    }


def _intervals(
    filled: Float64[np.ndarray, "N M"],
    defined: np.ndarray,
    rng: np.random.Generator,
    resamples: int,
) -> tuple[Float64[np.ndarray, " M"], Float64[np.ndarray, " M"]]:
    """Returns the ends of the 95% percentile interval of each column's mean."""
    N, M = filled.shape
    columns = np.concatenate([filled, defined], axis=1)
    means = np.full((resamples, M), np.nan)
    for start in range(0, resamples if N else 0, _RESAMPLES_AT_ONCE):
        rows = min(_RESAMPLES_AT_ONCE, resamples - start)
        drawn = rng.integers(0, N, (rows, N))
        times = np.stack([np.bincount(images, minlength=N) for images in drawn])  # (rows, N)
        sums, counts = np.split(times.astype(np.float64) @ columns, 2, axis=1)
        np.divide(sums, counts, out=means[start : start + rows], where=counts > 0)
    ends = np.full((2, M), np.nan)
    has_means = ~np.isnan(means).all(0)
    ends[:, has_means] = np.nanpercentile(means[:, has_means], [2.5, 97.5], axis=0)
    return ends[0], ends[1]
