"""Prints tables of scores on the terminal, and sentences about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.scores.conditions import title_of
from evaluation.scores.labels import CEILING, DECODED, FURTHER, REFINED, as_trained, of_slots
from evaluation.scores.result_files import rows_from_json
from evaluation.scores.results import (
    FEWEST_OBJECTS,
    FileScores,
    Generalisation,
    Representation,
    Row,
    Statistic,
)

if TYPE_CHECKING:
    from monet.weights import Weights

COLUMNS = ("ari_fg", "ari_merged", "msc", "recall", "count", "mse")
FURTHER_COLUMNS = (
    ("ari", "ari_paper", "ari_fg_sklearn", "sc", "mbo", "miou"),
    ("slots_used", "slots_empty", "nll", "kl_latent", "kl_mask"),
)
CONDITION_COLUMNS = ("ari_fg", "ari_paper", "msc", "recall", "count", "slots_empty", "mse")
COMPARED_COLUMNS = (
    ("test", "ari_merged"),
    ("test", "ari_fg"),
    ("test", "msc"),
    ("objects_6", "ari_fg"),
    ("objects_6", "msc"),
    ("identical_color", "ari_fg"),
)
"""Condition and score of each column of `comparison_table`."""
SHOWN_USE = "objects_6"
"""Condition of which a table shows what each slot holds."""
DIGITS = {"mse": 4, "nll": 0, "kl_latent": 1, "kl_mask": 1}
"""Digits after the decimal point; 2 for the others."""
WIDTH = 128


def console() -> Console:
    """Returns a console wide enough for the tables where there is no terminal."""
    terminal = Console()
    wide = terminal.is_terminal and terminal.width >= WIDTH
    return terminal if wide else Console(width=WIDTH)


def score_tables(title: str, rows: Mapping[str, Mapping[str, Statistic]]) -> list[Table]:
    """Returns tables that together show every score that any of the rows has."""
    tables = [score_table(title, rows)]
    for columns in FURTHER_COLUMNS:
        filled = {
            label: scores for label, scores in rows.items() if any(c in scores for c in columns)
        }
        if filled:
            tables.append(score_table("", filled, columns))
    return tables


def score_table(
    title: str,
    rows: Mapping[str, Mapping[str, Statistic]],
    columns: Sequence[str] = COLUMNS,
) -> Table:
    """Returns a table with a row for each entry, and those columns that any entry has."""
    names = [name for name in columns if any(name in scores for scores in rows.values())]
    most = max((s.count for scores in rows.values() for s in scores.values()), default=0)
    table = _table(title, names)
    for label, scores in rows.items():
        table.add_row(label, *(cell(name, scores.get(name), most) for name in names))
    return table


def condition_table(title: str, results: Sequence[Generalisation]) -> Table:
    """Returns a table with a row for each condition, or for each condition and number of slots."""
    rows = {}
    for condition in results[0].conditions:
        for result in results:
            name = title_of(condition)
            label = name if len(results) == 1 else f"{name}, {result.num_slots}"
            rows[label] = result.conditions[condition]
    return score_table(title, rows, CONDITION_COLUMNS)


def comparison_table(results: Sequence[Generalisation]) -> Table:
    """Returns a table of the model beside the baselines, in the conditions that were scored."""
    first = results[0]
    columns = [column for column in COMPARED_COLUMNS if column[0] in first.conditions]
    table = _table(
        "beside segmentations that look at colour or place alone, and the ceiling",
        [f"{title_of(condition)}\n{name}" for condition, name in columns],
    )
    rows: dict[str, Mapping[str, Mapping[str, Statistic]]] = {}
    for result in results:
        rows[of_slots(result.checkpoint, result.num_slots)] = result.conditions
        for kind, scores in {DECODED: result.decoded_masks, REFINED: result.refined}.items():
            label = FURTHER[kind]
            rows[label if len(results) == 1 else f"{label}, {result.num_slots}"] = scores
    trained = first.as_trained
    if trained is not None and trained.num_slots not in [result.num_slots for result in results]:
        rows[as_trained(first.checkpoint, trained.num_slots)] = trained.conditions
    for label, conditions in {**rows, **first.baselines, CEILING: first.ceilings}.items():
        if conditions:
            cells = (cell(name, conditions[c].get(name)) for c, name in columns)
            table.add_row(label, *cells)
    return table


def slot_table(result: Generalisation, condition: str) -> Table:
    """Returns a table of what each slot holds in the scenes of a condition."""
    use = result.slot_use[condition]
    table = _table(
        f"what each of {result.num_slots} slots holds, {title_of(condition)}: share of scenes in "
        "which it holds anything, and mostly what",
        ("used", *use[0].area, "share of all pixels"),
    )
    for number, slot in enumerate(use, 1):
        shares = (slot.used, *slot.mostly.values(), sum(slot.area.values()))
        table.add_row(f"slot {number}", *(f"{share:.0%}" if share else "-" for share in shares))
    return table


def occlusion_table(result: Generalisation) -> Table:
    """Returns a table of the share of objects that are found, by how much of them is in view."""
    model = result.occlusion.model
    table = _table(
        "objects found (recall), by the share of them in view; ± over objects",
        [f"{recall.above:.0%} to {recall.to:.0%}" for recall in model.recall],
    )
    rows = {of_slots(result.checkpoint, result.num_slots): model, **result.occlusion.baselines}
    for label, objects in rows.items():
        table.add_row(label, *(cell("recall", statistic) for statistic in objects.recall))
    table.add_row("objects", *(f"{recall.count:,}" for recall in model.recall))
    return table


def representation_table(result: Representation) -> Table:
    """Returns a table of how well latents predict each property of objects, then DCI."""
    table = _table(
        f"{result.checkpoint.title}, {result.n} scenes of {result.data}: accuracy of shape, R² of "
        "the rest, on scenes not seen",
        [
            f"{name}, n = {count:,}, {kind}".replace("whole ", "whole\n").replace(", ", "\n")
            for name, count in result.objects.items()
            for kind in ("linear", "mlp")
        ],
    )
    for factor, predicted in next(iter(result.properties.values())).items():
        chance = predicted.chance
        label = f"{factor} (chance {chance:.2f})" if chance > 0 else factor
        rows = [row[factor] for row in result.properties.values()]
        table.add_row(label, *(_share(score) for row in rows for score in (row.linear, row.mlp)))
    for name in ("disentanglement", "completeness", "informativeness"):
        cells = [(_share(getattr(dci, name)), "") for dci in result.dci.values()]
        table.add_row(name, *chain.from_iterable(cells))
    return table


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def completion(result: Generalisation) -> str:
    """Returns sentences on how far decoded masks complete objects that are partly hidden."""
    occlusion = result.occlusion.model
    scores = occlusion.completion
    if not scores and not result.decoded_masks:
        return "It gives no decoded masks: nothing to say of completion."
    if not occlusion.tells_completion:
        return "No object was both partly hidden and found: nothing to say of completion."
    return (
        f"Of {scores['decoded_iou'].count} objects that are partly hidden (at most "
        f"{occlusion.completion_of_visible_fraction_to:.0%} in view) and found, the slot's decoded "
        f"mask by itself overlaps the full extent by {cell('iou', scores['decoded_iou'])}, where "
        f"it is the largest by {cell('iou', scores['largest_iou'])}, the attention mask by "
        f"{cell('iou', scores['attention_iou'])}; the part in view alone would by "
        f"{cell('iou', scores['visible_fraction'])}. By itself it covers "
        f"{cell('iou', scores['hidden_found'])} of what is hidden."
    )


def cell(name: str, statistic: Statistic | None, most: int | None = None) -> str:
    """Writes a score for a table: mean and half the 95% interval's width; - where undefined.

    Args:
        name: name of the score, which decides its digits.
        statistic: the score; `None` where there is none.
        most: number of images; a score over fewer is followed by their number.
    """
    if statistic is None or math.isnan(statistic.mean):
        return "-"
    digits = DIGITS.get(name, 2)
    text = f"{statistic.mean:,.{digits}f}"
    if not math.isnan(statistic.low):
        text += f" ±{(statistic.high - statistic.low) / 2:.{digits}f}"
    return text if most is None or statistic.count == most else f"{text} ({statistic.count})"


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        header_style="",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def verdict(result: Generalisation) -> str:
    """Returns sentences on whether the model beat k-means on colour."""
    lacking = [title_of(name) for name in VERDICT if name not in result.conditions]
    if lacking:
        return f"Not scored {', '.join(lacking)}: nothing to say beside k-means on colour."
    label, colours = result.checkpoint.label, result.baselines["k-means on colour"]
    model, colour = result.conditions["test"]["ari_fg"].mean, colours["test"]["ari_fg"].mean
    same = result.conditions["identical_color"]["ari_fg"].mean
    colour_same = colours["identical_color"]["ari_fg"].mean
    trained = ""
    if result.as_trained is not None:
        mean = result.as_trained.conditions["test"]["ari_fg"].mean
        trained = f" ({mean:.2f} with the {result.as_trained.num_slots} slots of training)"
    if model > colour:
        first = (
            f"{label}'s ari_fg of {model:.2f}{trained} is above that of k-means on colour, "
            f"{colour:.2f}."
        )
    else:
        first = f"k-means on colour has the higher ari_fg, {colour:.2f} to {model:.2f}{trained}"
        first += f": {ADVICE}" if label == "MONet" else "."
    return (
        f"{first} Where all objects have one colour, k-means has {colour_same:.2f} and {label} "
        f"{same:.2f}."
    )


VERDICT = ("test", "identical_color")
"""Conditions that the verdict is of."""
ADVICE = (
    "this training has not shown more than colour gives. A longer one may; after tools/demo, "
    "`tools/demo --minutes 60` goes on from there, and `--checkpoint objects_room_quick` scores "
    "weights that were trained for hours."
)


def print_file_scores(result: FileScores) -> None:
    """Prints every score of a model, or of predictions, on a file."""
    rows: dict[str, Row] = {result.name: result.metrics}
    further = {DECODED: result.decoded_masks, REFINED: result.refined}
    rows |= {FURTHER[kind]: row for kind, row in further.items() if row is not None}
    rows |= result.baselines
    rows |= {} if result.ceiling is None else {CEILING: result.ceiling}
    terminal = console()
    title = f"{result.n} scenes of {result.data}; ± half of a 95% interval over images"
    for table in score_tables(title, rows):
        terminal.print(table)


def print_recorded_scores(weights: Weights) -> None:
    """Prints the scores of test scenes that weights carry since they shipped, if they do."""
    if "scores" not in weights.notes:
        return
    recorded = rows_from_json(weights.notes["scores"], f"{weights.path}: scores")
    names = {"model": weights.name, REFINED: FURTHER[REFINED]}
    rows = {names.get(row, row): scores for row, scores in recorded.items()}
    n = max((s.count for scores in rows.values() for s in scores.values()), default=0)
    title = (
        f"scores recorded with the weights, {n:,} test scenes of {weights.dataset}, "
        f"{weights.config.model.num_slots} slots; not scores of this picture"
    )
    console().print(score_table(title, rows))


def print_generalisation(results: Sequence[Generalisation]) -> None:
    """Prints a model's scores in every condition, with each of several numbers of slots."""
    first = results[0]
    counts = ", ".join(str(result.num_slots) for result in results)
    title = (
        f"{first.checkpoint.title}, {counts} slots, {first.n} scenes of each condition; ± half of "
        "a 95% interval over images, (images that counted)"
    )
    terminal = console()
    terminal.print(condition_table(title, results))
    comparison = comparison_table(results)
    if len(comparison.columns) > 1:
        terminal.print(comparison)
    terminal.print(verdict(first))
    terminal.print()
    for result in results:
        if SHOWN_USE in result.slot_use:
            terminal.print(slot_table(result, SHOWN_USE))
    for result in results:
        terminal.print(occlusion_table(result))
        terminal.print(completion(result))


def print_representation(result: Representation) -> None:
    """Prints how well latents predict objects' properties, and why some scores are undefined."""
    terminal = console()
    terminal.print(representation_table(result))
    rows = result.properties.values()
    if any(math.isnan(score.linear) for row in rows for score in row.values()):
        terminal.print(
            f"- stands where fewer than {FEWEST_OBJECTS} objects are in the first four fifths of "
            f"the scenes, to learn from, or fewer than {FEWEST_OBJECTS} in the others, to be "
            "scored on, or where all of them are alike; --n takes more scenes."
        )
