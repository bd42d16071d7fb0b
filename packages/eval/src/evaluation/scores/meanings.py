"""Explains each score in a sentence for readers of a page; docs/metrics.md has definitions."""

from __future__ import annotations

MEANINGS = {
    "ari": "adjusted Rand index over all pixels: whether pixels of one entity, and no others, "
    "share a slot. 1 is perfect, 0 is chance",
    "ari_merged": "ari with the two walls counted as one entity",
    "ari_paper": "ari with walls and sky counted as one entity, as the paper's MONet has them",
    "ari_fg": "adjusted Rand index over the pixels of objects alone: whether objects are told "
    "apart. 1 is perfect, 0 is chance",
    "ari_fg_sklearn": "ari_fg as scikit-learn counts images with fewer than two objects",
    "msc": "mean over objects of the best overlap (intersection over union) with any slot. 1 is "
    "perfect",
    "sc": "msc with large objects weighted more",
    "mbo": "mean best overlap of all entities in view, background included. 1 is perfect",
    "miou": "mean overlap of objects, each with a slot of its own. 1 is perfect",
    "recall": "share of objects that some slot overlaps by more than a half",
    "count": "share of images with as many slots that hold objects as there are objects",
    "slots_used": "slots with a pixel",
    "slots_empty": "slots without a pixel",
    "mse": "squared error of the reconstruction, colours in [0, 1]. Less is better",
    "nll": "negative log-likelihood, nats an image. Less is better",
    "kl_latent": "KL divergence of the latents, nats an image",
    "kl_mask": "KL divergence of the masks, nats an image",
    "loss": "what training minimises, nats an image",
    "disentanglement": "1 where each latent serves one property alone",
    "completeness": "1 where each property is served by one latent alone",
    "informativeness": "how well properties are predicted from latents. 1 is perfect",
}
"""Sentences by name of the score in tables and files."""
