"""A GPU's training step, as one CUDA graph: from its images' bytes to the weights' average."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from scenes.notices import tell
from torch import Tensor

from monet.given_masks import log_masks_of
from monet.images import to_unit
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.mean_loss import Backend
from monet.training.optimiser import set_rate
from monet.training.step_buffer import STEPS_AHEAD, Row, StepBuffer
from monet.training.steps import TERMS, NotFiniteError, Terms

WARM_STEPS = 3
"""Steps before the first capture: they choose kernels and allocate the optimiser's moments."""

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""Turns a function into one that makes the device do the same, as often as it is called."""


@dataclass(frozen=True)
class Form:
    """How steps are made on a GPU: compiled or not, as a graph or not."""

    backend: Backend | None
    """Compiles the loss; `None` leaves it as it is."""
    capture: Capture | None
    """Makes a graph of a step; without it, each step is issued operation by operation."""

    def __str__(self) -> str:
        graph = "steps one by one" if self.capture is None else "one CUDA graph a step"
        return graph if self.backend is None else f"{graph}, compiled"

    def simpler(self) -> Form | None:
        """Returns the next simpler form; `None` after the simplest."""
        if self.backend is not None:
            return replace(self, backend=None)
        return None if self.capture is None else replace(self, capture=None)


def cuda_graph(step: Callable[[], None]) -> Callable[[], None]:
    """Captures a step's work on the current GPU; returns a function that repeats it."""
    graph = torch.cuda.CUDAGraph()
    # Thread-local: another thread pins memory meanwhile, which would break a global capture.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    return graph.replay


class WholeStep:
    """Makes a learner's steps on a GPU, or without a graph on a CPU.

    A step is issued without waiting for the device to make it. `terms` waits, and raises an error
    if a term is not finite; so call it before saving, scoring or logging anything.

    Args:
        learner: whose steps to make; its optimiser must be capturable.
        images: its training images.
        form: how to make steps. Where it fails, a line on stderr says so, and the next simpler form
            takes over.
        steps_ahead: steps whose inputs are prepared together (`StepBuffer`).
    """

    look_every = 32
    """Steps between looks at their terms: often enough to stop early, rarely enough not to wait."""

    def __init__(
        self,
        learner: Learner,
        images: TrainingImages,
        form: Form,
        *,
        steps_ahead: int = STEPS_AHEAD,
    ) -> None:
        self.form = form
        self._learner = learner
        self._share = learner.ranks.share(learner.config.batch_size)
        self._alone = learner.ranks.is_alone
        self._params = list(learner.model.parameters())
        self._loss = learner.mean_loss(form.backend)
        self._buffer = StepBuffer(learner, images, steps_ahead)
        self.restart()

    def make(self) -> None:
        """Issues a step.

        Raises:
            Exception: the simplest form fails, too.
        """
        self._buffer.fill()
        while not self._issued():
            pass
        self._learner.step += 1

    def terms(self) -> list[Terms]:
        """Waits for the device; returns the terms of the steps made since the last call.

        Raises:
            NotFiniteError: one is not finite; the weights are spoilt from that step on.
        """
        rows = self._buffer.terms()
        first = self._learner.step - len(rows)
        for step, row in enumerate(rows, start=first + 1):
            for name, value in zip(TERMS, row, strict=True):
                if not math.isfinite(value):
                    raise NotFiniteError(step, name, value, is_undone=False)
        return [tuple(row) for row in rows]

    def replan(self) -> None:
        """Recomputes the learning rates to come, after a change of the run's number of steps."""
        self._buffer.replan()

    def restart(self) -> None:
        """Goes on from where the learner is now, with a new graph."""
        self._learner.optimiser.zero_grad()
        self._buffer.restart()
        self._graphs: list[Callable[[], None]] | None = None
        self._warm = 0

    def close(self) -> None:
        """Ends the thread."""
        self._buffer.close()

    def _issued(self) -> bool:
        """Whether a step was issued; where that failed, the next try will take a simpler form."""
        try:
            if self._graphs is None and self.form.capture is not None and self._warm >= WARM_STEPS:
                self._buffer.settle()
                self._graphs = [self.form.capture(part) for part in self._parts()]
            if self._graphs is None:
                self._issue_without_graph()
                self._warm += 1
            else:
                self._run(self._graphs)
        except Exception as error:  # whatever a compiler or a driver raises
            simpler = self.form.simpler()
            if simpler is None or self._graphs is not None:
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            tell(f"{self.form} failed ({reason:.200}); it goes on with {simpler}", "monet")
            self.form = simpler
            self._loss = self._learner.mean_loss(simpler.backend)
            self._learner.optimiser.zero_grad()
            return False
        return True

    def _issue_without_graph(self) -> None:
        """Issues a step operation by operation; a GPU needs a side stream before a capture."""
        if self._learner.device.type != "cuda":
            self._run(self._parts())
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._run(self._parts())
        torch.cuda.current_stream().wait_stream(stream)

    def _parts(self) -> list[Callable[[], None]]:
        """Returns a step's parts, between which several processes exchange gradients."""

        def whole() -> None:
            self._gradients()
            self._update()

        return [whole] if self._alone else [self._gradients, self._update]

    def _run(self, parts: list[Callable[[], None]]) -> None:
        parts[0]()
        for part in parts[1:]:
            self._learner.ranks.average_([self._exchanged])
            part()

    def _gradients(self) -> None:
        """Computes the gradients and mean terms of the step in the buffer's row."""
        learner, row = self._learner, self._buffer.row()
        self._row = row
        for p in self._params:
            p.grad = None
        log_masks = log_masks_of(learner.config, row.scenes)
        log_masks = None if log_masks is None else log_masks[self._share]
        image = to_unit(row.scenes.images[self._share])
        half = learner.precision == "bfloat16"
        # No cache: the weights' casts to bfloat16 must be in the graph, or it would reuse old ones.
        with torch.autocast(learner.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            means = self._loss(image, row.noise, log_masks, self._posterior_weight(row))
        means[0].backward()
        self._means = means.detach()
        if not self._alone:
            self._exchanged = torch.cat([self._means, *(g.flatten() for g in self._grads())])

    def _posterior_weight(self, row: Row) -> float | Float[Tensor, ""]:
        """Returns the posterior weight: a number if it never changes, so that 0 costs nothing."""
        ablations = self._learner.config.ablations
        if ablations.posterior_start and ablations.posterior_weight:
            return row.posterior_weight
        return ablations.posterior_weight

    def _update(self) -> None:
        """Moves the weights along the gradients, and goes on to the buffer's next row."""
        learner, row, grads = self._learner, self._row, self._grads()
        if not self._alone:
            sizes = [len(self._means), *(g.numel() for g in grads)]
            self._means, *flat = self._exchanged.split(sizes)
            torch._foreach_copy_(grads, [f.view_as(g) for f, g in zip(flat, grads, strict=True)])
        norm = torch.nn.utils.get_total_norm(grads)
        set_rate(learner.optimiser, row.rate)
        learner.optimiser.step()
        learner.average.update(row.averaged)
        self._buffer.finish_row(torch.cat([self._means, norm[None].to(self._means)]))

    def _grads(self) -> list[Tensor]:
        return [p.grad for p in self._params if p.grad is not None]
