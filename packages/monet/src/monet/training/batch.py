"""Training scenes of one step, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Training scenes of one step, as bytes."""

    images: UInt8[Tensor, "B H W 3"]
    segmentation: UInt8[Tensor, "B H W"] | None
    """`None` where the run needs none."""

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on a device; a copy to a GPU runs while the caller goes on."""
        is_copied = device.type == "cuda" and self.images.device.type == "cpu"
        batch = self.pinned() if is_copied else self
        return batch._each(lambda pixels: pixels.to(device, non_blocking=True))

    @property
    def bytes(self) -> int:
        """Bytes that its scenes take in memory."""
        labels = 0 if self.segmentation is None else self.segmentation.numel()
        return self.images.numel() + labels

    def copy_(self, other: Batch) -> None:
        """Overwrites its scenes with those of another batch of its size; the caller goes on."""
        self.images.copy_(other.images, non_blocking=True)
        if self.segmentation is not None and other.segmentation is not None:
            self.segmentation.copy_(other.segmentation, non_blocking=True)

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Returns the scenes of several batches, in order."""
        images = torch.cat([batch.images for batch in batches])
        labels = [batch.segmentation for batch in batches if batch.segmentation is not None]
        return cls(images, torch.cat(labels) if labels else None)

    def pinned(self) -> Batch:
        """Returns the batch in pinned memory, from which a GPU copies while the caller goes on."""
        return self._each(Tensor.pin_memory)

    def take(self, rows: Int64[Tensor, " N"]) -> Batch:
        """Returns some of its scenes."""
        return self._each(lambda pixels: pixels[rows])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Returns the batch with its images and its segmentation changed alike."""
        labels = self.segmentation
        return Batch(change(self.images), None if labels is None else change(labels))
