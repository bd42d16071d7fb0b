"""A leaderboard as Markdown, in which names of models can be nothing but names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evaluation.leaderboard.tables import ShownRow, shown
from evaluation.report.tables import Cell
from evaluation.scores.leaderboard_results import BenchmarkTable, Leaderboard

LEGEND = (
    "Means over training seeds, n of them. ± is half of a 95% interval over images, the mean of "
    "the seeds'; *seeds ±* is half of a 95% t interval over seeds, which one seed (n = 1) has not. "
    "Models stand in the order of the first score, their other masks below each. Baselines know "
    "nothing of objects. A dash: undefined."
)

OWN, ANOTHERS = "the benchmark's own", "another OpenGL's, within bounds"
"""Whose pixels were scored, in words."""


def to_markdown(board: Leaderboard) -> str:
    """Returns a leaderboard as Markdown, for a page of its own."""
    return "\n".join(["# Leaderboard", "", *sections(board)]) + "\n"


def sections(board: Leaderboard) -> list[str]:
    """Returns the lines below the title: what numbers mean, and a section for each benchmark."""
    lines = [LEGEND, ""]
    for table in board.tables:
        lines += [f"## {heading(table)}", "", _about(table), "", *_rows(table), ""]
        lines += [f"- {code(remark)}" for remark in table.remarks]
        lines += [""] if table.remarks else []
    if board.left_out:
        lines += ["## Left out", "", *(f"- {code(line)}" for line in board.left_out), ""]
    return lines[:-1]


def heading(table: BenchmarkTable) -> str:
    """Returns a benchmark's name, and the size of the images that models saw."""
    return f"{table.benchmark.name} at {table.benchmark.size} pixels"


def _about(table: BenchmarkTable) -> str:
    """Returns in words which scenes the table is of."""
    benchmark = table.benchmark
    drawn = ", ".join(
        f"`{pixels}` ({OWN if exact else ANOTHERS})" for pixels, exact in table.drawings.items()
    )
    return f"{scenes_of(table)} Factors `{benchmark.factors}`; pixels {drawn}."


def scenes_of(table: BenchmarkTable) -> str:
    """Returns a sentence of what the table's scenes are, and how many."""
    benchmark, title = table.benchmark, table.title
    return (
        f"{title[:1].upper()}{title[1:]}: {benchmark.rows:,} scenes, version {benchmark.version}."
    )


def _rows(table: BenchmarkTable) -> Iterator[str]:
    """Yields a table's lines, padded so that it can be read as it is."""
    content = shown(table)
    head = ["", "slots", "seeds", *(f"`{name}`" for name in content.columns)]
    rows = [
        [
            _label(row, quoted=row in content.models),
            row.slots,
            row.seeds,
            *map(score_in_words, row.scores),
        ]
        for row in (*content.models, *content.bars)
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield _line(head, widths)
    yield _line(["-" * width for width in widths], widths)
    yield from (_line(row, widths) for row in rows)


def _label(row: ShownRow, *, quoted: bool) -> str:
    name = code(row.name) if quoted else row.name
    return f"{name}, {row.what}" if row.what else name


def score_in_words(score: Cell) -> str:
    """Returns a cell: a mean, and half of each of its intervals."""
    images = f" ±{score.half}" if score.half else ""
    return score.text + images + (f", seeds ±{score.over_seeds}" if score.over_seeds else "")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def code(name: str) -> str:
    """Returns a name of any origin as code on one line, in which no character means anything."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(name.split()))
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{space}{plain.replace('|', chr(92) + '|')}{space}{fence}"
