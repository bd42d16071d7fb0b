"""`eval generalise`: a model on more objects than it was trained with, and on one colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results/generalise")


@dataclass(frozen=True)
class Generalise:
    """Score a model or anyone's masks on more objects than in training, and on one colour."""

    slots: tuple[int, ...] | None = None
    """Slots to use, 9 by default; several are scored one after the other."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the Objects Room, else
    objects_room_64."""
    model: str | None = None
    """Instead: any model, as module:factory or FILE.py:factory (docs/metrics.md)."""
    predictions: Path | None = None
    """Instead: folder of masks that any program made of the scenes of `eval conditions`, in files
    of the same names (docs/metrics.md)."""
    n: int | None = None
    """Scenes of each condition; 320 by default, with --predictions all."""
    seed: int | None = None
    """Seed of the test scenes, none of which is ever a training scene; 0 by default, with
    --predictions that of their scenes."""
    ignore_label: int | None = None
    """Label of predictions whose pixels are left out of all scores, such as 255 for "no slot"."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; for a model, those that lack are rendered into it."""
    out: Path | None = None
    """Folder to write; results/generalise/RUN by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""
    hold_out: tuple[str, ...] = ()
    """Kinds of objects that training held out, such as shape=sphere,hue=0.9-0.1, scored apart; by
    default those of the training file, where it is still there."""

    def run(self) -> None:
        """Scores, prints the tables, and writes scores.json and the pictures."""
        from evaluation.figures.condition_plots import write_generalisation
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_subject
        from evaluation.scores.generalisation import generalise_each
        from evaluation.terminal_tables import print_generalisation

        cache = cache_of(self.out)
        model = choose_subject(
            self.checkpoint, self.model, self.predictions, slots=self.slots or (), n=self.n
        )
        subject, results = generalise_each(
            model,
            self.slots,
            n=self.n,
            seed=self.seed,
            data_folder=self.data_folder,
            hold_out=self.hold_out or None,
            ignore_label=self.ignore_label,
            workers=self.workers,
            cache=cache,
        )
        out = self.out or RESULTS / subject.identity.name
        paths = write_generalisation(subject, results, out, self.data_folder, cache)
        print_generalisation(results)
        print(*paths, sep="\n")
