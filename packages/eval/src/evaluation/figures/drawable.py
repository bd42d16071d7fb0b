"""Completes a model's output for pictures, with stand-ins for what the model does not give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from evaluation.predictions.contract import ModelOutput

SMALLEST_SHARE = 1e-6
"""Least share of a mask of which the logarithm is taken."""


@dataclass(frozen=True)
class Drawable:
    """A model's output, complete; colours are in [0, 1]."""

    masks: Float[np.ndarray, "N K H W"]
    masks_recon: Float[np.ndarray, "N K H W"]
    """Masks that the decoder predicts; the model's masks where it decodes none."""
    mask_logits: Float[np.ndarray, "N K H W"]
    """Logits of `masks_recon`, before they are normalised over slots."""
    components: Float[np.ndarray, "N K H W 3"]
    """Each slot's reconstruction; the image itself where the model gives no components."""
    reconstruction: Float[np.ndarray, "N H W 3"]
    """The model's, else components mixed by the masks; white where it gives neither."""
    reconstructs: bool
    """Whether the model gives a reconstruction, or the components of one."""
    note: str
    """Names the stand-ins for the reader of a picture; empty where there are none."""


def drawable(images: UInt8[np.ndarray, "N H W 3"], output: ModelOutput) -> Drawable:
    """Returns a model's output for images, complete."""
    masks, components = output.masks, output.components
    reconstruction, note = output.reconstruction, ""
    if reconstruction is None and components is not None:
        reconstruction = (masks[..., None] * components).sum(axis=1)
    reconstructs = reconstruction is not None
    if reconstruction is None:
        reconstruction = np.ones(images.shape, dtype=np.float32)
        note = "no reconstruction: the model gives none"
    if components is None:
        own = images.astype(np.float32) / 255
        components = np.repeat(own[:, None], masks.shape[1], axis=1)
        note = "; ".join(
            part for part in (note, "slots show the image itself: no components") if part
        )
    masks_recon = masks if output.masks_recon is None else output.masks_recon
    logits = output.mask_logits
    if logits is None:
        logits = np.log(np.maximum(masks_recon, SMALLEST_SHARE))
    return Drawable(masks, masks_recon, logits, components, reconstruction, reconstructs, note)
