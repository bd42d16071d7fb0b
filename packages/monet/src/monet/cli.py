"""Train MONet. Run it again to go on where it stopped."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from scenes.command_line import DEBUG_HELP, UsageError, parse, run_command
from scenes.help_text import registry
from scenes.memory import keep_freed_memory
from scenes.progress import counting
from tyro.conf import OmitArgPrefixes, arg

from monet.config import Device, TrainConfig
from monet.presets import PRESETS
from monet.step_count import pace_in_words, steps_in_words

if TYPE_CHECKING:
    from monet.training.costs import Costs
    from monet.training.trainer import Trainer

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 1e6
"""Largest number of a duration, in whichever unit."""


@dataclass(frozen=True)
class Command:
    """Train MONet on a file of scenes; run it again to go on where it stopped."""

    config: Annotated[TrainConfig, arg(name="")]
    preset: str = "paper"
    """Where the other flags' defaults come from: paper, paper-multi-dsprites, paper-clevr,
    paper-clevr-like, conditions (the default with --masks), quick or fast."""
    run: Path | None = None
    """Run folder; runs/NAME by default. A run that it holds already is continued."""
    stop_after: str | None = None
    """Stop cleanly after this long, such as 90s, 9m or 2h."""
    finish_in: str | None = None
    """In place of --steps: as many steps as there is time for, planned anew as the run goes, so
    that a falling learning rate is down when the time is over. The weights then depend on how fast
    the machine was."""
    device: Device = "auto"
    """Where to compute: `auto` takes a CUDA GPU where there is one, else the CPU. Apple's `mps` has
    not been tried. A run may go on elsewhere than it began."""


@dataclass(frozen=True)
class Budget:
    """How long a call may take."""

    seconds: float | None
    decides_steps: bool
    """Whether the time, not the config, decides how many steps the run makes."""
    started: float

    @classmethod
    def of(cls, command: Command, arguments: list[str]) -> Budget:
        """Returns the budget that a command's flags set; the time runs from now.

        Raises:
            UsageError: a duration cannot be read, or two flags contradict each other.
        """
        now = time.monotonic()
        if command.finish_in is None:
            limit = command.stop_after
            return cls(None if limit is None else seconds(limit, "--stop-after"), False, now)
        if command.stop_after is not None:
            raise UsageError("--finish-in and --stop-after exclude each other")
        if _value_of("--steps", arguments) is not None:
            raise UsageError("--finish-in and --steps exclude each other")
        return cls(seconds(command.finish_in, "--finish-in"), True, now)

    def left_s(self) -> float | None:
        """Returns the seconds left, 0 when the time is over; `None` for no limit."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - (time.monotonic() - self.started))


def main(arguments: list[str] | None = None) -> int:
    """Runs `monet-train`; returns the exit code."""
    keep_freed_memory()
    return run_command("monet-train", _train, arguments)


def _train(arguments: list[str]) -> int:
    preset = _preset_of(arguments)
    command = parse(
        lambda: tyro.cli(
            OmitArgPrefixes[Command],
            args=arguments,
            prog="monet-train",
            description=f"{__doc__}\n\n{DEBUG_HELP}",
            registry=registry(),
            default=Command(config=PRESETS[preset], preset=preset),
        ),
        "monet-train",
    )
    budget = Budget.of(command, arguments)
    if _value_of("--run", arguments) == "":
        raise UsageError("--run is empty; name a folder, or leave it out for runs/NAME")
    folder = command.run or Path("runs") / command.config.run_name
    with counting("starting"):
        # Not at the top: --help and a mistake need no torch, which takes two seconds to import.
        from monet.training.processes import join, leave
        from monet.training.trainer import Trainer

        ranks = join(command.device)
    try:
        with counting("starting"):
            trainer = Trainer(command.config, folder, ranks)
        with trainer:
            code = _run(trainer, folder, budget, command.device, quiet=ranks.rank > 0)
        ranks.wait()
        return code
    finally:
        leave()


def _run(trainer: Trainer, folder: Path, budget: Budget, device: Device, *, quiet: bool) -> int:
    """Trains, and prints what to expect and how it ended, unless `quiet`."""
    say = (lambda line: None) if quiet else (lambda line: print(line, flush=True))
    if trainer.step >= trainer.config.steps and not budget.decides_steps:
        if trainer.is_unscored and trainer.run().reason == "signal":
            return 1
        say(f"{folder}: all {trainer.config.steps:,} steps are made; --steps asks for more")
        return 0
    costs = trainer.measure(budget.left_s())
    left_s = budget.left_s()
    if budget.decides_steps and left_s is not None:
        trainer.plan(left_s)
    for line in _forecast(trainer, costs, device, left_s):
        say(line)
    outcome = trainer.run(left_s, fill=budget.decides_steps)
    say(f"{folder}: {outcome.step:,} of {steps_in_words(trainer.config.steps)}")
    if outcome.reason != "steps":
        say("the same command goes on from there")
    return 1 if outcome.reason == "signal" else 0


def _forecast(
    trainer: Trainer, costs: Costs, request: Device, left_s: float | None
) -> Iterator[str]:
    """Yields how long steps, scores and saved states will take, by the measured costs."""
    from monet.devices import device_in_words

    config, step = trainer.config, trainer.step
    more, needed_s = config.steps - step, costs.seconds(config, step, config.steps)
    place = device_in_words(request, trainer.device)
    scores = costs.scores_due(config, step, config.steps)
    times = "once" if scores == 1 else f"{scores:,} times, each"
    until = ""
    if left_s is not None and left_s < needed_s:
        until = f"; it stops after {duration(left_s)}"
    yield (
        f"{config.run_name}: {steps_in_words(more)} at {pace_in_words(costs.step_s)} on {place}, "
        f"scored {times} in {duration(costs.score_s)}, take {duration(needed_s)}{until}"
    )
    if left_s is not None and costs.leave_no_step_in(left_s):
        yield f"no scores are made: they take all of the {duration(left_s)} that there are"
    if trainer.device.type == "cpu" and needed_s > 86400:
        yield "on a CPU, --preset quick learns a small model in minutes"


def _preset_of(arguments: list[str]) -> str:
    """Returns the preset's name, which decides the defaults of every other flag.

    With --masks the default is `conditions`, the preset for section 2.2.
    """
    masks = _value_of("--masks", arguments)
    name = _value_of("--preset", arguments)
    if name is None:
        name = "paper" if masks in (None, "attention") else "conditions"
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return name


def _value_of(flag: str, arguments: list[str]) -> str | None:
    """Returns a flag's value in arguments that are not parsed yet; `None` where it is missing."""
    value = None
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.removeprefix(f"{flag}=")
    return value


def seconds(text: str, flag: str) -> float:
    """Returns the seconds of a flag's duration, such as 90s, 9m or 1.5h.

    Raises:
        UsageError: the text is no duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if match is None or not 0 < float(match[1]) <= LONGEST:
        raise UsageError(f"{flag} takes a duration such as 90s, 9m or 2h, got {text!r}")
    return float(match[1]) * UNITS_S[match[2]]


def duration(seconds: float) -> str:
    """Writes a duration for people: 40 s, 9 min, 2.5 h or 13 days."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


if __name__ == "__main__":
    sys.exit(main())
