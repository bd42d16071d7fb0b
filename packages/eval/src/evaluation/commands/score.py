"""`eval score`: a model, or the masks of any program, on a file of scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results/score")


@dataclass(frozen=True)
class Score:
    """Score a model, or the masks of any program, on a file of scenes."""

    data: Path
    """File of scenes with their truth."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory (docs/metrics.md)."""
    predictions: Path | None = None
    """Instead: HDF5 with `masks` (N, K, H, W) or `segmentation` (N, H, W) for the same scenes."""
    slots: int | None = None
    """Slots to use with a model; as many as in training by default."""
    n: int | None = None
    """Number of scenes; all by default."""
    ignore_label: int | None = None
    """Label of predictions whose pixels are left out of all scores, such as 255 for "no slot"."""
    baselines: bool = True
    """Score baselines beside."""
    out: Path | None = None
    """Folder to write; results/score/NAME/FILE by default."""

    def run(self) -> None:
        """Scores, prints the tables and writes scores.json."""
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_subject
        from evaluation.scores.result_files import write_result
        from evaluation.scores.scoring import score
        from evaluation.terminal_tables import print_file_scores

        subject = choose_subject(
            self.checkpoint, self.model, self.predictions, self.data, slots=(self.slots,), n=self.n
        )
        result = score(
            self.data,
            subject,
            slots=self.slots,
            n=self.n,
            baselines=self.baselines,
            ignore_label=self.ignore_label,
            cache=cache_of(self.out),
        )
        path = write_result(result, self.out or RESULTS / result.name / self.data.stem)
        print_file_scores(result)
        print(path)
