"""Segmentations that look at colour or place alone: what a model must beat to have shown anything.

Each is a function of images (N, H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from evaluation.predictions import Predictions

CLUSTERS = 5
"""As many as in the published trials; more did not score higher (docs/metrics.md)."""

Images = UInt8[np.ndarray, "N H W 3"]


def one_slot(images: Images) -> Predictions:
    """Everything in one slot."""
    return Predictions(np.zeros(images.shape[:3], dtype=np.uint8), 1)


def grid(images: Images) -> Predictions:
    """Four quarters."""
    _, height, width, _ = images.shape
    rows = np.arange(height) >= height / 2
    columns = np.arange(width) >= width / 2
    quarters = (2 * rows[:, None] + columns).astype(np.uint8)
    return Predictions(np.broadcast_to(quarters, images.shape[:3]).copy(), 4)


def kmeans_color(images: Images) -> Predictions:
    """k-means on the colours of each image (scikit-learn), five clusters."""
    segmentation = np.empty(images.shape[:3], dtype=np.uint8)
    with threadpool_limits(1):  # an image is too small to share among threads
        for index, image in enumerate(images):
            colors = image.reshape(-1, 3).astype(np.float32) / 255
            # An image of fewer colours than clusters makes scikit-learn warn.
            clusters = min(CLUSTERS, len(np.unique(image.reshape(-1, 3), axis=0)))
            fitted = KMeans(clusters, n_init=3, random_state=0).fit_predict(colors)
            segmentation[index] = fitted.reshape(image.shape[:2])
    return Predictions(segmentation, CLUSTERS)


BASELINES: dict[str, Callable[[Images], Predictions]] = {
    "one slot": one_slot,
    "2 x 2 grid": grid,
    "k-means on colour": kmeans_color,
}
"""By the name that tables show."""
