"""How fast steps are made, and whether compiling them pays."""

from __future__ import annotations

import copy
import statistics
import time

import torch

from monet.training.learner import Learner
from monet.training.steps import NotFiniteError, Steps

TIMED_LOOKS, TIMED_S = 3, 2.0
"""The pace is measured over so many looks at the steps, and over so many seconds."""
COMPILE_S, COMPILE_SAVES = 70.0, 0.45
"""What compiling takes, and the share of a step's time that it saves: measured on an H200 at the
paper's settings, 40.6 and 76.6 steps a second."""


def seconds_per_step(learner: Learner, steps: Steps) -> float:
    """Measures steps, and brings the learner back to where it was; the mean of all processes.

    Args:
        learner: whose steps.
        steps: what makes them.
    """
    before = copy.deepcopy(learner.state())
    count = steps.look_every
    times: list[float] = []
    start = time.perf_counter()
    try:
        # The first look is warm-up: kernels are chosen, compiled and captured.
        while len(times) < 1 + TIMED_LOOKS or sum(times[1:]) * count < TIMED_S:
            start = time.perf_counter()
            for _ in range(count):
                steps.make()
            steps.terms()
            taken = torch.tensor((time.perf_counter() - start) / count, device=learner.device)
            learner.ranks.average_([taken])  # all must agree on when to end
            times.append(taken.item())
    except NotFiniteError:
        times.append((time.perf_counter() - start) / count)  # training will meet it and say so
    learner.restore(before)
    steps.restart()
    return statistics.median(times[1:] or times)


def compiling_pays(learner: Learner, seconds: float, stop_after_s: float | None) -> bool:
    """Whether a GPU gains more time by compiling than that takes, where the config leaves it open.

    Args:
        learner: has the config; all processes must ask.
        seconds: that a step takes without.
        stop_after_s: wall-clock seconds that there are; as long as all steps take by default.
    """
    config = learner.config
    if config.compile != "auto" or learner.device.type != "cuda":
        return False
    left_s = (config.steps - learner.step) * seconds
    left_s = left_s if stop_after_s is None else min(left_s, stop_after_s)
    return learner.ranks.any(left_s * COMPILE_SAVES > COMPILE_S)
