"""Baselines: segmentations by colour or place alone, which a useful model must beat.

Each is a function of images (N, H, W, 3) uint8. Its library is imported only when it runs, since
mostly its results come from the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from evaluation.predictions.contract import Predictions

CLUSTERS = 5
"""Clusters of k-means on colour, as in the published trials; more did not score higher
(docs/metrics.md)."""
CLUSTERS_WITH_PLACE = 7
"""Clusters of k-means on colour and place."""
PLACE_WEIGHT = 0.3
"""Width of the image in units of the range of a colour channel."""
SMALLEST_REGION = 0.01
"""Share of the image below which felzenszwalb merges regions."""
IMAGES_A_WORKER, MOST_WORKERS = 64, 8
"""k-means takes a process for each 64 images, at most eight; for fewer images none is worth it."""

Images = UInt8[np.ndarray, "N H W 3"]


def one_slot(images: Images) -> Predictions:
    """Puts everything in one slot."""
    return Predictions(np.zeros(images.shape[:3], dtype=np.uint8), 1)


def grid(images: Images) -> Predictions:
    """Divides each image into four quarters."""
    _, height, width, _ = images.shape
    rows = np.arange(height) >= height / 2
    columns = np.arange(width) >= width / 2
    quarters = (2 * rows[:, None] + columns).astype(np.uint8)
    return Predictions(np.broadcast_to(quarters, images.shape[:3]).copy(), 4)


def kmeans_color(images: Images) -> Predictions:
    """Clusters the colours of each image by k-means (scikit-learn), five clusters."""
    return _kmeans(images, CLUSTERS, 0.0)


def kmeans_color_and_place(images: Images) -> Predictions:
    """Clusters colour and position by k-means (scikit-learn), seven clusters, image 0.3 wide."""
    return _kmeans(images, CLUSTERS_WITH_PLACE, PLACE_WEIGHT)


def felzenszwalb_regions(images: Images) -> Predictions:
    """Cuts Felzenszwalb and Huttenlocher's graph of neighbouring pixels (scikit-image)."""
    from skimage.segmentation import felzenszwalb

    smallest = max(2, round(SMALLEST_REGION * images.shape[1] * images.shape[2]))
    segmentation = np.array(
        [felzenszwalb(image, scale=300, sigma=0.5, min_size=smallest) for image in images],
        dtype=np.uint8,  # regions of a hundredth of the image each are a hundred at most
    ).reshape(images.shape[:3])
    return Predictions(segmentation, int(segmentation.max(initial=0)) + 1)


def _kmeans(images: Images, clusters: int, place_weight: float) -> Predictions:
    from joblib import Parallel, cpu_count, delayed

    workers = max(1, min(cpu_count(), MOST_WORKERS, len(images) // IMAGES_A_WORKER))
    parts = np.array_split(images, workers)
    slots = Parallel(workers)(delayed(_clusters)(part, clusters, place_weight) for part in parts)
    return Predictions(np.concatenate(slots), clusters)


def _clusters(images: Images, clusters: int, place_weight: float) -> UInt8[np.ndarray, "N H W"]:
    """Returns the cluster of every pixel."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    _, height, width, _ = images.shape
    y, x = np.mgrid[:height, :width] * (place_weight / width)
    place = np.stack([y, x], axis=-1).reshape(-1, 2)
    segmentation = np.empty(images.shape[:3], dtype=np.uint8)
    with threadpool_limits(1):  # an image is too small to share among threads
        for index, image in enumerate(images):
            pixels = np.concatenate([image.reshape(-1, 3) / 255, place], axis=1).astype(np.float32)
            # An image of fewer colours than clusters makes scikit-learn warn.
            most = clusters if place_weight else min(clusters, _colors_of(image))
            # Three starts instead of one scored no higher, at twice the time (docs/metrics.md).
            fitted = KMeans(most, n_init=1, random_state=0).fit_predict(pixels)
            segmentation[index] = fitted.reshape(height, width)
    return segmentation


def _colors_of(image: UInt8[np.ndarray, "H W 3"]) -> int:
    """Returns how many colours an image has."""
    packed = image.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    return len(np.unique(packed))


BASELINES: dict[str, Callable[[Images], Predictions]] = {
    "one slot": one_slot,
    "2 x 2 grid": grid,
    "k-means on colour": kmeans_color,
    "k-means on colour and place": kmeans_color_and_place,
    "felzenszwalb": felzenszwalb_regions,
}
"""By the name that tables show."""
