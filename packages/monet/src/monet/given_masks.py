"""Masks that are given instead of learned: the three conditions of section 2.2."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from torch import Tensor

from monet.config import MaskKind, TrainConfig
from monet.training.batch import Batch


def needs_segmentation(masks: MaskKind) -> bool:
    """Whether these masks come from the file's segmentation."""
    return masks in ("element", "wrong-element")


def check_entities(file: SceneFile, num_slots: int) -> None:
    """Refuses a file that cannot give every entity a slot of its own.

    Raises:
        FileError: the file has no segmentation.
        UsageError: it has more entities than slots.
    """
    file["segmentation"]
    entities = len(file.entities)
    if entities > num_slots:
        raise UsageError(
            f"{file.path}: {entities} entities need as many slots to take their masks; "
            f"--num-slots is {num_slots}"
        )


def given_log_masks(
    masks: MaskKind, segmentation: UInt8[Tensor, "B H W"], num_slots: int
) -> Float[Tensor, "B K H W"]:
    """Returns the log masks of a condition: 0 where a slot has the pixel, -inf where it has not.

    Args:
        masks: `element` gives each entity its slot; `all-in-one` everything the first slot;
            `wrong-element` each image the masks of the one before it in this shuffled batch.
        segmentation: entity of each pixel; for `all-in-one` its shape alone counts.
        num_slots: slots K; those beyond the entities stay empty.
    """
    if masks == "all-in-one":
        segmentation = torch.zeros_like(segmentation)
    elif masks == "wrong-element":
        segmentation = segmentation.roll(1, dims=0)
    slots = torch.arange(num_slots, device=segmentation.device)
    return (segmentation[:, None] == slots[:, None, None]).float().log()  # (B, K, H, W)


def log_masks_of(config: TrainConfig, batch: Batch) -> Float[Tensor, "B K H W"] | None:
    """Returns the log masks that a run uses for a batch; `None` where it learns its masks."""
    if config.masks == "attention":
        return None
    segmentation = batch.images[..., 0] if batch.segmentation is None else batch.segmentation
    return given_log_masks(config.masks, segmentation, config.model.num_slots)
