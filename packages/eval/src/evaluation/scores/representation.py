"""What latents tell of an object: its properties, and how far each latent has one to itself.

DCI is that of Eastwood and Williams (2018) with random forests, over the latents of slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile
from scenes.segmentation import contingency
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evaluation.metrics.matching import match_objects
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.predictions.models import AT_ONCE, Model, ScoredModel, scored_model
from evaluation.scores.conditions import DATA_FOLDER, rooms_size, scene_file
from evaluation.scores.results import Dci, Predicted, Representation, write_result
from evaluation.scores.scoring import TestScenes, check_request, read_scenes

if TYPE_CHECKING:
    from monet import Monet
    from monet.weights import Weights

TRAIN_SHARE = 0.8
"""Share of the scenes that predictors learn on; the objects of the others score them."""
FEWEST = 50
"""With fewer objects on either side of the split, scores are undefined."""
CATEGORICAL = "shape"


@dataclass(frozen=True)
class Objects:
    """Objects in view that were matched with a slot: one entry each."""

    scene: Int64[np.ndarray, " M"]
    alone: Bool[np.ndarray, " M"]
    """Whether no other object of the scene is in view."""
    latents: Float[np.ndarray, "M D"]
    factors: Mapping[str, Float64[np.ndarray, " M"]]


def represent(
    model: Model | ScoredModel,
    data: str | Path | None = None,
    *,
    slots: int | None = None,
    n: int = 2000,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    whole_image: Weights | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    cache: Cache | None = None,
) -> Representation:
    """Predicts objects' properties from the latents of their slots, and scores disentangling.

    Example:
        >>> import evaluation
        >>> result = evaluation.represent(model, "rooms.h5", n=12)
        >>> sorted(result.properties["slots"])
        ['blue', 'forward', 'green', 'red', 'right', 'shape', 'size']

    Args:
        model: any `Model` with latents.
        data: file of scenes with their truth; by default test rooms.
        slots: slots to use; the model's own number by default.
        n: number of scenes; predictors learn on the first four fifths.
        seed: of the test rooms.
        data_folder: where test rooms lie; those that lack are rendered into it.
        whole_image: a MONet that was trained with all of the image in one slot (section 2.2),
            whose one code for the image stands beside.
        out: folder into which representation.json is written; nothing is written by default.
        workers: processes that render; one per core by default.
        cache: where predictions are kept; they are not by default.

    Raises:
        UsageError: an argument does not suit the others or the file.
        CommandError: the model has no latents, or the file does not know its objects' factors.
    """
    check_request(slots, n)
    subject, cache = scored_model(model), cache or Cache(None)
    slots = subject.slots(slots)
    path = (
        Path(data)
        if data is not None
        else scene_file(
            "test",
            rooms_size(subject.image_size),
            Path(data_folder),
            seed=seed,
            n=n,
            workers=workers,
        )
    )
    scenes = read_scenes(path, n, subject.image_size)
    predictions = cache.of_model(subject, scenes.images, slots)
    if predictions.latents is None:
        raise CommandError(
            f"{subject.identity.name}: gives no latents, which represent predicts from"
        )
    objects = matched_objects(scenes, predictions, read_factors(path, n))
    rows = {"slots": objects}
    if whole_image is not None:
        latents = cache.whole_image(whole_image.model(), scenes.images)
        rows["whole image"] = replace(objects, latents=latents[objects.scene])
    rows |= {f"{name}, alone in view": subset(row, row.alone) for name, row in rows.items()}
    result = Representation(
        checkpoint=subject.identity,
        whole_image=None if whole_image is None else str(whole_image.path),
        data=str(path),
        n=n,
        objects={name: len(row.scene) for name, row in rows.items()},
        properties={name: predict_properties(row) for name, row in rows.items()},
        dci={name: dci(row) for name, row in rows.items()},
    )
    if out is not None:
        write_result(result, Path(out))
    return result


def read_factors(path: Path, n: int) -> dict[str, Float64[np.ndarray, "N O"]]:
    """Returns the factors of each object of the first scenes, padded.

    In an Objects Room, place is what a picture can show: metres to the right of the camera's axis
    and forward along it. Rotation is left out: most shapes look the same from several sides.

    Raises:
        CommandError: the file does not know its objects' factors.
    """
    with SceneFile(path) as file:
        for key in ("factors/shape", "factors/color_rgb"):
            if not file.has(key):
                raise CommandError(f"{path}: {key}: missing: nothing to predict from latents")
        factors = {CATEGORICAL: file["factors/shape"][:n]}
        for index, name in enumerate(("red", "green", "blue")):
            factors[name] = file["factors/color_rgb"][:n, :, index]
        if file.has("camera/yaw"):
            away = file["factors/position"][:n, :, :2] - file["camera/position"][:n][:, None, :2]
            yaw = file["camera/yaw"][:n][:, None]
            factors["size"] = file["factors/size"][:n]
            factors["right"] = away[..., 0] * np.sin(yaw) - away[..., 1] * np.cos(yaw)
            factors["forward"] = away[..., 0] * np.cos(yaw) + away[..., 1] * np.sin(yaw)
        else:
            for name, key in (("size", "scale"), ("x", "x"), ("y", "y")):
                if file.has(f"factors/{key}"):
                    factors[name] = file[f"factors/{key}"][:n]
    return {name: np.asarray(values, np.float64) for name, values in factors.items()}


def matched_objects(
    scenes: TestScenes,
    predictions: Predictions,
    factors: Mapping[str, Float64[np.ndarray, "N O"]],
) -> Objects:
    """Returns each object that has a slot, with that slot's latents.

    Raises:
        ValueError: the predictions have no latents.
    """
    if predictions.latents is None:
        raise ValueError("these predictions hold no latents")
    table = contingency(scenes.segmentation, predictions.segmentation)
    slots = match_objects(table, scenes.num_background)
    scene, number = np.nonzero(slots >= 0)
    visible = (table[:, scenes.num_background :].sum(2) > 0).sum(1)
    return Objects(
        scene=scene,
        alone=visible[scene] == 1,
        latents=predictions.latents[scene, slots[scene, number]],
        factors={name: values[scene, number] for name, values in factors.items()},
    )


def subset(objects: Objects, chosen: Bool[np.ndarray, " M"]) -> Objects:
    """Returns some of the objects."""
    return Objects(
        scene=objects.scene[chosen],
        alone=objects.alone[chosen],
        latents=objects.latents[chosen],
        factors={name: values[chosen] for name, values in objects.factors.items()},
    )


def whole_image_latents(
    model: Monet, images: UInt8[np.ndarray, "N H W 3"]
) -> Float[np.ndarray, "N D"]:
    """Returns the latents of a VAE whose one slot holds the whole image (section 2.2)."""
    import torch
    from monet.images import to_unit

    latents = []
    for start in range(0, len(images), AT_ONCE):
        rows = to_unit(torch.from_numpy(images[start : start + AT_ONCE]))
        with torch.no_grad():
            everything = torch.zeros(len(rows), 1, *rows.shape[2:])  # the log of 1
            latents.append(model(rows, log_masks=everything).mu[:, 0].cpu().numpy())
    return np.concatenate(latents)


def _split(objects: Objects) -> tuple[np.ndarray, np.ndarray]:
    """Returns which objects train and which test: no scene is on both sides."""
    train = objects.scene < np.quantile(np.unique(objects.scene), TRAIN_SHARE)
    return train, ~train


def _too_few(objects: Objects) -> bool:
    return len(objects.scene) == 0 or any(side.sum() < FEWEST for side in _split(objects))


def _varies(objects: Objects, values: Float64[np.ndarray, " M"]) -> bool:
    """Whether a factor has several values on both sides of the split."""
    return all(np.ptp(values[side]) > 0 for side in _split(objects))


def predict_properties(objects: Objects) -> dict[str, Predicted]:
    """Returns how well each factor is predicted on scenes not seen.

    Returns:
        By factor. For shape, accuracy, with the commonest shape as chance; for anything else the
        coefficient of determination R², whose chance is 0. NaN with too few objects, or where all
        of them have the same value.
    """
    scores = {}
    for name, values in objects.factors.items():
        if _too_few(objects) or not _varies(objects, values):
            scores[name] = Predicted(np.nan, np.nan, np.nan)
            continue
        train, test = _split(objects)
        latents = objects.latents.astype(np.float64)
        if name == CATEGORICAL:
            target = values.astype(np.int64)
            linear, mlp = LogisticRegression(max_iter=5000), MLPClassifier
            kinds, counts = np.unique(target[train], return_counts=True)
            chance = float((target[test] == kinds[counts.argmax()]).mean())
        else:
            mean, deviation = values[train].mean(), values[train].std()
            target = (values - mean) / (deviation or 1.0)
            linear, mlp, chance = Ridge(), MLPRegressor, 0.0
        network = mlp(hidden_layer_sizes=(64,), early_stopping=True, max_iter=1000, random_state=0)
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

    NaN with too few objects, or with fewer than two factors in which they differ.
    """
    if _too_few(objects):
        return Dci(np.nan, np.nan, np.nan)
    factors = {name: v for name, v in objects.factors.items() if _varies(objects, v)}
    if len(factors) < 2:
        return Dci(np.nan, np.nan, np.nan)
    train, test = _split(objects)
    importances, scores = [], []
    for name, values in factors.items():
        kind = RandomForestClassifier if name == CATEGORICAL else RandomForestRegressor
        target = values.astype(np.int64) if name == CATEGORICAL else values
        # A classifier would look at a random few latents per split, which spreads importance.
        forest = kind(50, max_features=None, min_samples_leaf=3, random_state=0, n_jobs=1)
        forest.fit(objects.latents[train], target[train])
        importances.append(forest.feature_importances_)
        scores.append(max(0.0, forest.score(objects.latents[test], target[test])))
    importance = np.stack(importances, axis=1)  # (D, F)
    return Dci(*disentanglement_and_completeness(importance), float(np.mean(scores)))


def disentanglement_and_completeness(
    importance: Float64[np.ndarray, "D F"],
) -> tuple[float, float]:
    """Returns both from the importance of each latent for each factor.

    Latents are weighted by their share of all importance, factors alike.
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
