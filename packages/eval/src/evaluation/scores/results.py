"""Scores as data: what the JSON files of `eval` hold, and what tables, plots and pages read.

`evaluation.scores.result_files` writes any of the results and reads it back. An undefined number is
NaN here and null in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from monet.step_count import steps_in_words

SCHEMA = 1
"""Version of the files. Files from before it was written have the same keys, and are read."""
OVER_IMAGES = "95% bootstrap over images, not over training seeds"
OVER_OBJECTS = "95% bootstrap over objects"


@dataclass(frozen=True)
class Statistic:
    """A score over images; the interval is over these images, not over training seeds."""

    mean: float
    """Mean over the images where the score is defined; NaN where there is none."""
    sem: float
    """Standard error of the mean; NaN with fewer than two images."""
    low: float
    """Lower end of the 95% bootstrap interval; NaN with fewer than two images."""
    high: float
    """Upper end."""
    count: int
    """Number of images where the score is defined."""


Row = Mapping[str, Statistic]
"""By name of the score."""
Conditions = Mapping[str, Row]
"""By condition, such as `test` or `objects_6`."""


@dataclass(frozen=True)
class ModelIdentity:
    """Which model was scored."""

    path: str | None
    """Its weights, or the `module:factory` that makes it; `None` for an object of a program."""
    name: str
    step: int | None
    """Training steps of MONet's weights; `None` for any other model."""
    trained_slots: int | None = None
    """Slots that it was trained with, where that is known and matters."""
    earlier_steps: int = 0
    """Steps of the runs that MONet's went on from."""

    @property
    def title(self) -> str:
        """Name, and training steps where they are known."""
        if self.step is None:
            return self.name
        return f"{self.name} ({steps_in_words(self.step, self.earlier_steps)})"

    @property
    def label(self) -> str:
        """What rows of tables call it: MONet, or the name of any other model."""
        return self.name if self.step is None else "MONet"


@dataclass(frozen=True)
class BenchmarkScenes:
    """Which fixed test scenes were scored (`scenes benchmark`, docs/benchmark.md)."""

    name: str
    version: int
    """Of the benchmarks."""
    rows: int
    """Number of scenes."""
    size: int
    """Side in pixels at which they were scored."""
    factors: str
    """SHA-256 of the scenes' factors, which are the benchmark's bit for bit."""
    pixels: str
    """SHA-256 of how they were drawn."""
    exact: bool
    """Whether these are the benchmark's own pixels; otherwise another OpenGL's, within bounds."""


@dataclass(frozen=True, kw_only=True)
class FileScores:
    """Scores of a model, or of predictions, on a file of scenes."""

    schema: int = SCHEMA
    checkpoint: ModelIdentity | None
    """The model; `None` where predictions were scored."""
    predictions: str | None
    """File of the predictions."""
    data: str
    """File of the scenes."""
    n: int
    """Number of scenes."""
    num_slots: int
    interval: str = OVER_IMAGES
    metrics: Row
    decoded_masks: Row | None = None
    """Scores of the masks that the model's decoder predicts."""
    refined: Row | None = None
    """Scores of the masks after MONet's VAE has corrected them."""
    baselines: Mapping[str, Row] = field(default_factory=dict)
    ceiling: Row | None = None
    """Scores of a perfect result with walls and sky in one slot, as the paper's."""
    benchmark: BenchmarkScenes | None = None
    """Which benchmark the scenes are of; `None` where they are of none that is known."""

    @property
    def name(self) -> str:
        """What the row of the model or of the predictions is called."""
        if self.checkpoint is not None:
            return self.checkpoint.name
        return "predictions" if self.predictions is None else Path(self.predictions).stem


@dataclass(frozen=True)
class AsTrained:
    """Scores of the same model with as many slots as in training."""

    num_slots: int
    conditions: Conditions


@dataclass(frozen=True)
class SlotUse:
    """What one slot holds over the scenes of a condition."""

    used: float
    """Share of the scenes in which the slot has a pixel."""
    area: Mapping[str, float]
    """Share of all pixels that the slot takes, by kind of entity, such as `sky` and `objects`."""
    mostly: Mapping[str, float]
    """Share of the scenes in which the slot holds more of this kind than of any other."""


