"""The commands that score: `eval generalise`, `eval score` and `eval represent`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenes.command_line import UsageError
from scenes.objects_room.kinds import parse_kind

RESULTS = Path("results")


@dataclass(frozen=True)
class Generalise:
    """Score MONet on more objects than it was trained with, and on objects of one colour."""

    slots: tuple[int, ...] = (9,)
    """Slots to use; several are scored one after the other."""
    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the Objects Room, else
    objects_room_64."""
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
    hold_out: tuple[str, ...] = ()
    """Kinds of objects that training held out, such as shape=sphere,hue=0.9-0.1, scored apart; by
    default those of the training file, where it is still there."""

    def run(self) -> int:
        """Scores, prints the tables, and writes scores.json and the pictures."""
        from evaluation.figures import draw_decompositions, save
        from evaluation.figures.generalisation import (
            plot_generalisation,
            plot_occlusion,
            plot_slot_use,
        )
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_weights, identity_of
        from evaluation.scores.generalisation import generalise, hold_out_of
        from evaluation.scores.scoring import write_json
        from evaluation.terminal_tables import (
            comparison_table,
            completion,
            condition_table,
            console,
            occlusion_table,
            slot_table,
            verdict,
        )

        for slots in self.slots:
            if slots < 2:
                raise UsageError(f"--slots must be at least 2, got {slots}")
        if len(set(self.slots)) < max(1, len(self.slots)):
            raise UsageError("--slots must name different numbers")
        given = tuple(parse_kind(text) for text in self.hold_out)
        weights = choose_weights(self.checkpoint, "objects_room")
        hold_out = given or hold_out_of(weights.config.data)
        model = weights.model()
        out = self.out or RESULTS / "generalise" / weights.name
        cache = cache_of(self.out)
        checkpoint = {
            **identity_of(weights), "trained_slots": weights.config.model.num_slots
        }  # fmt: skip
        results, written = [], []
        for slots in self.slots:
            result = generalise(
                model, slots, self.data_folder, n=self.n, seed=self.seed, workers=self.workers,
                cache=cache, hold_out=hold_out,
            )  # fmt: skip
            folder = out if len(self.slots) == 1 else out / f"slots_{slots}"
            write_json(folder / "scores.json", result.as_json(checkpoint, self.seed))
            written += [
                folder / "scores.json",
                *save(draw_decompositions(result.pictured), folder / "decompositions"),
                *save(plot_slot_use(result), folder / "slot_use"),
            ]
            results.append(result)
        written += save(plot_generalisation(results), out / "generalisation")
        written += save(plot_occlusion(results), out / "occlusion")
        counts = ", ".join(str(slots) for slots in self.slots)
        title = (
            f"{weights.name} at step {weights.step:,}, {counts} slots, {self.n} scenes of each "
            "condition; ± half of a 95% interval over images, (images that counted)"
        )
        terminal = console()
        terminal.print(condition_table(title, results))
        terminal.print(comparison_table(results))
        terminal.print(verdict(results[0]))
        terminal.print()
        for result in results:
            terminal.print(slot_table(result, "objects_6"))
        for result in results:
            terminal.print(occlusion_table(result))
            terminal.print(completion(result))
        for path in written:
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
    """Folder to write; results/score/NAME/FILE by default."""

    def run(self) -> int:
        """Scores, prints the tables and writes scores.json."""
        from evaluation.predictions.baselines import BASELINES
        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.contract import ROUNDS, read_predictions
        from evaluation.scores.labels import CEILING, DECODED, FURTHER, REFINED
        from evaluation.scores.scoring import (
            all_to_json,
            ceiling_values,
            decoded_masks,
            read_scenes,
            statistics_of_rows,
            values_of,
            write_json,
        )
        from evaluation.terminal_tables import console, score_tables

        self._check()
        cache = cache_of(self.out)
        refined = checkpoint = None
        if self.predictions is not None:
            from evaluation.predictions.order import check_order

            scenes = read_scenes(self.data, self.n)
            name = self.predictions.stem
            given = read_predictions(
                self.predictions,
                len(scenes.images),
                scenes.images.shape[1:3],
                may_be_longer=self.n is not None,
            )
            if not given.names_scenes:
                check_order(self.predictions, scenes.segmentation, given.segmentation)
        else:
            from evaluation.predictions.model_choice import choose_weights, identity_of, scenes_in

            weights = choose_weights(self.checkpoint, *scenes_in(self.data))
            checkpoint = identity_of(weights)
            name, model = weights.name, weights.model()
            scenes = read_scenes(self.data, self.n, model.config.image_size)
            given = cache.of_model(model, scenes.images, self.slots)
            refined = cache.of_model(model, scenes.images, self.slots, ROUNDS)
        values = {name: values_of(scenes, given)}
        for kind, other in {DECODED: decoded_masks(given), REFINED: refined}.items():
            if other is not None:
                values[FURTHER[kind]] = values_of(scenes, other)
        baselines = tuple(BASELINES) if self.baselines else ()
        for label in baselines:
            made = cache.of_baseline(label, BASELINES[label], scenes.images)
            values[label] = values_of(scenes, made)
        highest = ceiling_values(scenes)
        if highest is not None:
            values[CEILING] = highest
        rows = statistics_of_rows(values)
        content: dict[str, Any] = {
            "checkpoint": checkpoint,
            "predictions": None if self.predictions is None else str(self.predictions),
            "data": str(self.data),
            "n": len(scenes.images),
            "num_slots": given.num_slots,
            "interval": "95% bootstrap over images, not over training seeds",
            "metrics": all_to_json(rows[name]),
            **{
                kind: all_to_json(rows[label]) if label in rows else None
                for kind, label in FURTHER.items()
            },
            "baselines": {label: all_to_json(rows[label]) for label in baselines},
            "ceiling": all_to_json(rows[CEILING]) if CEILING in rows else None,
        }
        out = self.out or RESULTS / "score" / name / self.data.stem
        write_json(out / "scores.json", content)
        terminal = console()
        title = f"{len(scenes.images)} scenes of {self.data}; ± half of a 95% interval over images"
        for table in score_tables(title, rows):
            terminal.print(table)
        print(out / "scores.json")
        return 0

    def _check(self) -> None:
        if (self.checkpoint is None) == (self.predictions is None):
            raise UsageError("give one of --checkpoint and --predictions")
        if self.slots is not None and self.slots < 2:
            raise UsageError(f"--slots must be at least 2, got {self.slots}")
        if self.n is not None and self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        if self.predictions is not None and self.slots is not None:
            raise UsageError("--slots goes with --checkpoint")


