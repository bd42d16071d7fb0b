"""What rows of tables are called, on the terminal and on the report's page."""

from __future__ import annotations

DECODED, REFINED = "decoded_masks", "refined"
FURTHER = {DECODED: "its decoded masks", REFINED: "its refined masks"}
"""A model's other segmentations, by their names in scores.json (docs/metrics.md)."""
CEILING = "ceiling (walls with sky)"


def of_slots(num_slots: int) -> str:
    """Returns the label of MONet with so many slots."""
    return f"MONet, {num_slots} slots"


def as_trained(num_slots: int) -> str:
    """Returns the label of MONet with the slots of its training, where others were asked for."""
    return f"{of_slots(num_slots)} as in training"
