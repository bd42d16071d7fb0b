"""`eval represent`: what latents tell of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/represent")


@dataclass(frozen=True)
class Represent:
    """Predict objects' properties from the latents of their slots, and score disentangling."""

    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    model: str | None = None
    """Instead: any model with latents, as module:factory or FILE.py:factory (docs/metrics.md)."""
    whole_image: str | None = None
    """Run trained with --masks all-in-one (section 2.2), for comparison: one code for the image."""
    data: Path | None = None
    """File of scenes with their truth; by default test scenes of the Objects Room."""
    n: int = 2000
    """Number of scenes; predictors learn on the first four fifths."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    out: Path | None = None
    """Folder to write; results/represent/RUN by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

    def run(self) -> None:
        """Scores, prints the table and writes representation.json."""
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model
        from evaluation.scores.representation import represent
        from evaluation.scores.result_files import write_result
        from evaluation.terminal_tables import print_representation

        model = choose_model(self.checkpoint, self.model, self.data, slots=(self.slots,), n=self.n)
        result = represent(
            model,
            self.data,
            slots=self.slots,
            n=self.n,
            whole_image=self.whole_image,
            cache=cache_of(self.out),
            **vars(self.rooms),
        )
        path = write_result(result, self.out or RESULTS / result.checkpoint.name)
        print_representation(result)
        print(path)
