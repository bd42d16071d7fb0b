"""Scores how well any model takes scenes apart, beside baselines, and draws the paper's figures.

A model is any object with `decompose(images, num_slots)` (`Model`): MONet, or one of your own.
Scenes are files of the package `scenes`.

    score("rooms.h5", model)            every metric on a file  -> result.metrics["ari_fg"].mean
    score("rooms.h5", "masks.h5")       the same for masks that any program wrote
    generalise(model, slots=9)          more objects than in training, and objects of one colour
    write_conditions("tests/")          these scenes in files, for masks that are made elsewhere
    represent(model, "rooms.h5")        objects' properties from latents; disentangling
    explore(model, "rooms.h5")          a page in which scenes are taken apart by hand
    SegmentationScores(file.entities)   the metrics batch by batch, in a program of your own
    METRICS                             names of the metrics, in the order of tables

Results are dataclasses (`evaluation.scores.results`), and `out="results/"` writes them as JSON. The
same from a shell: `eval score`, `eval generalise`, `eval represent`; and `eval figures`,
`eval traverse`, `eval report` and `eval explore` draw. docs/metrics.md defines every number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenes.entrance import entrance

if TYPE_CHECKING:
    from evaluation.explorer.exploration import explore
    from evaluation.metrics import METRICS
    from evaluation.predictions.contract import Predictions
    from evaluation.predictions.models import Model
    from evaluation.scores.condition_files import write_conditions
    from evaluation.scores.generalisation import generalise
    from evaluation.scores.representation import represent
    from evaluation.scores.scoring import score
    from evaluation.scores.segmentation_scores import SegmentationScores

__all__ = [
    "METRICS",
    "Model",
    "Predictions",
    "SegmentationScores",
    "explore",
    "generalise",
    "represent",
    "score",
    "write_conditions",
]

_HOMES = {
    "METRICS": "evaluation.metrics",
    "Model": "evaluation.predictions.models",
    "Predictions": "evaluation.predictions.contract",
    "explore": "evaluation.explorer.exploration",
    "generalise": "evaluation.scores.generalisation",
    "represent": "evaluation.scores.representation",
    "score": "evaluation.scores.scoring",
    "SegmentationScores": "evaluation.scores.segmentation_scores",
    "write_conditions": "evaluation.scores.condition_files",
}
"""Where each public name is defined: loaded on first use, as some need scikit-learn."""

__getattr__, __dir__ = entrance(__name__, _HOMES)
