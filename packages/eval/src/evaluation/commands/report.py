"""`eval report`: one page of runs, scores and scenes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scenes.notices import tell

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/report")


@dataclass(frozen=True)
class Report:
    """Gather runs and scores into one HTML page, with scenes to look into slot by slot."""

    checkpoint: tuple[str, ...] = ()
    """Runs or names of shipped weights whose scenes to show side by side; the first one's scores
    order the scenes. By default the newest run on the data's dataset."""
    model: tuple[str, ...] = ()
    """Any models beside them or instead, as module:factory or FILE.py:factory (docs/metrics.md)."""
    runs: Path = Path("runs")
    """Folder of the runs to list."""
    results: Path = Path("results")
    """Folder below which scores.json files lie."""
    data: Path | None = None
    """File of scenes to show; by default test scenes of the Objects Room."""
    slots: int = 9
    """Slots to use."""
    n: int = 320
    """Number of test scenes among which the typical ones, the worst and the best are found."""
    metric: str = "msc"
    """Score that orders the scenes from the worst to the best."""
    out: Path | None = None
    """Folder to write; results/report by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

    def run(self) -> None:
        """Writes report.html and report.json."""
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_models
        from evaluation.report.content import check_metric, read_content
        from evaluation.report.page import write_report

        check_metric(self.metric)
        models = choose_models(
            self.checkpoint, self.model, self.data, slots=(self.slots,), n=self.n, fewest=2
        )
        content = read_content(
            models,
            runs=self.runs,
            results=self.results,
            data=self.data,
            rooms=self.rooms,
            num_slots=self.slots,
            n=self.n,
            metric=self.metric,
            cache=cache_of(self.out),
        )
        for line in content.left_out:
            tell(f"{line}; left out", "eval")
        print(*write_report(content, self.out or RESULTS), sep="\n")
