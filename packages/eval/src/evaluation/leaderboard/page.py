"""A leaderboard as one HTML file that needs nothing else, with its Markdown and JSON beside it."""

from __future__ import annotations

from pathlib import Path

from scenes.atomic import write_whole
from scenes.pictures.web_page import render_page

from evaluation.folders import check_writable
from evaluation.leaderboard.markdown import ANOTHERS, OWN, heading, scenes_of, to_markdown
from evaluation.leaderboard.tables import shown
from evaluation.scores.leaderboard_results import Leaderboard
from evaluation.scores.meanings import MEANINGS
from evaluation.scores.result_files import write_result

PAGE, MARKDOWN = "leaderboard.html", "leaderboard.md"


def write_leaderboard(board: Leaderboard, folder: Path) -> list[Path]:
    """Writes the page, the Markdown and the JSON; returns their paths.

    Raises:
        UsageError: the folder cannot be written to.
    """
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page, markdown = folder / PAGE, folder / MARKDOWN
    write_whole(page, to_html(board).encode(errors="backslashreplace"))
    write_whole(markdown, to_markdown(board).encode(errors="backslashreplace"))
    return [page, markdown, write_result(board, folder)]


def to_html(board: Leaderboard) -> str:
    """Returns the page."""
    return render_page(
        "evaluation/leaderboard/assets/leaderboard.html",
        title="Leaderboard",
        styles=(
            "evaluation/assets/base.css",
            "evaluation/assets/document.css",
            "evaluation/leaderboard/assets/leaderboard.css",
        ),
        words={
            "board": board,
            "tables": [
                (heading(table), scenes_of(table), table, shown(table)) for table in board.tables
            ],
            "meanings": MEANINGS,
            "own": OWN,
            "anothers": ANOTHERS,
        },
    )
