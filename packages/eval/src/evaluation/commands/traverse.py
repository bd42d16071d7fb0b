"""`eval traverse`: how a slot changes with its latents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results/traverse")


@dataclass(frozen=True)
class Traverse:
    """Show how one slot of a scene changes with its latents."""

    scene: int = 0
    """Number of the scene in its file, from 0."""
    slot: int = 1
    """Number of the slot, from 1 as in the figures."""
    latent: int | None = None
    """Which latent, from 0; by default all, the ones that change the picture most first."""
    relative: bool = False
    """Add -1 to 1 to what the latent is, instead of replacing it."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    model: str | None = None
    """Instead: any model with latents and `decode`, as module:factory or FILE.py:factory
    (docs/metrics.md)."""
    data: Path | None = None
    """File of scenes; by default the Objects Room's test scenes in --data-folder."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    seed: int = 0
    """Seed of the test scenes."""
    out: Path | None = None
    """Folder to write; results/traverse/RUN by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
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
            data_folder=self.data_folder,
            slots=self.slots,
            seed=self.seed,
            out=self.out or RESULTS / model.identity.name,
            cache=cache_of(self.out),
            workers=self.workers,
        )
        print(*paths, sep="\n")
        return 0
