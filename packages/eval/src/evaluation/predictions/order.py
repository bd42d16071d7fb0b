"""Refuses predictions in another order than the scenes, which would be scored as bad ones.

A file may state its order itself, in `scene`, the row of each prediction. Otherwise a statistical
test decides, which compares the predictions with scenes of other rows and with mirror images of
these scenes.

A scene and its mirror image are equally likely. A program that made a prediction for row i, without
having seen the scene of row j, cannot tell which of the two is in the file. So take for each scene
j the prediction of another row that fits best, either to the scene or to its mirror image: in half
of the cases it fits the mirror image. In a file in another order, however, the prediction that
belongs to scene j stands in another row, and fits the scene.

Predictions are refused where the scene wins so often that a fair coin would do so with a
probability of less than `SIGNIFICANCE`. A prediction counts only if it fits the other scene better
than that of its own row, by `GAIN`, since predictions in order fit their own. Predictions that do
not depend on the image (noise, grids, constant masks, untrained models) have no reason to prefer a
scene to its mirror image, however well they fit either.

Two cautions. If objects are mostly on one side, scenes win against mirror images too. The next best
predictions show how often that happens in the right order, and the best must win more often than
these, by Fisher's exact test at `BESIDE_NEXT`. And if few rows are in another order, the others
hide them. So the test is made on all scenes, on the half whose best prediction leads the next best
by most, on half of that half and so on, and the significance is shared among these tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, Integer
from scenes.command_line import CommandError

GRID = 16
"""Pixels of height at which segmentations are compared."""
SCENES = 500
"""Number of first scenes and predictions that are compared with each other."""
GAIN = 0.05
"""Nats of mutual information by which a prediction must fit another scene better than its own."""
SIGNIFICANCE = 1e-4
"""Probability of refusing predictions that are in the right order."""
BESIDE_NEXT = 1e-2
"""Significance at which the best predictions must win more often than the next best."""
FEWEST = 20
"""Fewest scenes for a test: among fewer, a fair coin could win that often."""
_NUMBERS_AT_ONCE = 2**24


@dataclass(frozen=True)
class Rivals:
    """For each scene the prediction of another row that fits it or its mirror image best."""

    row: Int64[np.ndarray, " N"]
    """Row of that prediction."""
    gain: Float64[np.ndarray, " N"]
    """How much better the prediction fits there than to the scene of its own row."""
    lead: Float64[np.ndarray, " N"]
    """How much better the prediction fits there than the next best prediction."""
    margin: Float64[np.ndarray, " N"]
    """How much better the prediction fits the scene than its mirror image; 0 decides nothing."""
    next_margin: Float64[np.ndarray, " N"]
    """`margin` of the next best prediction."""


def check_order(
    path: Path, true: Integer[np.ndarray, "N H W"], pred: Integer[np.ndarray, "N H W"]
) -> None:
    """Refuses segmentations that fit the scenes significantly better in another order.

    Args:
        path: of the predictions, for the message.
        true: entity index of each pixel.
        pred: slot index of each pixel.

    Raises:
        CommandError: the segmentations are in another order.
    """
    true, pred = true[:SCENES], pred[:SCENES]
    if len(true) < FEWEST:
        return
    slots, scenes, mirrored = _coarse(pred), _coarse(true), _coarse(true[:, :, ::-1])
    rows = np.flatnonzero([len(np.unique(scene)) > 1 for scene in scenes])
    if len(rows) < FEWEST:  # a scene of one entity fits anything
        return
    fit, mirror_fit = _fit(slots[rows], scenes[rows]), _fit(slots[rows], mirrored[rows])
    rivals = _rivals(fit, mirror_fit)
    wins = _significant_wins(rivals)
    if wins is None:
        return
    scene = wins[0]
    raise CommandError(
        f"{path}: not in the order of the data file: prediction {rows[rivals.row[scene]]} fits "
        f"scene {rows[scene]}, and {len(wins):,} of {len(rows):,} scenes are fitted by the "
        "prediction of another row; sort them, or keep each one's row in a dataset `scene`"
    )


def check_rows(path: Path, scene: np.ndarray) -> None:
    """Refuses predictions whose `scene` is not 0, 1, 2 and so on, the rows of the data file.

    Raises:
        CommandError: a prediction is of another row.
    """
    wrong = np.flatnonzero(scene != np.arange(len(scene)))
    if len(wrong):
        raise CommandError(
            f"{path}: scene: prediction {wrong[0]} is of scene {scene[wrong[0]]}; predictions must "
            "be in the order of the data file"
        )


def _rivals(fit: Float64[np.ndarray, "N N"], mirror_fit: Float64[np.ndarray, "N N"]) -> Rivals:
    """Finds each scene's best predictions of other rows.

    Args:
        fit: of every prediction (first axis) with every scene.
        mirror_fit: the same with the scenes' mirror images.
    """
    rows = np.arange(len(fit))
    # Some predictions fit everything better than others do, so each one's mean is subtracted.
    mean = ((fit + mirror_fit) / 2).mean(axis=1, keepdims=True)
    better = np.maximum(fit, mirror_fit) - mean
    np.fill_diagonal(better, -np.inf)
    best = better.argmax(axis=0)
    highest = better[best, rows]
    better[best, rows] = -np.inf
    second, margin = better.argmax(axis=0), fit - mirror_fit
    return Rivals(
        row=best,
        gain=highest + mean[best, 0] - fit[best, best],
        lead=highest - better[second, rows],
        margin=margin[best, rows],
        next_margin=margin[second, rows],
    )


def _significant_wins(rivals: Rivals) -> Int64[np.ndarray, " W"] | None:
    """Returns the scenes that win against their mirror images; `None` if that may be by chance."""
    from scipy.stats import binom, hypergeom  # not at the top: it takes 0.3 s

    order = np.argsort(-rivals.lead, kind="stable")
    order = order[(rivals.gain[order] > GAIN) & (rivals.margin[order] != 0)]
    sizes = [len(order) >> halving for halving in range(len(order).bit_length())]
    sizes = [size for size in sizes if size >= FEWEST]
    for size in sizes:
        scenes = order[:size]
        real = int((rivals.margin[scenes] > 0).sum())
        decided = scenes[rivals.next_margin[scenes] != 0]
        next_real = int((rivals.next_margin[decided] > 0).sum())
        by_coins = binom.sf(real - 1, size, 0.5)
        beside_next = hypergeom.sf(real - 1, size + len(decided), real + next_real, size)
        if by_coins < SIGNIFICANCE / len(sizes) and beside_next < BESIDE_NEXT:
            return scenes[rivals.margin[scenes] > 0]
    return None


def _coarse(labels: Integer[np.ndarray, "N H W"]) -> Int64[np.ndarray, "N P"]:
    """Returns the labels on a coarse grid, numbered anew in each image: 0, 1, 2 and so on."""
    step = max(1, labels.shape[1] // GRID)
    grid = labels[:, step // 2 :: step, step // 2 :: step].reshape(len(labels), -1)
    return np.stack([np.unique(row, return_inverse=True)[1] for row in grid])


def _fit(
    pred: Int64[np.ndarray, "N P"], true: Int64[np.ndarray, "N P"]
) -> Float64[np.ndarray, "N N"]:
    """Returns the mutual information, in nats, of every prediction (first axis) with every scene.

    Unlike the ARI it does not fall where a prediction divides the entities further.
    """
    slots, entities = _one_hot(pred), _one_hot(true)  # (N, K, P), (N, E, P)
    (N, K, P), E = slots.shape, entities.shape[1]
    counts = np.arange(P + 1)
    log_of = counts * np.log(np.maximum(counts, 1))  # n log n
    together = np.empty((N, N))
    step = max(1, _NUMBERS_AT_ONCE // (N * E * K))
    flat = entities.reshape(-1, P).T
    for start in range(0, N, step):
        table = slots[start : start + step].reshape(-1, P) @ flat  # (step K, N E)
        terms = log_of[table.astype(np.int64)].reshape(-1, K, N, E)
        together[start : start + step] = terms.sum(axis=(1, 3))
    pred_terms, true_terms = (
        log_of[one_hot.sum(axis=2).astype(np.int64)].sum(axis=1) for one_hot in (slots, entities)
    )
    return (together - pred_terms[:, None] - true_terms + log_of[P]) / P


def _one_hot(labels: Int64[np.ndarray, "N P"]) -> Float32[np.ndarray, "N K P"]:
    codes = np.arange(int(labels.max()) + 1)[:, None]
    return (labels[:, None] == codes).astype(np.float32)
