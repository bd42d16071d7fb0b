"""Whether predictions are in the order of the scenes: a shuffled file would be scored as a bad one.

A file may say so itself, with `scene`, the row of each prediction. Otherwise the segmentations are
compared with the truth of other scenes, on a coarse grid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64, Integer
from scenes.command_line import CommandError
from scenes.segmentation import ari_of_table

GRID = 16
"""Pixels of height at which segmentations are compared."""
ROWS = 64
"""Number of predictions that are compared with other scenes."""
SCENES = 2000
"""Number of scenes that they are compared with."""
FEWEST = 8
"""With fewer scenes chance could explain anything, and nothing is refused."""
GAIN = 0.1
"""How much higher the ARI with another scene must be for that scene to fit better."""
SHARE = 0.25
"""Share of the predictions that must each fit a scene of their own better."""


def check_order(
    path: Path, true: Integer[np.ndarray, "N H W"], pred: Integer[np.ndarray, "N H W"]
) -> None:
    """Refuses segmentations of the same scenes in another order.

    They are refused if, on average, each fits its own scene no better than the other scenes do,
    yet many of them fit some other scene well, each another one. Segmentations that do not look
    at the image, such as a grid, all fit the same scenes best and pass; so do useless ones.

    Args:
        path: of the predictions, for the message.
        true: entity index of each pixel.
        pred: slot index of each pixel.

    Raises:
        CommandError: they are in another order.
    """
    if len(true) < FEWEST:
        return
    rows = np.linspace(0, min(len(true), SCENES) - 1, min(len(true), ROWS)).astype(int)
    fit = _fit(_coarse(pred[rows]), _coarse(true[:SCENES]))
    told = ~np.isnan(fit).any(0)  # scenes of one entity fit anything
    rows, fit, scenes = rows[told[rows]], fit[told[rows]][:, told], np.flatnonzero(told)
    if len(scenes) < FEWEST or len(rows) < FEWEST:
        return
    own = np.searchsorted(scenes, rows)
    # What is left of the fit when some predictions and some scenes fit better whatever the other.
    excess = fit - fit.mean(0) - fit.mean(1, keepdims=True) + fit.mean()
    mine = excess[np.arange(len(rows)), own]
    if mine.mean() > 2 * mine.std(ddof=1) / np.sqrt(len(mine)):
        return
    best = fit.argmax(1)
    gain = fit.max(1) - fit[np.arange(len(rows)), own]
    moved = np.flatnonzero(gain > GAIN)
    if len(np.unique(best[moved])) < SHARE * len(rows):
        return
    worst = moved[gain[moved].argmax()]
    raise CommandError(
        f"{path}: not in the order of the data file: prediction {rows[worst]} fits scene "
        f"{scenes[best[worst]]}, and predictions fit their own scenes no better than others; sort "
        "them, or keep each one's row in a dataset `scene`"
    )


def check_rows(path: Path, scene: np.ndarray) -> None:
    """Refuses predictions that say they are of other rows of the data file than 0, 1, 2 and so on.

    Raises:
        CommandError: they are.
    """
    wrong = np.flatnonzero(scene != np.arange(len(scene)))
    if len(wrong):
        raise CommandError(
            f"{path}: scene: prediction {wrong[0]} is of scene {scene[wrong[0]]}; predictions must "
            "be in the order of the data file"
        )


def _coarse(labels: Integer[np.ndarray, "N H W"]) -> Integer[np.ndarray, "N G L"]:
    step = max(1, labels.shape[1] // GRID)
    return labels[:, step // 2 :: step, step // 2 :: step]


def _fit(
    pred: Integer[np.ndarray, "M G L"], true: Integer[np.ndarray, "N G L"]
) -> Float64[np.ndarray, "M N"]:
    """Returns the adjusted Rand index of every prediction with every scene."""
    slots = _one_hot(pred)  # (M, K, P)
    M, K, P = slots.shape
    fit = np.empty((M, len(true)))
    entities = _one_hot(true)  # (N, E, P)
    E = entities.shape[1]
    for start in range(0, len(true), ROWS):
        part = entities[start : start + ROWS].reshape(-1, P)
        table = (slots.reshape(-1, P) @ part.T).reshape(M, K, -1, E)
        table = table.transpose(0, 2, 3, 1).reshape(-1, E, K).astype(np.int64)
        fit[:, start : start + ROWS] = ari_of_table(table).reshape(M, -1)
    return fit


def _one_hot(labels: Integer[np.ndarray, "N G L"]) -> np.ndarray:
    codes = np.arange(int(labels.max()) + 1)[:, None]
    return (labels.reshape(len(labels), 1, -1) == codes).astype(np.float32)
