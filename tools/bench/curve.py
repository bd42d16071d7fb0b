"""Draws how the scores of a training rose, from its log.

    tools/bench/curve.py runs/paper/metrics.jsonl curve.png
    tools/bench/curve.py docs/figures/curve_objects_room_64.jsonl curve.png --mark 6000

A log has a JSON object on each line; those with `step`, `ari_fg` and `held_out_nll` are drawn.
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
from evaluation.figures.style import STYLE, Canvas, note_height, save
from matplotlib.figure import Figure

PANELS = {
    "ari_fg": "ari_fg, held-out scenes",
    "held_out_nll": "NLL, nats an image, held-out scenes",
}
UNSETTLED = {"ari_fg": 0.0, "held_out_nll": 0.2}
"""Share of the steps, the first ones, that do not count for a panel's scale: the first losses lie
far from the rest."""
WIDTH, TOP, LEFT, PLOT, GAP = 6.4, 0.3, 0.6, (2.3, 1.6), 0.85


def draw(log: Path, marks: list[int], note: str) -> Figure:
    """Returns the curves of a log side by side.

    Args:
        log: a run's metrics.jsonl, or lines like its.
        marks: steps at which dotted lines stand.
        note: a line below.

    Raises:
        ValueError: no line of the log has all the scores.
    """
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in lines if "step" in row and PANELS.keys() <= row.keys()]
    if not rows:
        raise ValueError(f"{log}: no line holds step, {' and '.join(PANELS)}")
    steps = [row["step"] for row in rows]
    below = TOP + PLOT[1] + 0.5
    canvas = Canvas(WIDTH, below + note_height(note, WIDTH))
    for index, (score, title) in enumerate(PANELS.items()):
        axes = canvas.axes(LEFT + index * (PLOT[0] + GAP), TOP, *PLOT)
        with mpl.rc_context(STYLE):
            axes.plot(steps, [row[score] for row in rows], color="#0072B2", lw=1.4, marker=".")
            first = UNSETTLED[score] * steps[-1]
            settled = [row[score] for row in rows if row["step"] >= first]
            space = 0.1 * max(max(settled) - min(settled), 1e-9)
            axes.set_ylim(min(settled) - space, max(settled) + space)
            for mark in marks:
                axes.axvline(mark, color="0.6", lw=0.8, ls="dotted")
            axes.set_title(title, loc="left")
            axes.set_xlabel("step")
            axes.tick_params(labelsize=7)
    canvas.note(note, below)
    return canvas.figure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("out", type=Path, help="PNG, PDF or SVG")
    parser.add_argument("--note", default="", help="a line below the curves")
    parser.add_argument("--mark", type=int, nargs="*", default=[], help="steps to mark")
    args = parser.parse_args()
    save(draw(args.log, args.mark, args.note), args.out.with_suffix(""), (args.out.suffix[1:],))


if __name__ == "__main__":
    main()
