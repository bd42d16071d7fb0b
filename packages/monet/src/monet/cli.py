"""Train MONet. Run it again to go on where it stopped."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from scenes.command_line import UsageError, parse, run_command
from scenes.memory import keep_freed_memory
from tyro.conf import OmitArgPrefixes, arg

from monet.config import PRESETS, TrainConfig
from monet.ranks import join, leave
from monet.train import Trainer

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Command:
    """Train MONet on a file of scenes; run it again to go on where it stopped."""

    config: Annotated[TrainConfig, arg(name="")]
    preset: str = "paper"
    """Where the other flags' defaults come from: paper, paper-multi-dsprites, paper-clevr,
    paper-clevr-like, conditions (the default with --masks) or quick."""
    run: Path | None = None
    """Run folder; runs/NAME by default. A run that is there already is continued."""
    stop_after: str | None = None
    """Stop cleanly after this long, such as 90s, 9m or 2h."""


def main(arguments: list[str] | None = None) -> int:
    """Runs `monet-train`; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    keep_freed_memory()
    return run_command("monet-train", lambda: _train(given))


def _train(arguments: list[str]) -> int:
    preset = _preset_of(arguments)
    command = parse(
        lambda: tyro.cli(
            OmitArgPrefixes[Command],
            args=arguments,
            prog="monet-train",
            default=Command(config=PRESETS[preset], preset=preset),
        )
    )
    stop_after_s = None if command.stop_after is None else seconds(command.stop_after)
    folder = command.run or Path("runs") / command.config.run_name
    started = time.monotonic()
    ranks = join()
    try:
        with Trainer(command.config, folder, ranks) as trainer:
            code = _run(trainer, folder, stop_after_s, started, quiet=ranks.rank > 0)
        ranks.wait()
        return code
    finally:
        leave()


def _run(
    trainer: Trainer, folder: Path, stop_after_s: float | None, started: float, *, quiet: bool
) -> int:
    """Trains and says so; of several processes only the first speaks."""
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    config = trainer.config
    if trainer.step >= config.steps:
        say(f"{folder}: all {config.steps:,} steps are made; --steps asks for more")
        return 0
    seconds_per_step = trainer.seconds_per_step()
    for line in _forecast(trainer.step, config, seconds_per_step, trainer.device, stop_after_s):
        say(line)
    left = None if stop_after_s is None else stop_after_s - (time.monotonic() - started)
    outcome = trainer.run(left)
    say(f"{folder}: {outcome.step:,} of {config.steps:,} steps")
    if outcome.reason != "steps":
        say("the same command goes on from there")
    return 1 if outcome.reason == "signal" else 0


def _forecast(
    step: int,
    config: TrainConfig,
    seconds_per_step: float,
    device: torch.device,
    stop_after_s: float | None,
) -> Iterator[str]:
    """Says how long it will take, at the rate just measured."""
    left = config.steps - step
    needed = left * seconds_per_step
    rate = f"{1 / seconds_per_step:,.1f} steps a second on this {device.type}"
    until = ""
    if stop_after_s is not None and stop_after_s < needed:
        until = f"; it stops after {duration(stop_after_s)}"
    yield f"{config.run_name}: {left:,} steps at {rate} take {duration(needed)}{until}"
    if device.type == "cpu" and needed > 86400:
        yield "on a CPU, --preset quick learns a small model in minutes"


def _preset_of(arguments: list[str]) -> str:
    """Returns the preset, which decides the defaults of every other flag.

    Masks that are given are the experiment of section 2.2, which has a preset of its own.
    """
    masks = _value_of("--masks", arguments)
    name = _value_of("--preset", arguments)
    if name is None:
        name = "paper" if masks in (None, "attention") else "conditions"
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return name


def _value_of(flag: str, arguments: list[str]) -> str | None:
    """Returns what a flag is given as, before the arguments are parsed."""
    value = None
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.removeprefix(f"{flag}=")
    return value


def seconds(text: str) -> float:
    """Returns the seconds of a duration such as 90s, 9m or 1.5h.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--stop-after takes a duration such as 90s, 9m or 2h, got {text!r}")
    return float(match[1]) * UNITS_S[match[2]]


def duration(seconds: float) -> str:
    """Writes a duration for people: 40 s, 9 min, 2.5 h or 13 days."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


if __name__ == "__main__":
    sys.exit(main())
