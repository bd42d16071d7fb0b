"""`eval leaderboard`: a table of any models, with their seeds, for each benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.commands.one_file import Folders

RESULTS = Path("results/leaderboard")


@dataclass(frozen=True)
class Leaderboard:
    """Put scores of any models and seeds side by side, a table for each benchmark."""

    folders: Folders
    """Folders below which scores.json files of `eval score` and `eval generalise` lie; seeds of a
    model in MODEL/seed0, MODEL/seed1."""
    out: Path | None = None
    """Folder to write; results/leaderboard by default."""

    def run(self) -> None:
        """Prints the tables, and writes them as Markdown, JSON and a page."""
        from evaluation.leaderboard.markdown import to_markdown
        from evaluation.leaderboard.page import write_leaderboard
        from evaluation.leaderboard.standings import leaderboard

        board = leaderboard(self.folders)
        paths = write_leaderboard(board, self.out or RESULTS)
        print(to_markdown(board))
        print(*paths, sep="\n")
