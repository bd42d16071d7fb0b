"""Whoever is scored on test scenes of several conditions: a model, or masks in files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput, Predictions
from evaluation.predictions.models import ROUNDS, ScoredModel
from evaluation.scores.conditions import COMPARED
from evaluation.scores.labels import MODEL, REFINED, TRAINED
from evaluation.scores.results import ModelIdentity
from evaluation.scores.truth import TestScenes

Images = UInt8[np.ndarray, "N H W 3"]


@runtime_checkable
class Subject(Protocol):
    """Whoever is scored, with one number of slots."""

    @property
    def identity(self) -> ModelIdentity:
        """Who it is."""

    @property
    def num_slots(self) -> int:
        """Slots that it uses."""

    def rows(self, condition: str, scenes: TestScenes) -> dict[str, Predictions]:
        """Returns what it makes of a condition's scenes: `MODEL`, and what stands beside."""

    def output(self, condition: str, images: Images) -> ModelOutput:
        """Returns all that it makes of a condition's first scenes, for pictures."""


@dataclass(frozen=True)
class ModelInSlots:
    """A model that is asked for a number of slots."""

    model: ScoredModel
    num_slots: int
    cache: Cache

    @property
    def identity(self) -> ModelIdentity:
        """Which model, and the slots of its training where it says."""
        return replace(self.model.identity, trained_slots=self.model.num_slots)

    def rows(self, condition: str, scenes: TestScenes) -> dict[str, Predictions]:
        """Returns its masks; in the conditions of `COMPARED` also refined, and as in training."""
        model, images = self.model, scenes.images
        rows = {MODEL: self.cache.of_model(model, images, self.num_slots)}
        if condition in COMPARED and model.refines:
            rows[REFINED] = self.cache.of_model(model, images, self.num_slots, ROUNDS)
        if condition in COMPARED and model.num_slots not in (None, self.num_slots):
            rows[TRAINED] = self.cache.of_model(model, images, model.num_slots)
        return rows

    def output(self, condition: str, images: Images) -> ModelOutput:
        """Returns what it makes of images."""
        return self.cache.decompositions(self.model, images, self.num_slots)
