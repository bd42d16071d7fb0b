"""One progress bar for everything that takes longer than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """Shows how many steps a second are made."""

    def render(self, task: Task) -> Text:
        """Returns the rate, once there is one."""
        return Text("" if task.speed is None else f"{task.speed:,.1f}/s")


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Shows a bar with rate and time left on stderr; quiet where that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


@contextmanager
def counting(description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Shows a bar for work that is done row by row.

    Args:
        description: what is done.
        total: rows in all; `None` where nobody knows yet.

    Yields:
        A function that moves the bar on by a number of rows.
    """
    with progress_bar() as progress:
        task = progress.add_task(description, total=total, note="")
        yield lambda rows: progress.advance(task, rows)
