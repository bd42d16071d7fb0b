"""Part 4: trains a recipe for the rest of the time, and copies what it saves to OUT/run."""

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from monet.config import TrainConfig
from monet.config_file import CONFIG, read_config
from monet.step_count import pace_in_words
from monet.training.run_log import METRICS, PICTURE
from monet.training.state import STATE
from monet.training.trainer import Trainer
from monet.weights import SHIPPED, WEIGHTS, find_weights
from scenes.command_line import CommandError, UsageError

from gpu_parts.report import Report
from gpu_parts.scale import RECIPES, Scale
from gpu_parts.worker import Worker

RUN = "run"
BROUGHT = (CONFIG, METRICS, PICTURE, WEIGHTS, STATE)
"""Files to copy, the state last: where it is, the files that belong to it are too."""
LAST_S = 6.0
"""Time kept free for the last state, its scores and their picture."""
LOOK_S = 1.0


@dataclass(frozen=True)
class Origin:
    """Where training begins."""

    config: TrainConfig
    state: Path | None
    """Run folder whose state training goes on from; `None` where it starts anew."""


def origin(recipe: str, start: str | None, scale: Scale) -> Origin:
    """Returns where training begins by `--recipe` and `--from`.

    Args:
        recipe: name of a preset.
        start: run folder with a state, or weights: a run folder, a file or a name; or nothing.
        scale: sizes.

    Raises:
        UsageError: `start` names neither a run folder nor weights.
        CommandError: the run of a state learns from an absolute path, of its own machine.
    """
    if start is None:
        return Origin(scale.sized(RECIPES[recipe]), None)
    folder = Path(start)
    if (folder / STATE).is_file():
        config = read_config(folder)
        if config.data.is_absolute():
            raise CommandError(
                f"{folder}: its run learns from {config.data}, which is only its machine's; "
                f"--from {folder / WEIGHTS} starts from its weights"
            )
        return Origin(replace(config, save_every_s=scale.save_every_s), folder.resolve())
    path = find_weights(start)
    name = start if path.parent == SHIPPED else str(path.resolve())
    return Origin(scale.sized(replace(RECIPES[recipe], init_from=name)), None)


def check_out(out: Path, begin: Origin) -> None:
    """Checks that no run is overwritten but the one that training goes on from.

    Raises:
        UsageError: OUT/run holds another run.
    """
    target = out / RUN
    if (target / STATE).exists() and begin.state != target.resolve():
        raise UsageError(f"{target} holds a run: --from {target} goes on with it, or another --out")


def train_until(
    connection: Connection, config: TrainConfig, scores: int, work: Path, until: float
) -> None:
    """Trains in WORK/run on a file under WORK; sends a line on the pace, then the outcome."""
    os.chdir(work)
    with Trainer(config, Path(RUN)) as trainer:
        first = trainer.step
        costs = trainer.measure(until - time.monotonic())
        connection.send(f"from step {first:,}, {pace_in_words(costs.step_s)}")
        left_s = until - time.monotonic()
        # So that the run is scored about `scores` times, however fast the machine is.
        steps = min(left_s / costs.step_s, config.steps - first)
        every = max(1, min(config.score_every, round(steps / scores)))
        trainer.adopt(replace(trainer.config, score_every=every))
        outcome = trainer.run(max(0.0, left_s))
    connection.send(outcome)


def train(begin: Origin, scores: int, work: Path, out: Path, report: Report, until: float) -> str:
    """Trains, copies what is saved to OUT/run, and prints the scores as they come.

    Args:
        begin: where training begins.
        scores: how often held-out scenes are scored.
        work: folder under which the run's data lie.
        out: the folder of the whole command.
        report: where lines go.
        until: time, by `time.monotonic`, at which all must be done.

    Returns:
        Steps, scores and folder in a few words.

    Raises:
        WorkerError: training failed, or hung.
    """
    target, run = out / RUN, work / RUN
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    target.mkdir(exist_ok=True)
    if begin.state is not None:
        for name in BROUGHT:
            if (begin.state / name).exists():
                shutil.copyfile(begin.state / name, run / name)
    worker = Worker("training", train_until, begin.config, scores, work, until - LAST_S)
    saved = 0
    shown = len(_lines(run))
    outcome = None
    try:
        while outcome is None:
            if worker.has_answer(LOOK_S) or time.monotonic() > until + LAST_S:
                answer = worker.answer(until + LAST_S)
                if isinstance(answer, str):
                    report.say(answer)
                else:
                    outcome = answer
            saved = _bring(run, target, saved)
            shown = _show(run, report, shown)
    finally:
        worker.end()
        _bring(run, target, saved)
    report.keep("metrics", [line for line in _lines(run) if "held_out_nll" in line])
    ari_fgs = [line["ari_fg"] for line in _lines(run) if "ari_fg" in line]
    ari_fg = f", held-out ari_fg {ari_fgs[-1]:.3f}" if ari_fgs else ""
    return f"{outcome.step:,} of {begin.config.steps:,} steps{ari_fg}; {target}"


def _bring(run: Path, target: Path, before: int) -> int:
    """Copies a state newer than `before` with its files; returns the time of the newest state."""
    try:
        saved_ns = (run / STATE).stat().st_mtime_ns
    except FileNotFoundError:
        return before
    if saved_ns != before:
        for name in BROUGHT:
            if (run / name).exists():
                shutil.copyfile(run / name, target / f"{name}.copy")
                (target / f"{name}.copy").replace(target / name)
    return saved_ns


def _lines(run: Path) -> list[dict]:
    if not (run / METRICS).exists():
        return []
    lines = (run / METRICS).read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _show(run: Path, report: Report, shown: int) -> int:
    """Prints the scores after the first `shown` lines of the log; returns its number of lines."""
    lines = _lines(run)
    for line in lines[shown:]:
        if "held_out_nll" in line:
            scores = (f"{name} {line[name]:.3f}" for name in ("ari_fg", "ari") if name in line)
            report.say(
                f"step {line['step']:,}: held-out {', '.join(scores)}, "
                f"nll {line['held_out_nll']:,.0f}"
            )
    return len(lines)
