"""The commands of `eval` that make pictures and pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError, UsageError


@dataclass(frozen=True)
class Figures:
    """Draw the paper's figures from runs and files."""

    figures: tuple[int, ...] | None = None
    """Which, from 2 to 10; by default all whose runs and files are there."""
    checkpoint: tuple[str, ...] = ()
    """Run folders or names of shipped weights, of any datasets; all under runs/ by default."""
    data: tuple[Path, ...] = ()
    """Files of scenes, of any datasets; by default those that the runs were trained on."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes of the Objects Room lie; those that lack are rendered into it."""
    refine: int = 0
    """Rounds in which the VAE corrects the masks before they are drawn; the paper has none."""
    seed: int = 0
    """Of the test scenes; none of them is ever a training scene."""
    out: Path | None = None
    """Folder to write; results/figures by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
        """Draws the figures, and says of each that is left out what it lacks."""
        from scenes.progress import progress_bar

        from evaluation.figures.paper import NUMBERS, PARTS, Materials, MissingError
        from evaluation.figures.style import save
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import every_run

        for number in self.figures or ():
            if number not in NUMBERS:
                raise UsageError(
                    f"--figures must be from {NUMBERS[0]} to {NUMBERS[-1]}, got {number}"
                )
        if self.refine < 0:
            raise UsageError(f"--refine must be at least 0, got {self.refine}")
        materials = Materials(
            runs=tuple(every_run(self.checkpoint)),
            files=self.data,
            data_folder=self.data_folder,
            seed=self.seed,
            workers=self.workers,
            cache=cache_of(self.out),
            refine=self.refine,
        )
        parts = [part for part in PARTS if self.figures is None or part.number in self.figures]
        out = self.out or Path("results/figures")
        lacking = []
        with progress_bar() as progress:
            task = progress.add_task("drawing", total=len(parts), note="")
            for part in parts:
                progress.update(task, note=part.stem)
                try:
                    paths = save(part.draw(materials), out / part.stem, ("png", "pdf", "svg"))
                except MissingError as error:
                    lacking.append(f"{part.stem} is left out: {error}")
                else:
                    print(*paths, sep="\n")
                progress.advance(task)
        if lacking and self.figures is not None:
            raise CommandError("; ".join(lacking))
        print(*lacking, sep="\n", end="\n" if lacking else "")
        return 0


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
    data: Path | None = None
    """File of scenes; by default the Objects Room's test scenes in --data-folder."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    seed: int = 0
    """Of the test scenes."""
    out: Path | None = None
    """Folder to write; results/traverse/RUN by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
        """Writes the strip and the GIF."""
        from evaluation.figures.style import save
        from evaluation.figures.traversal import (
            check_slot,
            draw_strip,
            gif_values,
            ordered,
            own_component,
            scene_of,
            strip_values,
            traverse,
            write_gif,
        )
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_weights, scenes_in

        weights = choose_weights(self.checkpoint, *scenes_in(self.data))
        model = weights.model()
        slots = model.config.num_slots if self.slots is None else self.slots
        if slots < 2:
            raise UsageError(f"--slots must be at least 2, got {slots}")
        slot = check_slot(self.slot, slots)
        if self.latent is not None and not 0 <= self.latent < model.config.latent_dim:
            raise UsageError(
                f"--latent must be from 0 to {model.config.latent_dim - 1}, got {self.latent}"
            )
        data = self.data or _test_rooms(self, model.config.image_size, self.scene + 1)
        image = scene_of(data, self.scene, model.config.image_size)
        parts = cache_of(self.out).decompositions(model, image[None], slots)
        z = parts.latents[0, slot]
        latents = None if self.latent is None else (self.latent,)
        strip, moving = (
            ordered(traverse(model, z, values, latents, relative=self.relative))
            for values in (strip_values(), gif_values())
        )
        name = f"scene_{self.scene}_slot_{self.slot}"
        name += "" if self.latent is None else f"_latent_{self.latent}"
        out = (self.out or Path("results/traverse") / weights.name) / name
        note = (
            f"{weights.name} at step {weights.step:,}, scene {self.scene} of {data.name}; "
            + ("added to what the latent is" if self.relative else "in place of what the latent is")
            + "; masks not normalised over slots"
        )
        figure = draw_strip(
            strip, image, own_component(parts, slot), slot, note, relative=self.relative
        )
        for path in save(figure, out):
            print(path)
        gif = out.with_name(f"{name}.gif")
        write_gif(moving, gif)
        print(gif)
        return 0


def _test_rooms(command: Traverse, size: int, n: int) -> Path:
    """Returns the file of the Objects Room's test scenes, rendering those that lack."""
    from evaluation.scores.generalisation import scene_file

    if n < 1:
        raise UsageError(f"--scene must be at least 0, got {n - 1}")
    return scene_file(
        "test", size, command.data_folder, seed=command.seed, n=n, workers=command.workers
    )


@dataclass(frozen=True)
class Report:
    """Gather runs and scores into one HTML page, with scenes to look into slot by slot."""

    checkpoint: str | None = None
    """Run whose scenes to show; by default the newest run on the data's dataset."""
    runs: Path = Path("runs")
    """Folder of the runs to list."""
    results: Path = Path("results")
    """Folder below which scores.json files lie."""
    data: Path | None = None
    """File of scenes to show; by default the Objects Room's test scenes in --data-folder."""
    data_folder: Path = Path("data/objects_room")
    """Where test scenes lie; those that lack are rendered into it."""
    slots: int = 9
    """Slots to use."""
    n: int = 320
    """Test scenes of which the worst and the best are shown."""
    metric: str = "msc"
    """Score by which they are that."""
    seed: int = 0
    """Of the test scenes."""
    out: Path | None = None
    """Folder to write; results/report by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> int:
        """Writes report.html and report.json."""
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_weights, scenes_in
        from evaluation.report import gather, write_report

        if self.slots < 2:
            raise UsageError(f"--slots must be at least 2, got {self.slots}")
        if self.n < 2:
            raise UsageError(f"--n must be at least 2, got {self.n}")
        report = gather(
            choose_weights(self.checkpoint, *scenes_in(self.data)),
            runs=self.runs,
            results=self.results,
            data=self.data,
            data_folder=self.data_folder,
            num_slots=self.slots,
            n=self.n,
            metric=self.metric,
            seed=self.seed,
            workers=self.workers,
            cache=cache_of(self.out),
        )
        for path in write_report(report, self.out or Path("results/report")):
            print(path)
        return 0
