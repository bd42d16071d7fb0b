"""`eval explore`: a page in which scenes are taken apart by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.commands.rooms import RoomOptions
from evaluation.room_folder import RoomFolder

RESULTS = Path("results/explore")


@dataclass(frozen=True)
class Explore:
    """Make a page in which scenes are taken apart by hand: slots to move, recolour and remove."""

    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    data: Path | None = None
    """File of scenes, with or without their truth; by default test scenes of the Objects Room."""
    n: int = 32
    """Number of scenes, the first of the file."""
    knob_scenes: int = 640
    """Scenes after those shown from which knobs are learned, a fifth of them to score the knobs; as
    many as the file has where it has fewer."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    out: Path | None = None
    """The page; results/explore/NAME/explorer.html by default."""
    rooms: RoomOptions = field(default_factory=RoomFolder)

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
            out=self.out or RESULTS / model.identity.name / "explorer.html",
            cache=cache_of(None if self.out is None else self.out.parent),
            **vars(self.rooms),
        )
        print(page)