@dataclass(frozen=True)
class Represent:
    """Predict objects' properties from the latents of their slots, and score disentangling."""

    checkpoint: str | None = None
    """Run folder or name of shipped weights; by default the newest run on the data's dataset."""
    whole_image: str | None = None
    """Run trained with --masks all-in-one (section 2.2), for comparison: one code for the image."""
    data: Path | None = None
    """File of scenes with their truth; test rooms, rendered if they lack, by default."""
    data_folder: Path = Path("data/objects_room")
    """Where test rooms lie."""
    n: int = 2000
    """Number of scenes; predictors learn on the first four fifths."""
    seed: int = 0
    """Of the test rooms."""
    slots: int | None = None
    """Slots to use; as many as in training by default."""
    workers: int | None = None
    """Processes that render; one per core by default."""
    out: Path | None = None
    """Folder to write; results/represent/RUN by default."""

    def run(self) -> int:
        """Scores, prints the tables and writes representation.json."""
        from dataclasses import asdict, replace

        from monet.weights import find_weights, read_weights

        from evaluation.predictions.cache import cache_of
        from evaluation.predictions.model_choice import choose_weights, identity_of, scenes_in
        from evaluation.scores.generalisation import scene_file
        from evaluation.scores.representation import (
            dci,
            matched_objects,
            predict_properties,
            read_factors,
            subset,
        )
        from evaluation.scores.scoring import finite_or_null, read_scenes, write_json
        from evaluation.terminal_tables import console, representation_table

        if self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        if self.slots is not None and self.slots < 2:
            raise UsageError(f"--slots must be at least 2, got {self.slots}")
        weights = choose_weights(self.checkpoint, *scenes_in(self.data))
        model = weights.model()
        size = model.config.image_size
        whole = None
        if self.whole_image is not None:
            whole = read_weights(find_weights(self.whole_image))
            if whole.config.masks != "all-in-one":
                raise UsageError(f"{whole.path}: was not trained with --masks all-in-one")
            if whole.config.model.image_size != size:
                raise UsageError(f"{whole.path}: takes images of another size than {weights.path}")
        data = self.data or scene_file(
            "test", size, self.data_folder, seed=self.seed, n=self.n, workers=self.workers
        )
        scenes = read_scenes(data, self.n, size)
        cache = cache_of(self.out)
        given = cache.of_model(model, scenes.images, self.slots)
        objects = matched_objects(scenes, given, read_factors(data, self.n))
        rows = {"slots": objects}
        if whole is not None:
            latents = cache.whole_image(whole.model(), scenes.images)
            rows["whole image"] = replace(objects, latents=latents[objects.scene])
        rows |= {f"{name}, alone in view": subset(row, row.alone) for name, row in rows.items()}
        properties = {name: predict_properties(row) for name, row in rows.items()}
        disentangling = {name: dci(row) for name, row in rows.items()}
        out = self.out or RESULTS / "represent" / weights.name
        content = {
            "checkpoint": identity_of(weights),
            "whole_image": None if whole is None else str(whole.path),
            "data": str(data),
            "n": self.n,
            "objects": {name: len(row.scene) for name, row in rows.items()},
            "properties": properties,
            "dci": {name: asdict(found) for name, found in disentangling.items()},
        }
        write_json(out / "representation.json", finite_or_null(content))
        counts = {name: len(row.scene) for name, row in rows.items()}
        title = f"{weights.name} at step {weights.step:,}, {self.n} scenes of {data}"
        console().print(representation_table(title, counts, properties, disentangling))
        print(out / "representation.json")
        return 0
