"""Seconds for every metric of 10,000 scenes on one core, beside a loop over scikit-learn.

The loop is timed on some of the scenes, in turns with the whole, and scaled by their number.
"""

import statistics
import time

import numpy as np
from evaluation.metrics import METRICS, metrics_of_images
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from threadpoolctl import threadpool_limits

SCENES, SIZE, SLOTS, BACKGROUND = 10_000, 64, 9, 4
ENTITIES = ("sky", "floor", "wall_left", "wall_right", *(f"object_{i}" for i in range(6)))
LOOPED = 200
ROUNDS = 5


def scenes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns regions around random points, and slots that agree with most of their pixels."""
    y, x = np.mgrid[:SIZE, :SIZE]
    true = np.empty((SCENES, SIZE, SIZE), np.uint8)
    for image in true:
        points = rng.integers(0, SIZE, (len(ENTITIES), 2))
        image[:] = ((y - points[:, :1, None]) ** 2 + (x - points[:, 1:, None]) ** 2).argmin(0)
    agree = rng.random(true.shape, np.float32) < 0.8
    return true, np.where(agree, true % SLOTS, rng.integers(0, SLOTS, true.shape, np.uint8))


def loop(true: np.ndarray, pred: np.ndarray) -> dict[str, list[float]]:
    """Returns every metric by scikit-learn's functions, one image after the other."""
    walls, paper = np.arange(len(ENTITIES)), np.arange(len(ENTITIES))
    walls[3] = 2
    paper[[2, 3]] = 0
    rows: dict[str, list[float]] = {name: [] for name in METRICS}
    for t, p in zip(true.reshape(len(true), -1), pred.reshape(len(pred), -1), strict=True):
        rows["ari"].append(adjusted_rand_score(t, p))
        rows["ari_merged"].append(adjusted_rand_score(walls[t], p))
        rows["ari_paper"].append(adjusted_rand_score(paper[t], p))
        on = t >= BACKGROUND
        rows["ari_fg"].append(adjusted_rand_score(t[on], p[on]))
        rows["ari_fg_sklearn"].append(rows["ari_fg"][-1])
        table = contingency_matrix(t, p)
        areas = table.sum(1)
        iou = table / (areas[:, None] + table.sum(0) - table)
        objects = np.unique(t) >= BACKGROUND
        best, mine = iou.max(1), iou[objects]
        rows["mbo"].append(best.mean())
        rows["msc"].append(best[objects].mean())
        rows["sc"].append(np.average(best[objects], weights=areas[objects]))
        rows["recall"].append((best[objects] > 0.5).mean())
        matches = linear_sum_assignment(mine, maximize=True)
        rows["miou"].append(mine[matches].sum() / len(mine))
        rows["count"].append(float(objects[table.argmax(0)].sum() == len(mine)))
    return rows


def main() -> None:
    true, pred = scenes(np.random.default_rng(0))
    ours, theirs = [], []
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            start = time.perf_counter()
            values = metrics_of_images(true, pred, ENTITIES, BACKGROUND)
            middle = time.perf_counter()
            looped = loop(true[:LOOPED], pred[:LOOPED])
            theirs.append((time.perf_counter() - middle) * SCENES / LOOPED)
            ours.append(middle - start)
    for name in METRICS:
        np.testing.assert_allclose(values[name][:LOOPED], looped[name], atol=1e-12, err_msg=name)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(
        f"{SCENES:,} scenes of {SIZE} x {SIZE}, {len(ENTITIES)} entities, {SLOTS} slots, one core"
    )
    spread = f"{min(ours):.2f} to {max(ours):.2f} in {ROUNDS} rounds"
    print(f"{len(METRICS)} metrics: {a:.2f} s ({spread})")
    print(f"loop over scikit-learn: {b:.1f} s ({LOOPED} scenes timed each round, scaled)")
    print(f"ratio: {b / a:.0f}; all values of those {LOOPED} scenes agree")


if __name__ == "__main__":
    main()
