"""`eval generalise`: a model on more objects than it was trained with, and on one colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results/generalise")


@dataclass(frozen=True)
class Generalise:
    """Score a model on more objects than it was trained with, and on objects of one colour."""

    slots: tuple[int, ...] = (9,)
    """Slots to use; several are scored one after the other."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the Objects Room, else
    objects_room_64."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory (docs/metrics.md)."""
    n: int = 320
    """Scenes of each condition."""
    seed: int = 0
    """Seed of the test scenes; none of them is ever a training scene."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    out: Path | None = None
    """Folder to write; results/generalise/RUN by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""
    hold_out: tuple[str, ...] = ()
    """Kinds of objects that training held out, such as shape=sphere,hue=0.9-0.1, scored apart; by
    default those of the training file, where it is still there."""

    def run(self) -> int:
        """Scores, prints the tables, and writes scores.json and the pictures."""
        from evaluation.figures.condition_plots import write_generalisation
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model
        from evaluation.scores.generalisation import generalise_each
        from evaluation.terminal_tables import print_generalisation

        cache = cache_of(self.out)
        model = choose_model(self.checkpoint, self.model, slots=self.slots, n=self.n)
        results = generalise_each(
            model,
            self.slots,
            n=self.n,
            seed=self.seed,
            data_folder=self.data_folder,
            hold_out=self.hold_out or None,
            workers=self.workers,
            cache=cache,
        )
        out = self.out or RESULTS / model.identity.name
        paths = write_generalisation(model, results, out, self.data_folder, cache)
        print_generalisation(results)
        print(*paths, sep="\n")
        return 0
