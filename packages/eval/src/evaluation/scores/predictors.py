"""Predicts objects' properties from latents, and scores how far latents are disentangled.

DCI is that of Eastwood and Williams (2018) with random forests, over the latents of slots.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scenes.progress import in_turn
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evaluation.scores.latents import CATEGORICAL, Objects
from evaluation.scores.results import FEWEST_OBJECTS, Dci, Predicted

TRAIN_SHARE = 0.8
"""Share of the scenes that predictors learn on; the objects of the others score them."""


def train_and_test(objects: Objects) -> tuple[np.ndarray, np.ndarray]:
    """Returns which objects are for training and which for testing; no scene has both."""
    scenes = np.unique(objects.scene)
    train = objects.scene < (np.quantile(scenes, TRAIN_SHARE) if len(scenes) else 0)
    return train, ~train


def _can_be_scored(values: Float64[np.ndarray, " M"], *sides: np.ndarray) -> bool:
    """Whether both sides of the split have enough objects, and several values of a factor."""
    return all(side.sum() >= FEWEST_OBJECTS and np.ptp(values[side]) > 0 for side in sides)


def predict_properties(objects: Objects) -> dict[str, Predicted]:
    """Returns how well each factor is predicted for objects of unseen scenes.

    Returns:
        By factor. For shape this is accuracy, and chance is that of the commonest shape. For
        anything else it is the coefficient of determination R², and chance is 0. NaN with too few
        objects, or where all of them have the same value.
    """
    train, test = train_and_test(objects)
    latents = objects.latents.astype(np.float64)
    scores = {}
    for name in in_turn("predicting", list(objects.factors)):
        values, can_stop_early = objects.factors[name], True
        if not _can_be_scored(values, train, test):
            scores[name] = Predicted(np.nan, np.nan, np.nan)
            continue
        if name == CATEGORICAL:
            target = values.astype(np.int64)
            linear, mlp = LogisticRegression(max_iter=5000), MLPClassifier
            kinds, counts = np.unique(target[train], return_counts=True)
            chance = float((target[test] == kinds[counts.argmax()]).mean())
            # To stop early, scikit-learn sets objects of both kinds aside where there are two.
            can_stop_early = len(kinds) > 2 or counts.min() > 1
        else:
            mean, deviation = values[train].mean(), values[train].std()
            target = (values - mean) / (deviation or 1.0)
            linear, mlp, chance = Ridge(), MLPRegressor, 0.0
        network = mlp(
            hidden_layer_sizes=(64,), early_stopping=can_stop_early, max_iter=1000, random_state=0
        )
        by_linear, by_mlp = (
            float(
                make_pipeline(StandardScaler(), predictor)
                .fit(latents[train], target[train])
                .score(latents[test], target[test])
            )
            for predictor in (linear, network)
        )
        scores[name] = Predicted(by_linear, by_mlp, chance)
    return scores


def dci(objects: Objects) -> Dci:
    """Returns DCI over the latents, from the importances of one random forest for each factor.

    NaN with too few objects, or with fewer than two factors that vary.
    """
    train, test = train_and_test(objects)
    factors = {
        name: values
        for name, values in objects.factors.items()
        if _can_be_scored(values, train, test)
    }
    if len(factors) < 2:
        return Dci(np.nan, np.nan, np.nan)
    importances, scores = [], []
    for name in in_turn("disentangling", list(factors)):
        values = factors[name]
        kind = RandomForestClassifier if name == CATEGORICAL else RandomForestRegressor
        target = values.astype(np.int64) if name == CATEGORICAL else values
        # By default a classifier tries a few random latents per split, which spreads importance.
        forest = kind(50, max_features=None, min_samples_leaf=3, random_state=0, n_jobs=1)
        forest.fit(objects.latents[train], target[train])
        importances.append(forest.feature_importances_)
        scores.append(max(0.0, forest.score(objects.latents[test], target[test])))
    importance = np.stack(importances, axis=1)  # (D, F)
    return Dci(*disentanglement_and_completeness(importance), float(np.mean(scores)))


def disentanglement_and_completeness(
    importance: Float64[np.ndarray, "D F"],
) -> tuple[float, float]:
    """Returns both scores from the importance of each latent for each factor.

    Latents are weighted by their share of all importance, factors equally.
    """
    by_latent = 1 - _entropy(importance)
    weight = importance.sum(1) / importance.sum()
    return float(by_latent @ weight), float((1 - _entropy(importance.T)).mean())


def _entropy(rows: Float64[np.ndarray, "A B"]) -> Float64[np.ndarray, " A"]:
    """Returns the entropy of each row as shares of its sum, to the base of its length."""
    total = rows.sum(1, keepdims=True)
    share = np.divide(rows, total, out=np.full_like(rows, 1 / rows.shape[1]), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(1) / np.log(rows.shape[1])
