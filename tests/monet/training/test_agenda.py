"""A time is kept: scores, states and another load included. The clock is the test's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monet.config import OptimiserConfig, TrainConfig
from monet.config_file import read_config
from monet.presets import PRESETS
from monet.training.agenda import Agenda
from monet.training.costs import Costs
from monet.training.optimiser import set_rate
from monet.training.plain_step import PlainStep
from monet.training.run_log import read_lines
from monet.training.trainer import Trainer
from monet.training.validation import Validation

STEP_S, SCORE_S, SAVE_S, LIMIT_S = 1.0, 8.0, 0.25, 100.0
"""What each takes on a quiet machine, and the time that there is."""

Load = Callable[[float], float]
"""How many times as long everything takes at a moment."""


class HeldClock:
    """Goes on by what steps, scores and states take on a machine with a load."""

    def __init__(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._load = 0.0, load
        for owner, name, seconds in (
            (PlainStep, "make", STEP_S),
            (Validation, "results", SCORE_S),
            (Trainer, "save", SAVE_S),
        ):
            monkeypatch.setattr(owner, name, self._slowed(getattr(owner, name), seconds))

    def __call__(self) -> float:
        return self.now

    def _slowed(self, function: Callable[..., object], seconds: float) -> Callable[..., object]:
        def slowed(*arguments: object, **named: object) -> object:
            result = function(*arguments, **named)
            self.now += seconds * self._load(self.now)
            return result

        return slowed


LOADS: dict[str, Load] = {
    "quiet": lambda now: 1.0,
    "twice as slow half-way": lambda now: 1.0 if now < 50 else 2.0,
    "twice as fast half-way": lambda now: 2.0 if now < 50 else 1.0,
    "coming and going": lambda now: 2.0 if now % 20 < 10 else 1.0,
    "busier and busier": lambda now: 1.0 + now / 50,
}


def config_of(data: Path, **changes: object) -> TrainConfig:
    model = replace(
        PRESETS["quick"].model,
        image_size=16,
        num_slots=2,
        encoder_channels=(4, 4),
        encoder_hidden=8,
        decoder_channels=(4, 4),
        unet_channels=(4, 4),
        unet_hidden=(4,),
    )
    optimiser = OptimiserConfig(kind="adam", learning_rate=1e-3, schedule="cosine")
    config = TrainConfig(
        name="small",
        model=model,
        optimiser=optimiser,
        data=data,
        steps=1,
        batch_size=2,
        precision="float32",
        log_every=1000,
        score_every=40,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def scored_steps(folder: Path) -> list[int | None]:
    return [line.step for line in read_lines(folder) if line.is_score]


@pytest.mark.parametrize(
    ("load", "measured"),
    [*((load, 1.0) for load in LOADS), ("quiet", 0.01), ("quiet", 30.0), ("coming and going", 0.1)],
)
def test_a_time_is_filled_with_steps_and_their_scores_and_the_rate_falls_with_it(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str, measured: float
) -> None:
    rates: list[float] = []

    def spy(optimiser: torch.optim.Optimizer, rate: float) -> None:
        rates.append(rate)
        set_rate(optimiser, rate)

    monkeypatch.setattr("monet.training.plain_step.set_rate", spy)
    clock = HeldClock(LOADS[load], monkeypatch)
    with Trainer(config_of(rooms_file), tmp_path, clock=clock) as trainer:
        trainer._costs = Costs(STEP_S * measured, SCORE_S * min(measured, 5.0), SAVE_S)
        trainer.plan(LIMIT_S)
        outcome = trainer.run(LIMIT_S, fill=True)
    assert 0.9 * LIMIT_S <= clock.now <= 1.1 * LIMIT_S
    assert outcome.reason == "steps"
    assert outcome.step == len(rates) == read_config(tmp_path).steps
    assert scored_steps(tmp_path)[-1] == outcome.step
    assert rates[0] == pytest.approx(1e-3, rel=0.2)
    assert rates[-1] < 0.2e-3


@pytest.mark.parametrize("load", LOADS)
def test_a_run_that_is_stopped_in_time_has_its_scores_by_then(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str
) -> None:
    clock = HeldClock(LOADS[load], monkeypatch)
    with Trainer(config_of(rooms_file, steps=10_000), tmp_path, clock=clock) as trainer:
        trainer._costs = Costs(STEP_S, SCORE_S, SAVE_S)
        outcome = trainer.run(LIMIT_S)
    assert outcome.reason == "time"
    assert 0.9 * LIMIT_S <= clock.now <= 1.1 * LIMIT_S
    assert scored_steps(tmp_path)[-1] == outcome.step


def test_where_scores_take_all_of_the_time_steps_are_made_instead(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HeldClock(LOADS["quiet"], monkeypatch)
    with Trainer(config_of(rooms_file, score_every=4), tmp_path, clock=clock) as trainer:
        trainer._costs = Costs(STEP_S, SCORE_S, SAVE_S)
        trainer.plan(7.0)
        assert trainer.run(7.0, fill=True).step == 6
    assert clock.now <= 7.0
    assert scored_steps(tmp_path) == []


def test_scores_that_are_due_and_have_no_time_are_made_when_the_run_goes_on(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HeldClock(LOADS["quiet"], monkeypatch)
    config = config_of(rooms_file, steps=10, score_every=4)
    with Trainer(config, tmp_path, clock=clock) as trainer:
        trainer._costs = Costs(STEP_S, SCORE_S, SAVE_S)
        outcome = trainer.run(7.0)
        assert (outcome.step, outcome.reason) == (4, "time")
        assert scored_steps(tmp_path) == []
        assert trainer.run().reason == "steps"
    assert scored_steps(tmp_path) == [4, 8, 10]


def test_a_limit_of_nothing_makes_one_step() -> None:
    agenda = Agenda(3, 0.0, Costs(2.0, 5.0), lambda: 0.0)
    assert agenda.is_over
    assert agenda.steps_that_fit(config_of(Path("rooms.h5")), 3) == 1
    assert agenda.steps_that_fit(config_of(Path("rooms.h5")), 4) == 0


def test_without_a_limit_there_is_always_time() -> None:
    agenda = Agenda(0, clock=lambda: 1e9)
    assert not agenda.is_over
    assert not agenda.measure_pace(5)
    assert agenda.has_time_to_score
