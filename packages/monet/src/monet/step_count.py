"""Writes counts of training steps, and their pace, for people."""

from __future__ import annotations


def steps_in_words(last: int, earlier: int = 0) -> str:
    """Writes how many steps weights have seen: 3,000 steps, or 40,410 steps, the last stage 7,615.

    Args:
        last: steps of the last run.
        earlier: steps of the runs that it went on from.
    """
    total = f"{earlier + last:,} step{'' if earlier + last == 1 else 's'}"
    return f"{total}, the last stage {last:,}" if earlier else total


def pace_in_words(seconds_per_step: float) -> str:
    """Writes a pace: 3.2 steps a second, or 48 s a step where a step takes longer than a second."""
    if seconds_per_step <= 1:
        return f"{1 / seconds_per_step:,.1f} steps a second"
    return f"{seconds_per_step:,.{0 if seconds_per_step >= 10 else 1}f} s a step"
