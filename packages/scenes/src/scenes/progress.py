"""One progress bar for everything that takes longer than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

Bars = Progress
"""Bars on the terminal, to which each piece of work adds its own."""
SPEED_S = 300.0
"""Seconds over which the rate is taken: a step may take a minute."""


class RateColumn(ProgressColumn):
    """Shows the rate of the work: how many a second, or how many seconds each takes."""

    def render(self, task: Task) -> Text:
        """Returns the rate, once there is one."""
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:,.1f}/s" if task.speed >= 1 else f"{1 / task.speed:,.1f} s each")


_SHOWN: list[Progress] = []
"""The bars that are shown now: none, or one."""


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Shows a bar with rate and time left on stderr, gone when the work is done.

    Quiet where stderr is no terminal. Work within work has its bar below the other's.
    """
    if _SHOWN:
        with _below(_SHOWN[0]) as progress:
            yield progress
        return
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
        transient=True,
        speed_estimate_period=SPEED_S,
        disable=not console.is_terminal,
    ) as progress:
        _SHOWN.append(progress)
        try:
            yield progress
        finally:
            _SHOWN.clear()


@contextmanager
def _below(shown: Progress) -> Iterator[Progress]:
    """Removes the bars that the block adds to those shown already."""
    before = set(shown.task_ids)
    try:
        yield shown
    finally:
        for task in set(shown.task_ids) - before:
            shown.remove_task(task)


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


def in_turn(description: str, names: Sequence[str]) -> Iterator[str]:
    """Yields names, and shows each of them beside a bar until the next one is asked for.

    Args:
        description: of the work.
        names: of its pieces, in order.
    """
    with progress_bar() as progress:
        task = progress.add_task(description, total=len(names), note="")
        for name in names:
            progress.update(task, note=name)
            yield name
            progress.advance(task)
