"""Collects objects in view with their slots' latents and their properties in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from scenes.command_line import CommandError
from scenes.file.reader import SceneFile
from scenes.segmentation import contingency

from evaluation.metrics.matching import match_objects
from evaluation.predictions.checks import check_finite
from evaluation.predictions.contract import Predictions
from evaluation.scores.truth import TestScenes

if TYPE_CHECKING:
    from monet import Monet

CATEGORICAL = "shape"
IMAGES_AT_ONCE = 64


@dataclass(frozen=True)
class Objects:
    """Objects in view that were matched with a slot; each has an entry in every array."""

    scene: Int64[np.ndarray, " M"]
    alone: Bool[np.ndarray, " M"]
    """Whether no other object of the scene is in view."""
    latents: Float[np.ndarray, "M D"]
    factors: Mapping[str, Float64[np.ndarray, " M"]]


def read_factors(path: Path, n: int) -> dict[str, Float64[np.ndarray, "N O"]]:
    """Returns the factors of each object of the first scenes, padded.

    In an Objects Room, the position is given as a picture shows it: metres to the right of the
    camera's axis, and forward along it. Rotation is left out, because most shapes look the same
    from several sides.

    Raises:
        CommandError: the file has no factors of its objects.
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
    """Returns the latents of a VAE that encodes the whole image in one slot (section 2.2).

    Raises:
        CommandError: latents are not finite.
    """
    import torch
    from monet.images import to_unit

    latents = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        rows = to_unit(torch.from_numpy(images[start : start + IMAGES_AT_ONCE]))
        with torch.no_grad():
            everything = torch.zeros(len(rows), 1, *rows.shape[2:])  # the log of 1
            latents.append(model(rows, log_masks=everything).mu[:, 0].cpu().numpy())
    codes = np.concatenate(latents)
    check_finite(codes, "MONet", "latents of the whole image", "image")
    return codes
