"""`eval figures`: the paper's figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError, UsageError

RESULTS = Path("results/figures")


@dataclass(frozen=True)
class Figures:
    """Draw the paper's figures from runs and files."""

    figures: tuple[int, ...] | None = None
    """Which, from 2 to 10; by default all whose runs and files are there."""
    checkpoint: tuple[str, ...] = ()
    """Run folders or names of shipped weights, of any datasets; all under runs/ by default."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory, for the figures of decompositions
    (docs/metrics.md)."""
    data: tuple[Path, ...] = ()
    """Files of scenes, of any datasets; by default those that the runs were trained on."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes of the Objects Room lie; those that lack are rendered into it."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks before they are drawn; the paper has none."""
    seed: int = 0
    """Seed of the test scenes; none of them is ever a training scene."""
    out: Path | None = None
    """Folder to write; results/figures by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
        """Draws the figures, and says of each that is left out what it lacks."""
        from evaluation.figures.materials import Materials
        from evaluation.figures.paper import check_numbers, draw_figures
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import every_run
        from evaluation.predictions.models import load_model

        check_numbers(self.figures)
        if self.refine < 0:
            raise UsageError(f"--refine must be at least 0, got {self.refine}")
        if self.model is not None and (self.checkpoint or self.refine):
            raise UsageError("--model goes with neither --checkpoint nor --refine")
        materials = Materials(
            runs=() if self.model else tuple(every_run(self.checkpoint)),
            files=self.data,
            data_folder=self.data_folder,
            seed=self.seed,
            workers=self.workers,
            cache=cache_of(self.out),
            refine=self.refine,
            model=None if self.model is None else load_model(self.model),
        )
        lacking = draw_figures(materials, self.figures, self.out or RESULTS)
        if lacking and self.figures is not None:
            raise CommandError("; ".join(lacking))
        print(*lacking, sep="\n", end="\n" if lacking else "")
        return 0
