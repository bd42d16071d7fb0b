"""Tables of scores on the terminal, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.scores.generalisation import COMPARED, Generalisation
from evaluation.scores.intervals import Statistic
from evaluation.scores.labels import CEILING, DECODED, FURTHER, REFINED, as_trained, of_slots
from evaluation.scores.occlusion import EDGES, PARTLY_HIDDEN

if TYPE_CHECKING:
    from evaluation.scores.representation import Dci

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
"""Of `COMPARED`, as many as a terminal has room for."""
DIGITS = {"mse": 4, "nll": 0, "kl_latent": 1, "kl_mask": 1}
"""After the decimal point; 2 for the others."""
WIDTH = 128


def console() -> Console:
    """Returns a console wide enough for the tables where there is no terminal."""
    found = Console()
    return found if found.is_terminal and found.width >= WIDTH else Console(width=WIDTH)


def score_tables(title: str, rows: Mapping[str, Mapping[str, Statistic]]) -> list[Table]:
    """Returns tables that together show every score that any of the rows has."""
    tables = [score_table(title, rows)]
    for columns in FURTHER_COLUMNS:
        having = {
            label: scores for label, scores in rows.items() if any(c in scores for c in columns)
        }
        if having:
            tables.append(score_table("", having, columns))
    return tables


def score_table(
    title: str,
    rows: Mapping[str, Mapping[str, Statistic]],
    columns: Sequence[str] = COLUMNS,
) -> Table:
    """Returns one row for each entry, with those of the columns that any of them has."""
    names = [name for name in columns if any(name in scores for scores in rows.values())]
    most = max((s.count for scores in rows.values() for s in scores.values()), default=0)
    table = _table(title)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for label, scores in rows.items():
        table.add_row(label, *(cell(name, scores.get(name), most) for name in names))
    return table


def condition_table(title: str, results: Sequence[Generalisation]) -> Table:
    """Returns one row for each condition, and for each number of slots where there are several."""
    rows = {}
    for condition in results[0].model:
        for result in results:
            label = condition if len(results) == 1 else f"{condition}, {result.num_slots}"
            rows[label] = result.model[condition]
    return score_table(title, rows, CONDITION_COLUMNS)


def comparison_table(results: Sequence[Generalisation]) -> Table:
    """Returns the model beside the baselines, in the conditions of `COMPARED`."""
    table = _table("beside segmentations that look at colour or place alone, and the ceiling")
    for condition, name in COMPARED_COLUMNS:
        table.add_column(f"{COMPARED[condition]}\n{name}", justify="right", no_wrap=True)
    first = results[0]
    rows: dict[str, Mapping[str, Mapping[str, Statistic]]] = {}
    for result in results:
        rows[of_slots(result.num_slots)] = result.model
        for kind, scores in {DECODED: result.decoded, REFINED: result.refined}.items():
            label = FURTHER[kind]
            rows[label if len(results) == 1 else f"{label}, {result.num_slots}"] = scores
    if first.trained_slots not in [result.num_slots for result in results]:
        rows[as_trained(first.trained_slots)] = first.trained
    for label, conditions in {**rows, **first.baselines, CEILING: first.ceilings}.items():
        table.add_row(
            label,
            *(cell(name, conditions[c].get(name)) for c, name in COMPARED_COLUMNS),
        )
    return table


def slot_table(result: Generalisation, condition: str) -> Table:
    """Returns what each slot holds in the scenes of a condition."""
    use = result.slot_use[condition]
    table = _table(
        f"what each of {result.num_slots} slots holds in {condition}: share of scenes in which it "
        "holds anything, and mostly what"
    )
    for name in ("used", *use.kinds, "share of all pixels"):
        table.add_column(name, justify="right", no_wrap=True)
    for slot, (used, mostly, area) in enumerate(zip(use.used, use.mostly, use.area, strict=True)):
        shares = [f"{share:.0%}" if share else "-" for share in (used, *mostly, area.sum())]
        table.add_row(f"slot {slot + 1}", *shares)
    return table


def occlusion_table(result: Generalisation) -> Table:
    """Returns how many objects are found, by how much of them is in view."""
    table = _table("objects found (recall), by the share of them in view; ± over objects")
    for low, high in pairwise(EDGES):
        table.add_column(f"{low:.0%} to {high:.0%}", justify="right", no_wrap=True)
    rows = {of_slots(result.num_slots): result.occlusion, **result.occlusion_of_baselines}
    for label, found in rows.items():
        table.add_row(label, *(cell("recall", statistic) for statistic in found.recall))
    table.add_row("objects", *(f"{s.count:,}" for s in result.occlusion.recall))
    return table


def representation_table(
    title: str,
    counts: Mapping[str, int],
    properties: Mapping[str, Mapping[str, Mapping[str, float]]],
    disentangling: Mapping[str, Dci],
) -> Table:
    """Returns what latents tell of objects: one row for each property, then DCI."""
    table = _table(f"{title}: accuracy of shape, R² of the rest, on scenes not seen")
    for name, count in counts.items():
        for kind in ("linear", "mlp"):
            words = name.replace(", ", "\n").replace("whole ", "whole\n")
            lines = (words, f"n = {count:,}", kind)
            table.add_column("\n".join(lines), justify="right", no_wrap=True)
    first = next(iter(properties.values()))
    for factor in first:
        chance = first[factor]["chance"]
        label = factor if chance == 0 else f"{factor} (chance {chance:.2f})"
        scores = [p[factor][kind] for p in properties.values() for kind in ("linear", "mlp")]
        table.add_row(label, *("-" if math.isnan(s) else f"{s:.2f}" for s in scores))
    for name in ("disentanglement", "completeness", "informativeness"):
        cells = []
        for found in disentangling.values():
            value = getattr(found, name)
            cells += ["-" if math.isnan(value) else f"{value:.2f}", ""]
        table.add_row(name, *cells)
    return table


def completion(result: Generalisation) -> str:
    """Says in words how far decoded masks complete what is hidden, from the numbers of this run."""
    found = result.occlusion.completion
    if not found or not found["decoded_iou"].count:
        return "No object was both partly hidden and found: nothing to say of completion."
    return (
        f"Of {found['decoded_iou'].count} objects that are partly hidden (at most "
        f"{PARTLY_HIDDEN:.0%} in view) and found, the slot's decoded mask by itself overlaps the "
        f"full extent by {cell('iou', found['decoded_iou'])}, where it is the largest by "
        f"{cell('iou', found['largest_iou'])}, the attention mask by "
        f"{cell('iou', found['attention_iou'])}; the part in view alone would by "
        f"{cell('iou', found['visible_fraction'])}. By itself it covers "
        f"{cell('iou', found['hidden_found'])} of what is hidden."
    )


def cell(name: str, statistic: Statistic | None, most: int | None = None) -> str:
    """Writes a score for a table: mean and half the 95% interval's width; - where undefined.

    Args:
        name: of the score.
        statistic: what is known of it.
        most: number of images, said behind where fewer counted.
    """
    if statistic is None or math.isnan(statistic.mean):
        return "-"
    digits = DIGITS.get(name, 2)
    text = f"{statistic.mean:,.{digits}f}"
    if not math.isnan(statistic.low):
        text += f" ±{(statistic.high - statistic.low) / 2:.{digits}f}"
    return text if most is None or statistic.count == most else f"{text} ({statistic.count})"


def _table(title: str) -> Table:
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", header_style="",
        box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False,
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    return table


def verdict(result: Generalisation) -> str:
    """Says in words whether the model beat k-means on colour, from the numbers of this run."""
    model = result.model["test"]["ari_fg"].mean
    colour = result.baselines["k-means on colour"]["test"]["ari_fg"].mean
    same = result.model["identical_color"]["ari_fg"].mean
    colour_same = result.baselines["k-means on colour"]["identical_color"]["ari_fg"].mean
    trained = ""
    if result.trained:
        mean = result.trained["test"]["ari_fg"].mean
        trained = f" ({mean:.2f} with the {result.trained_slots} slots of training)"
    if model > colour:
        first = (
            f"MONet's ari_fg of {model:.2f}{trained} is above that of k-means on colour, "
            f"{colour:.2f}."
        )
    else:
        first = (
            f"k-means on colour has the higher ari_fg, {colour:.2f} to {model:.2f}{trained}: this "
            "training has not shown more than colour gives. A longer one may; after tools/demo, "
            "`tools/demo --minutes 60` goes on from there, and `--checkpoint objects_room_quick` "
            "scores weights that were trained for hours."
        )
    return (
        f"{first} Where all objects have one colour, k-means has {colour_same:.2f} and MONet "
        f"{same:.2f}."
    )
