"""`eval traverse`: how a slot changes with its latents."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/traverse")


@dataclass(frozen=True)
class Traverse:
    """Show how one slot of a scene changes with its latents."""

    scene: int = 0
    """Number of the scene in its file, from 0."""
    slot: int = 1
    """Number of the slot, from 1 as in the figures."""
    latent: int | None = None
    """Number of the latent, from 0; by default all, in the order of their effect on the picture."""
    relative: bool = False
    """Add -1 to 1 to the latent, instead of replacing it."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    model: str | None = None
    """Instead: any model with latents and `decode`, as module:factory or FILE.py:factory
    (docs/metrics.md)."""
    data: Path | None = None
    """File of scenes; by default test scenes of the Objects Room."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    out: Path | None = None
    """Folder to write; results/traverse/RUN by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

    def run(self) -> None:
        """Writes the strip and the GIF, and prints their paths."""
        from evaluation.figures.traversal_files import write_traversal
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model

        model = choose_model(self.checkpoint, self.model, self.data, slots=(self.slots,))
        paths = write_traversal(
            model,
            self.scene,
            self.slot,
            latent=self.latent,
            relative=self.relative,
            data=self.data,
            rooms=self.rooms,
            slots=self.slots,
            out=self.out or RESULTS / model.identity.name,
            cache=cache_of(self.out),
        )
        print(*paths, sep="\n")
