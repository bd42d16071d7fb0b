"""A whole step by its buffer: the plain step's losses and weights, whatever holds it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monet.config import LossAblations, OptimiserConfig, TrainConfig
from monet.given_masks import needs_segmentation
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.optimiser import learning_rate
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.steps import NotFiniteError, Terms
from monet.training.whole_step import Form, WholeStep
from scenes.file.reader import SceneFile
from small_runs import MODEL, small_run
from torch import Tensor

MUON = OptimiserConfig(
    kind="muon",
    learning_rate=1e-4,
    vae_rate=0.5,
    warmup_steps=3,
    schedule="cosine",
    average_decay=0.9,
)
ONE_BY_ONE = Form(backend=None, capture=None)
CALLED = Form(backend=None, capture=lambda step: step)
"""Calls a step again where a GPU would replay its graph."""


def config_of(data: Path, **changes: object) -> TrainConfig:
    changes = {"model": replace(MODEL, num_slots=7), "optimiser": MUON, "steps": 40} | changes
    return small_run(data, **changes)  # type: ignore[arg-type]


@contextmanager
def images_of(config: TrainConfig, on_device: bool) -> Iterator[TrainingImages]:
    with SceneFile(config.data) as file:
        images = TrainingImages(
            file,
            config.model.image_size,
            config.batch_size,
            config.seed,
            on_device=on_device,
            with_segmentation=needs_segmentation(config.masks),
            window_bytes=32 * 3 * 16**2,
        )
        yield images
        images.close()


def by_plain_steps(config: TrainConfig, steps: int) -> tuple[list[Terms], Learner]:
    learner = Learner(config, Ranks(), capturable=False)
    with images_of(config, on_device=False) as images:
        plain = PlainStep(learner, images)
        for _ in range(steps):
            plain.make()
        terms = plain.terms()
        plain.close()
    return terms, learner


def by_whole_steps(
    config: TrainConfig,
    steps: int,
    *,
    resume_at: int = -1,
    form: Form = CALLED,
    on_device: bool = True,
) -> tuple[list[Terms], Learner]:
    learner, terms = Learner(config, Ranks(), capturable=True), []
    with images_of(config, on_device) as images:
        whole = WholeStep(learner, images, form, steps_ahead=5)
        for step in range(steps):
            if step == resume_at:
                terms += whole.terms()
                whole.close()
                saved = learner.state()
                learner = Learner(config, Ranks(), capturable=True)
                learner.restore(saved)
                whole = WholeStep(learner, images, form, steps_ahead=5)
            whole.make()
            if step % 4 == 0:
                terms += whole.terms()
        terms += whole.terms()
        whole.close()
    return terms, learner


def assert_alike(made: tuple[list[Terms], Learner], expected: tuple[list[Terms], Learner]) -> None:
    """Checks that losses and weights are the same; under RMSProp to the last digit.

    Adam and Muon divide each gradient by its size. Where the true one is nothing, as of what the
    softmax over slots cancels, they move by rounding, and a last digit decides which way.
    """
    exact = expected[1].config.optimiser.kind == "rmsprop"
    torch.testing.assert_close(
        torch.tensor(made[0]), torch.tensor(expected[0]), rtol=0 if exact else 1e-4, atol=0
    )
    start = Learner(expected[1].config, Ranks()).weights
    for ours, theirs in (
        (made[1].model.state_dict(), expected[1].model.state_dict()),
        (made[1].weights, expected[1].weights),
    ):
        assert ours.keys() == theirs.keys()
        apart, moved = (
            torch.cat([(theirs[name] - other[name]).flatten() for name in theirs]).norm()
            for other in (ours, start)
        )
        assert moved > 1e-2
        assert apart <= (1e-5 if exact else 1e-2) * moved
    if exact:
        pairs = zip(made[1].model.parameters(), expected[1].model.parameters(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("kind", ["rmsprop", "adam", "muon"])
@pytest.mark.parametrize("masks", ["attention", "element", "all-in-one", "wrong-element"])
def test_whole_steps_are_plain_steps_over_a_resume_within_a_buffer(
    rooms_file: Path, kind: str, masks: str
) -> None:
    optimiser = replace(MUON, kind=kind)
    config = config_of(rooms_file, masks=masks, optimiser=optimiser)
    expected = by_plain_steps(config, 13)
    assert len(expected[0]) == 13
    assert_alike(by_whole_steps(config, 13, resume_at=7), expected)


def test_images_that_wait_in_the_buffer_are_those_kept_on_the_device(rooms_file: Path) -> None:
    config = config_of(rooms_file, masks="wrong-element")
    kept = by_whole_steps(config, 12, on_device=True)
    staged = by_whole_steps(config, 12, on_device=False)
    assert kept[0] == staged[0]


def test_a_state_goes_from_one_kind_of_step_to_the_other(rooms_file: Path) -> None:
    for kind in ("rmsprop", "adam", "muon"):
        config = config_of(rooms_file, optimiser=replace(MUON, kind=kind))
        expected = by_plain_steps(config, 8)
        _, half = by_whole_steps(config, 4)
        learner = Learner(config, Ranks(), capturable=False)
        learner.restore(half.state())
        with images_of(config, on_device=False) as images:
            plain = PlainStep(learner, images)
            for _ in range(4):
                plain.make()
            assert_alike((expected[0][:4] + plain.terms(), learner), expected)
            plain.close()


def test_the_fourth_term_counts_from_its_step_on(rooms_file: Path) -> None:
    ablations = LossAblations(posterior_weight=1.0, posterior_start=4)
    config = config_of(rooms_file, ablations=ablations)
    expected = by_plain_steps(config, 8)
    assert_alike(by_whole_steps(config, 8), expected)
    without = by_plain_steps(config_of(rooms_file), 8)
    always = by_plain_steps(replace(config, ablations=replace(ablations, posterior_start=0)), 8)
    assert expected[0][:4] == without[0][:4]
    assert expected[0][4][1] == without[0][4][1], "the weights were the same until then"
    assert expected[0][4][0] > without[0][4][0], "and the loss has a term more"
    assert always[0][0][0] > without[0][0][0]


def test_each_step_has_the_rate_of_the_plan_that_holds_when_it_is_made(rooms_file: Path) -> None:
    config = config_of(rooms_file, steps=6)
    learner = Learner(config, Ranks(), capturable=True)
    used: list[float] = []

    def spied(step: Callable[[], None]) -> Callable[[], None]:
        def made() -> None:
            step()
            used.append(learner.optimiser.param_groups[0]["lr"].item())

        return made

    expected = []
    with images_of(config, on_device=True) as images:
        whole = WholeStep(learner, images, Form(None, spied), steps_ahead=8)
        for step in range(20):
            if step in (5, 11, 16):  # within a buffer, and at its end
                learner.config = replace(config, steps=step + 20)
                whole.replan()
            whole.make()
            if step >= 3:  # those before are made without the graph
                expected.append(learning_rate(config.optimiser, step, learner.config.steps))
        whole.close()
    assert used == pytest.approx(expected, rel=1e-6)


def test_a_term_that_is_not_finite_is_found_at_the_next_look(rooms_file: Path) -> None:
    config = config_of(rooms_file, optimiser=replace(MUON, kind="adam", learning_rate=1e18))
    learner = Learner(config, Ranks(), capturable=True)
    with images_of(config, on_device=True) as images:
        whole = WholeStep(learner, images, CALLED, steps_ahead=4)
        whole.make()
        assert len(whole.terms()) == 1
        for _ in range(10):
            whole.make()
        with pytest.raises(NotFiniteError, match=r"^\w+ is (nan|inf|-inf) at step (\d+)$") as error:
            whole.terms()
        whole.close()
    assert 2 <= error.value.step < 11


def fails(reason: str) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise RuntimeError(f"{reason}:\n  no room")

    return fail


def test_where_a_form_fails_the_next_simpler_one_goes_on_and_says_so(
    rooms_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(rooms_file)
    expected = by_plain_steps(config, 6)
    form = Form(backend=None, capture=fails("out of memory"))  # type: ignore[arg-type]
    assert_alike(by_whole_steps(config, 6, form=form), expected)
    assert capsys.readouterr().err == (
        "monet: one CUDA graph a step failed (out of memory: no room); it goes on with steps "
        "one by one\n"
    )


def test_what_fails_in_the_simplest_form_is_raised(
    rooms_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(rooms_file)
    learner = Learner(config, Ranks(), capturable=True)
    with images_of(config, on_device=True) as images:
        whole = WholeStep(learner, images, ONE_BY_ONE)
        monkeypatch.setattr(learner.average, "update", fails("the device is gone"))
        with pytest.raises(RuntimeError, match="the device is gone"):
            whole.make()
        whole.close()
    assert learner.step == 0


def test_several_processes_exchange_what_one_flat_buffer_holds(rooms_file: Path) -> None:
    config = config_of(rooms_file)

    class Pair(Ranks):
        """One of two processes that have the same gradients: their mean changes nothing."""

        def average_(self, tensors: object) -> None:
            exchanged.append([tensor.shape for tensor in tensors])  # type: ignore[attr-defined]

    exchanged: list[list[torch.Size]] = []
    learner = Learner(config, Pair(rank=0, world=2), capturable=True)
    with images_of(config, on_device=True) as images:
        whole = WholeStep(learner, images, CALLED, steps_ahead=4)
        for _ in range(6):
            whole.make()
        assert len(whole.terms()) == 6
        whole.close()
    numbers = 4 + sum(p.numel() for p in learner.model.parameters())
    assert exchanged == [[torch.Size([numbers])]] * 6


@pytest.mark.parametrize("kind", ["rmsprop", "adam", "muon"])
def test_a_capturable_optimisers_state_is_plain_numbers(rooms_file: Path, kind: str) -> None:
    config = config_of(rooms_file, optimiser=replace(MUON, kind=kind))
    _, learner = by_whole_steps(config, 3)
    for group in learner.state().optimiser["param_groups"]:
        assert not any(isinstance(value, Tensor) for value in group.values())
        assert not group.get("capturable", False)
