"""`eval explore`: a page in which scenes are taken apart by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results/explore")


@dataclass(frozen=True)
class Explore:
    """Make a page in which scenes are taken apart by hand: slots to move, recolour and remove."""

    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    data: Path | None = None
    """File of scenes, with or without their truth; by default the Objects Room's test scenes in
    --data-folder."""
    n: int = 32
    """Number of scenes, the first of the file."""
    knob_scenes: int = 640
    """Scenes after those shown from which knobs are learned, a fifth of them to score the knobs; as
    many as the file has where it has fewer."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    seed: int = 0
    """Seed of the test scenes."""
    out: Path | None = None
    """The page; results/explore/NAME/explorer.html by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> None:
        """Writes the page and prints its path."""
        from evaluation.explorer.exploration import explore
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model

        model = choose_model(self.checkpoint, None, self.data, slots=(self.slots,), n=self.n)
        page = explore(
            model,
            self.data,
            n=self.n,
            knob_scenes=self.knob_scenes,
            slots=self.slots,
            seed=self.seed,
            data_folder=self.data_folder,
            out=self.out or RESULTS / model.identity.name / "explorer.html",
            workers=self.workers,
            cache=cache_of(None if self.out is None else self.out.parent),
        )
        print(page)
