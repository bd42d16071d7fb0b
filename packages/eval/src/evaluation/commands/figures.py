"""`eval figures`: the paper's figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/figures")


@dataclass(frozen=True)
class Figures:
    """Draw the paper's figures from runs and files."""

    figures: tuple[int, ...] | None = None
    """Which, from 2 to 10; by default all whose runs and files are there."""
    checkpoint: tuple[str, ...] = ()
    """Run folders or names of shipped weights, of any datasets; all under runs/ by default."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory, for the figures of its
    scenes; figure 5 needs its `decode` (docs/metrics.md)."""
    data: tuple[Path, ...] = ()
    """Files of scenes, of any datasets; by default those that the runs were trained on."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks before they are drawn; the paper has none."""
    out: Path | None = None
    """Folder to write; results/figures by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

    def run(self) -> None:
        """Draws the figures, and says of each that is left out what it lacks."""
        from evaluation.figures.materials import gather_materials
        from evaluation.figures.paper import check_numbers, draw_figures
        from evaluation.predictions.cache import cache_of

        check_numbers(self.figures)
        materials = gather_materials(
            self.checkpoint,
            self.model,
            files=self.data,
            rooms=self.rooms,
            cache=cache_of(self.out),
            refine=self.refine,
        )
        for line in draw_figures(materials, self.figures, self.out or RESULTS):
            print(line)
