"""The terms of a training step, and the protocol of what makes steps."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

TERMS = ("loss", "nll", "kl_latent", "kl_mask", "gradient_norm")
"""Names of the numbers of each step: means over its batch, and the norm of all gradients."""
Terms = tuple[float, ...]
"""Values of `TERMS`."""


class NotFiniteError(Exception):
    """A term of a step is not finite.

    Args:
        step: counted from 1.
        term: its name (`TERMS`).
        value: NaN or an infinity.
        is_undone: whether the learner is as it was before that step.
    """

    def __init__(self, step: int, term: str, value: float, *, is_undone: bool) -> None:
        super().__init__(f"{term} is {value} at step {step}")
        self.step, self.is_undone = step, is_undone


@runtime_checkable
class Steps(Protocol):
    """Makes a learner's steps: a `PlainStep` or a `WholeStep`."""

    look_every: int
    """Steps between looks at their terms."""

    def make(self) -> None:
        """Makes a step, or issues it to the device."""
        ...

    def terms(self) -> list[Terms]:
        """Returns the terms of the steps made since the last call, once they are known."""
        ...

    def replan(self) -> None:
        """Follows a change of how many steps the run is to make."""
        ...

    def restart(self) -> None:
        """Goes on from where the learner is now."""
        ...

    def close(self) -> None:
        """Ends its threads."""
        ...
