"""Score how well a model takes scenes apart."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from scenes.command_line import UsageError, parse, run_command

from evaluation.picture_commands import Figures, Report, Traverse


@dataclass(frozen=True)
class Generalise:
    """Score MONet on more objects than it was trained with, and on objects of one colour."""

    slots: tuple[int, ...] = (9,)
    """Slots to use; several are scored one after the other."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the Objects Room."""
    n: int = 320
    """Scenes of each condition."""
    seed: int = 0
    """Of the test scenes; none of them is ever a training scene."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    out: Path | None = None
    """Folder to write; results/generalise/RUN by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
        """Scores, prints the tables, and writes scores.json and the pictures."""
        from evaluation.checkpoint import choose_weights
        from evaluation.figures import draw_decompositions, plot_generalisation, save
        from evaluation.generalise import generalise
        from evaluation.score import write_json
        from evaluation.tables import comparison_table, console, score_table, verdict

        for slots in self.slots:
            if slots < 2:
                raise UsageError(f"--slots must be at least 2, got {slots}")
        weights = choose_weights(self.checkpoint, "objects_room")
        model = weights.model()
        out = self.out or Path("results/generalise") / weights.name
        for slots in self.slots:
            folder = out if len(self.slots) == 1 else out / f"slots_{slots}"
            result = generalise(
                model, slots, self.data_folder, n=self.n, seed=self.seed, workers=self.workers
            )
            checkpoint = {
                "path": str(weights.path), "name": weights.name, "step": weights.step,
                "trained_slots": weights.config.model.num_slots,
            }  # fmt: skip
            write_json(folder / "scores.json", result.as_json(checkpoint, self.seed))
            title = (
                f"{weights.name} at step {weights.step:,}, {slots} slots, {self.n} scenes of each "
                "condition; ± half of a 95% interval over images"
            )
            terminal = console()
            terminal.print(score_table(title, result.model))
            terminal.print(comparison_table(result))
            terminal.print(verdict(result))
            pictures = [
                *save(draw_decompositions(result.pictured), folder / "decompositions"),
                *save(plot_generalisation(result), folder / "generalisation"),
            ]
            for path in (folder / "scores.json", *pictures):
                print(path)
        return 0


@dataclass(frozen=True)
class Score:
    """Score a checkpoint, or the masks of any program, on a file of scenes."""

    data: Path
    """File of scenes with their truth."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights."""
    predictions: Path | None = None
    """Instead: HDF5 with `masks` (N, K, H, W) or `segmentation` (N, H, W) for the same scenes."""
    slots: int | None = None
    """Slots to use with a checkpoint; as many as in training by default."""
    n: int | None = None
    """Number of scenes; all by default."""
    baselines: bool = True
    """Score baselines beside."""
    out: Path | None = None
    """Folder to write; results/score/NAME by default."""

    def run(self) -> int:
        """Scores, prints the table and writes scores.json."""
        from evaluation.predictions import Predictions, predict, read_predictions
        from evaluation.score import all_to_json, read_scenes, score, write_json
        from evaluation.tables import console, score_table

        if (self.checkpoint is None) == (self.predictions is None):
            raise UsageError("give one of --checkpoint and --predictions")
        if self.slots is not None and self.slots < 2:
            raise UsageError(f"--slots must be at least 2, got {self.slots}")
        if self.n is not None and self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        if self.predictions is not None:
            if self.slots is not None:
                raise UsageError("--slots goes with --checkpoint")
            scenes = read_scenes(self.data, self.n)
            name = self.predictions.stem
            given: Predictions = read_predictions(
                self.predictions, len(scenes.images), scenes.images.shape[1]
            )
        else:
            from evaluation.checkpoint import choose_weights

            weights = choose_weights(self.checkpoint, "")
            name, model = weights.name, weights.model()
            scenes = read_scenes(self.data, self.n, model.config.image_size)
            given = predict(model, scenes.images, self.slots or model.config.num_slots)
        rows = {name: score(scenes, given)}
        if self.baselines:
            from evaluation.baselines import BASELINES

            for label, segment in BASELINES.items():
                rows[label] = score(scenes, segment(scenes.images))
        out = self.out or Path("results/score") / name
        content: dict[str, Any] = {
            "data": str(self.data),
            "n": len(scenes.images),
            "num_slots": given.num_slots,
            "interval": "95% bootstrap over images, not over training seeds",
            "metrics": all_to_json(rows[name]),
            "baselines": {k: all_to_json(v) for k, v in rows.items() if k != name},
        }
        write_json(out / "scores.json", content)
        title = f"{len(scenes.images)} scenes of {self.data}; ± half of a 95% interval over images"
        console().print(score_table(title, rows))
        print(out / "scores.json")
        return 0


COMMANDS: dict[str, Any] = {
    "generalise": Generalise,
    "score": Score,
    "figures": Figures,
    "traverse": Traverse,
    "report": Report,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `eval`; returns the exit code."""
    return _run("eval", sys.argv[1:] if arguments is None else arguments)


def generalise() -> int:
    """Runs `generalise`, which is also what the shell's own `eval generalise` runs."""
    return _run("eval", ["generalise", *sys.argv[1:]])


def score() -> int:
    """Runs `score`, as `generalise` is run."""
    return _run("eval", ["score", *sys.argv[1:]])


def figures() -> int:
    """Runs `figures`, as `generalise` is run."""
    return _run("eval", ["figures", *sys.argv[1:]])


def traverse() -> int:
    """Runs `traverse`, as `generalise` is run."""
    return _run("eval", ["traverse", *sys.argv[1:]])


def report() -> int:
    """Runs `report`, as `generalise` is run."""
    return _run("eval", ["report", *sys.argv[1:]])


def _run(program: str, arguments: list[str]) -> int:
    def command() -> int:
        chosen = parse(
            lambda: tyro.extras.subcommand_cli_from_dict(
                COMMANDS, args=arguments, prog=program, description=__doc__
            )
        )
        return chosen.run()

    return run_command(program, command)


if __name__ == "__main__":
    sys.exit(main())
