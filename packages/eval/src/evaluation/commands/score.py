"""`eval score`: a model, or the masks of any program, on a file of scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenes.command_line import UsageError

if TYPE_CHECKING:
    from evaluation.predictions.models import ScoredModel

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
    baselines: bool = True
    """Score baselines beside."""
    out: Path | None = None
    """Folder to write; results/score/NAME/FILE by default."""

    def run(self) -> int:
        """Scores, prints the tables and writes scores.json."""
        from evaluation.predictions.cache import cache_of
        from evaluation.scores.results import write_result
        from evaluation.scores.scoring import check_request, score
        from evaluation.terminal_tables import print_file_scores

        if [self.checkpoint, self.model, self.predictions].count(None) != 2:
            raise UsageError("give one of --checkpoint and --predictions, or --model")
        check_request(self.slots, self.n, of_model=self.predictions is None)
        result = score(
            self.data,
            self._subject(),
            slots=self.slots,
            n=self.n,
            baselines=self.baselines,
            cache=cache_of(self.out),
        )
        path = write_result(result, self.out or RESULTS / result.name / self.data.stem)
        print_file_scores(result)
        print(path)
        return 0

    def _subject(self) -> ScoredModel | Path:
        if self.predictions is not None:
            return self.predictions
        from evaluation.predictions.model_choice import choose_model, scenes_in

        return choose_model(self.checkpoint, self.model, *scenes_in(self.data))
