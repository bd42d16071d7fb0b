"""`eval decompose`: scenes taken apart, as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/decompose")


@dataclass(frozen=True)
class Decompose:
    """Take scenes apart and draw them: image, truth, segmentation, and each slot."""

    data: Path | None = None
    """File of scenes, with or without their truth; by default test scenes of the Objects Room."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory (docs/metrics.md)."""
    n: int = 8
    """Number of scenes, the first of the file."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks; the segmentation before stands beside."""
    out: Path | None = None
    """Folder to write; results/decompose/NAME/FILE by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

    def run(self) -> None:
        """Writes decompositions.png and .pdf, and prints scores that came with the weights."""
        from evaluation.figures.scene_rows import check_drawable, write_decompositions
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model
        from evaluation.terminal_tables import print_recorded_scores

        check_drawable(self.n, self.slots or 1, self.refine)
        model = choose_model(self.checkpoint, self.model, self.data, slots=(self.slots,), n=self.n)
        scenes = "test" if self.data is None else self.data.stem
        paths = write_decompositions(
            model,
            self.data,
            n=self.n,
            slots=self.slots,
            refine=self.refine,
            rooms=self.rooms,
            out=self.out or RESULTS / model.identity.name / scenes,
            cache=cache_of(self.out),
        )
        if model.weights is not None:
            print_recorded_scores(model.weights)
        print(*paths, sep="\n")
