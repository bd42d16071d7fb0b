"""How long steps, scores and states take on this machine, and whether compiling steps pays."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from monet.training.learner import Learner
from monet.training.plain_step import PlainStep
from monet.training.state import State, state_bytes
from monet.training.steps import NotFiniteError, Steps
from monet.training.validation import BATCH, PICTURED, Validation

TIMED_LOOKS, TIMED_S = 3, 2.0
"""The pace is measured over at least so many looks at the steps and so many seconds, unless they
take longer than `LONG_S`."""
LONG_S = 5.0
ENOUGH_S = 4.0
"""Scores are estimated from a few images if those take so long, else from a whole batch."""
COMPILE_S, COMPILE_SAVES = 70.0, 0.45
"""Seconds for compiling, and the share of a step's time that it saves. Measured on an H200 at the
paper's settings: 40.6 steps a second without, 76.6 with."""


def seconds_per_step(learner: Learner, steps: Steps) -> float:
    """Measures how long a step takes, on average over all processes; the learner ends as it was.

    Args:
        learner: of the run.
        steps: makes its steps.
    """
    before = copy.deepcopy(learner.state())
    count = steps.look_every
    plain = isinstance(steps, PlainStep) and not steps.is_compiled
    times: list[float] = []
    start = time.perf_counter()
    try:
        # The first look is warm-up: kernels are chosen, compiled and captured. Where it is slow
        # though there is nothing to compile, it is a measurement too.
        while not _are_enough(times[0 if plain else 1 :], count):
            start = time.perf_counter()
            for _ in range(count):
                steps.make()
            steps.terms()
            step_s = torch.tensor((time.perf_counter() - start) / count, device=learner.device)
            learner.ranks.average_([step_s])  # all must agree on when to end
            times.append(step_s.item())
    except NotFiniteError:
        times.append((time.perf_counter() - start) / count)  # training will meet it and say so
    learner.restore(before)
    steps.restart()
    return statistics.median(times[1:] or times)


def _are_enough(times: list[float], count: int) -> bool:
    """Whether steps were measured often enough: `times` of a step, each from `count` steps."""
    seconds = sum(times) * count
    return (len(times) >= TIMED_LOOKS and seconds >= TIMED_S) or seconds >= LONG_S


def seconds_of_scores(validation: Validation, weights: Mapping[str, Tensor]) -> float:
    """Estimates how long the scores of a run and their picture take, from a few of the images.

    Args:
        validation: of the run.
        weights: of its model; their values do not matter.
    """
    for count in (PICTURED, BATCH):  # more images where a few are too quick to tell
        start = time.perf_counter()
        validation.sheet(weights, count)
        seconds = time.perf_counter() - start
        if seconds > ENOUGH_S:
            break
    return seconds / count * validation.num_images


def seconds_of_save(state: State) -> float:
    """Estimates how long saving a state takes, by making its bytes."""
    start = time.perf_counter()
    state_bytes(state)
    return time.perf_counter() - start


def compiling_pays(learner: Learner, seconds: float, stop_after_s: float | None) -> bool:
    """Whether compiling saves a GPU more time than it takes; false where the config decides.

    Args:
        learner: of the run; all processes must ask.
        seconds: for a step that is not compiled.
        stop_after_s: wall-clock seconds left; no limit by default.
    """
    config = learner.config
    if config.compile != "auto" or learner.device.type != "cuda":
        return False
    left_s = (config.steps - learner.step) * seconds
    left_s = left_s if stop_after_s is None else min(left_s, stop_after_s)
    return learner.ranks.any(left_s * COMPILE_SAVES > COMPILE_S)
