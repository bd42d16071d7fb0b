"""`eval generalise`: a model on more objects than it was trained with, and on one colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.objects_room.kinds import parse_kind

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
        from evaluation.figures.generalisation import write_generalisation
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_model
        from evaluation.scores.conditions import hold_out_of
        from evaluation.scores.generalisation import generalise, read_pictured
        from evaluation.terminal_tables import print_generalisation

        for slots in self.slots:
            if slots < 2:
                raise UsageError(f"--slots must be at least 2, got {slots}")
        if len(set(self.slots)) < max(1, len(self.slots)):
            raise UsageError("--slots must name different numbers")
        kinds = tuple(parse_kind(text) for text in self.hold_out)
        model = choose_model(self.checkpoint, self.model, "objects_room")
        cache, folder = cache_of(self.out), self.data_folder
        results = [
            generalise(
                model,
                slots,
                n=self.n,
                seed=self.seed,
                data_folder=folder,
                hold_out=kinds or hold_out_of(model.data),
                workers=self.workers,
                cache=cache,
            )
            for slots in self.slots
        ]
        pictured = [
            read_pictured(model, slots, folder, n=self.n, seed=self.seed, cache=cache)
            for slots in self.slots
        ]
        out = self.out or RESULTS / model.identity.name
        written = write_generalisation(results, pictured, out)
        print_generalisation(results)
        print(*written, sep="\n")
        return 0
