"""Scores and pictures of a run's held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import UInt8
from scenes.segmentation import ari, ari_fg

from monet.config import TrainConfig
from monet.given_masks import log_masks_of
from monet.model import Decompositions, Monet
from monet.training.batch import Batch
from monet.training.data import HeldOut
from monet.training.picture import decomposition_sheet

PICTURED = 8
"""Images of the picture."""
BATCH = 64
"""Images that are decomposed at once."""
Advance = Callable[[int], None]
"""Called with the number of images that were finished since the last call."""


class Validation:
    """Scores and draws the held-out images of a run, by whatever weights it has.

    Args:
        config: of the run.
        images: those that training leaves out.
        device: where to compute.
    """

    def __init__(self, config: TrainConfig, images: HeldOut, device: torch.device) -> None:
        self._config, self._images = config, images
        self._model = Monet(config.model, config.loss).to(device)

    @property
    def num_images(self) -> int:
        """Number of images that are decomposed for scores and their picture."""
        return len(self._images.images) + self._pictured

    @property
    def _pictured(self) -> int:
        return min(PICTURED, len(self._images.images))

    def scores(
        self, weights: Mapping[str, torch.Tensor], advance: Advance | None = None
    ) -> dict[str, float]:
        """Returns scores of all held-out images.

        `held_out_*` are the loss's terms; `slots_used` is the number of slots that are the largest
        somewhere, on average, and `slot_share/k` the share of pixels that slot k has; `ari` and
        `ari_fg` where the truth is known and the masks are learned.
        """
        parts = self._decompose(weights, len(self._images.images), advance)
        segmentation = parts.masks.argmax(axis=1)
        shares = parts.masks.mean(axis=(0, 2, 3))
        scores = {
            "held_out_nll": float(parts.nll.mean()),
            "held_out_kl_latent": float(parts.kl_latent.mean()),
            "held_out_kl_mask": float(parts.kl_mask.mean()),
            "slots_used": float(np.mean([len(np.unique(image)) for image in segmentation])),
            **{f"slot_share/{k}": float(share) for k, share in enumerate(shares)},
        }
        true = self._images.segmentation
        if true is not None and self._config.masks == "attention":
            scores["ari"] = float(np.mean(ari(true, segmentation)))
            object_scores = ari_fg(true, segmentation, self._images.num_background)
            if not np.isnan(object_scores).all():
                scores["ari_fg"] = float(np.nanmean(object_scores))
        return scores

    def results(
        self, weights: Mapping[str, torch.Tensor], advance: Advance | None = None
    ) -> tuple[dict[str, float], UInt8[np.ndarray, "Y X 3"]]:
        """Returns scores and a picture; `advance` is called as images are finished."""
        scores = self.scores(weights, advance)
        sheet = self.sheet(weights)
        if advance is not None:
            advance(self._pictured)
        return scores, sheet

    def sheet(
        self, weights: Mapping[str, torch.Tensor], count: int = PICTURED
    ) -> UInt8[np.ndarray, "Y X 3"]:
        """Returns a picture of the first held-out images and their decompositions."""
        return decomposition_sheet(self._images.images[:count], self._decompose(weights, count))

    def _decompose(
        self, weights: Mapping[str, torch.Tensor], count: int, advance: Advance | None = None
    ) -> Decompositions:
        """Decomposes the first `count` images; `advance` is called after each batch."""
        self._model.load_state_dict(weights)
        images, labels = torch.from_numpy(self._images.images), self._images.segmentation
        segmentation = None if labels is None else torch.from_numpy(labels)
        # Masks are made for all held-out scenes: `wrong-element` gives each scene those of the one
        # before it, which must not depend on `count`.
        log_masks = log_masks_of(self._config, Batch(images, segmentation))
        masks = None if log_masks is None else log_masks[:count].exp()
        return self._model.eval().decompose(
            images[:count], masks=masks, batch_size=BATCH, advance=advance
        )
