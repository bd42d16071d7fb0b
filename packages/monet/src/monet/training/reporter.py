"""What a run reports: the terms of its steps, and scores of its held-out images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from scenes.progress import Bars
from torch import Tensor

from monet.training.run_log import RunLog
from monet.training.signals import StopSignals
from monet.training.steps import TERMS, Terms
from monet.training.validation import Validation


class Reporter:
    """Gathers terms, makes scores, and logs both; without an open log it logs nothing.

    Args:
        validation: of the run's held-out images.
        unlogged: terms of the steps since the last line of the log.
    """

    def __init__(self, validation: Validation, unlogged: Sequence[Terms]) -> None:
        self._validation = validation
        self._log: RunLog | None = None
        self.unlogged = list(unlogged)

    @contextmanager
    def logging(self, folder: Path, step: int) -> Iterator[None]:
        """Opens the log of a run folder from a step on; only the first process does so."""
        with RunLog(folder, step) as self._log:
            yield
        self._log = None

    def log_terms(self, step: int) -> None:
        """Logs the mean of each term since the last line."""
        if self._log is not None:
            means = np.mean(self.unlogged, axis=0).tolist()
            self._log.scalars(step, dict(zip(TERMS, means, strict=True)))
        self.unlogged = []

    def note(self) -> str:
        """Returns the terms of the last step in a few words, for a progress bar."""
        loss, nll, kl_latent, kl_mask, _ = self.unlogged[-1]
        return f"loss {loss:,.0f} (nll {nll:,.0f}, latents {kl_latent:,.0f}, masks {kl_mask:,.0f})"

    def score(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        signals: StopSignals,
        progress: Bars,
    ) -> None:
        """Logs scores and a picture, on a bar of their own; nothing where a signal asks to stop."""
        if self._log is None:
            return
        task = progress.add_task("scores", total=self._validation.num_images, note="")
        results = signals.unless_asked(
            lambda: self._validation.results(weights, partial(progress.advance, task))
        )
        progress.remove_task(task)
        if results is not None:
            scores, sheet = results
            self._log.scalars(step, scores)
            self._log.picture(step, sheet)
