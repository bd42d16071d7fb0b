"""Labels of the rows of tables, on the terminal and on the report's page."""

from __future__ import annotations

from evaluation.scores.results import ModelIdentity

MODEL, TRAINED = "model", "trained slots"
"""Keys of what is scored: a model, or the predictions of any; the same with its own slots."""
DECODED, REFINED = "decoded_masks", "refined"
FURTHER = {DECODED: "its decoded masks", REFINED: "its refined masks"}
"""A model's other segmentations, by their names in scores.json (docs/metrics.md)."""
CEILING = "ceiling (walls with sky)"


def of_slots(model: ModelIdentity, num_slots: int) -> str:
    """Returns the label of a model with a number of slots."""
    return f"{model.label}, {num_slots} slots"


def as_trained(model: ModelIdentity, num_slots: int) -> str:
    """Returns the label of a model with the slots of its training."""
    return f"{of_slots(model, num_slots)} as in training"