@dataclass(frozen=True)
class RecallInView(Statistic):
    """Recall of the objects of which a certain share is in view."""

    above: float
    """Visible fraction that all of these objects exceed."""
    to: float
    """Visible fraction that none of them exceeds."""


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """Scores of objects that others hide in part; intervals are over objects."""

    interval: str = OVER_OBJECTS
    recall: tuple[RecallInView, ...]
    """From hidden objects to those in full view."""
    completion_of_visible_fraction_to: float
    """Objects of at most this visible fraction count for `completion`."""
    completion: Row
    """Overlaps of masks with the full extents of partly hidden objects that were found; empty
    without decoded masks."""

    @property
    def tells_completion(self) -> bool:
        """Whether there are decoded masks, and an object that is partly hidden and was found."""
        return bool(self.completion) and self.completion["decoded_iou"].count > 0


@dataclass(frozen=True)
class OcclusionScores:
    """Scores of partly hidden objects: a model's and the baselines'."""

    model: Occlusion
    baselines: Mapping[str, Occlusion]


@dataclass(frozen=True, kw_only=True)
class Generalisation:
    """Scores of a model and of the baselines in each condition."""

    schema: int = SCHEMA
    checkpoint: ModelIdentity
    num_slots: int
    n: int
    """Scenes of each condition."""
    seed: int
    """Seed of the scenes."""
    version: str = field(default_factory=lambda: version("evaluation"))
    interval: str = OVER_IMAGES
    conditions: Conditions
    as_trained: AsTrained | None
    """`None` where the slots of training are `num_slots`, or unknown."""
    decoded_masks: Conditions
    """Scores of the masks that the model's decoder predicts; empty where it has none."""
    refined: Conditions
    """Scores of the masks after MONet's VAE has corrected them; empty for other models."""
    baselines: Mapping[str, Conditions]
    """By name of the baseline."""
    ceilings: Conditions
    """Scores of a perfect result with walls and sky in one slot, as the paper's."""
    slot_use: Mapping[str, tuple[SlotUse, ...]]
    """By condition, an entry for each slot."""
    occlusion: OcclusionScores
    """Scores of the objects of the conditions `objects_0` to `objects_6` together."""
    benchmarks: Mapping[str, BenchmarkScenes] = field(default_factory=dict)
    """By condition, which benchmark its scenes are of; conditions of none are left out."""


FEWEST_OBJECTS = 50
"""Fewest objects from which a property is learned, and on which it is scored; with fewer, scores
are undefined."""


@dataclass(frozen=True)
class Predicted:
    """How well predictors that see latents alone tell a property of objects they have not seen."""

    linear: float
    """Accuracy of shape, the coefficient of determination R² of anything else."""
    mlp: float
    chance: float
    """What predictors would score that do not look: 0 for R²."""


@dataclass(frozen=True)
class Dci:
    """Disentanglement, completeness and informativeness, each in [0, 1]; more is better."""

    disentanglement: float
    """1 where each latent serves one factor alone."""
    completeness: float
    """1 where each factor is served by one latent alone."""
    informativeness: float
    """Mean score of the forests on objects they have not seen, none counted below 0."""


@dataclass(frozen=True, kw_only=True)
class Representation:
    """What latents tell of objects, by row: `slots`, `whole image`, and each of objects alone."""

    schema: int = SCHEMA
    checkpoint: ModelIdentity
    whole_image: str | None
    """Weights whose one code for the image stands beside."""
    data: str
    n: int
    """Number of scenes."""
    objects: Mapping[str, int]
    """Number of objects that were matched with a slot."""
    properties: Mapping[str, Mapping[str, Predicted]]
    """By row, then property."""
    dci: Mapping[str, Dci]

    def __post_init__(self) -> None:
        rows = list(self.properties)
        if not rows or set(rows) != set(self.objects) or set(rows) != set(self.dci):
            raise ValueError("objects, properties and dci must be of the same rows, one at least")
        names = list(self.properties[rows[0]])
        if not names or any(set(row) != set(names) for row in self.properties.values()):
            raise ValueError("all rows of properties must be of the same properties")
