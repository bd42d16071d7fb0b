"""Training: resumed to the bit, stopped cleanly, killed without loss."""

import io
import json
import multiprocessing
import os
import re
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import small_runs
import torch
from file_sizes import limited_files
from monet import load
from monet.config import TrainConfig
from monet.config_file import Stage, read_config
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.trainer import Trainer, train
from monet.training.whole_step import Form, WholeStep
from monet.weights import read_weights
from PIL import Image
from promises import Promise
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.lock import locked
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.serialise import to_json
from small_runs import MODEL, small_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

OPTIMISER = replace(small_runs.OPTIMISER, average_decay=0.9)
small = partial(small_run, optimiser=OPTIMISER)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "state.pt", weights_only=True)["model"]


def rows(folder: Path, key: str) -> list[tuple[int, float]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row[key]) for row in lines if key in row]


def assert_same(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["adam", "rmsprop", "muon"])
def test_an_interrupted_run_makes_the_same_weights_to_the_bit(
    rooms_file: Path, tmp_path: Path, kind: str
) -> None:
    config = small(rooms_file, 6, optimiser=replace(OPTIMISER, kind=kind, schedule="cosine"))
    with Trainer(config, tmp_path / "whole") as trainer:
        assert trainer.run().reason == "steps"
    for expected in (1, 2):
        with Trainer(config, tmp_path / "parts") as trainer:
            outcome = trainer.run(stop_after_s=0.0)
        assert (outcome.step, outcome.reason) == (expected, "time")
    with Trainer(config, tmp_path / "parts") as trainer:
        assert trainer.step == 2
        trainer.run()
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert rows(tmp_path / "whole", "loss") == rows(tmp_path / "parts", "loss")


def test_training_lowers_the_loss_and_scores_held_out_scenes(
    rooms_file: Path, tmp_path: Path
) -> None:
    with Trainer(small(rooms_file, 40), tmp_path) as trainer:
        trainer.run()
    losses = [loss for _, loss in rows(tmp_path, "loss")]
    assert len(losses) == 40
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    ((step, ari),) = rows(tmp_path, "ari")
    assert step == 40
    assert -1 <= ari <= 1
    assert (tmp_path / "decomposition.png").stat().st_size > 0
    assert load(tmp_path).config == MODEL


def test_a_small_file_trains_on_all_but_the_scenes_that_are_held_out(tmp_path: Path) -> None:
    data = tmp_path / "few.h5"
    build(ObjectsRoomConfig(size=32), seed=0, n=13, out=data, workers=1)
    for held_out in (320, 6):
        message = f"13 images are too few: {held_out} are held out for scores and a batch takes 8"
        with pytest.raises(UsageError, match=message):
            Trainer(small(data, 4, held_out=held_out), tmp_path / "run")
    few = small(data, 4, held_out=5)
    with Trainer(few, tmp_path / "run") as trainer:
        trainer.run()
    assert len(rows(tmp_path / "run", "held_out_nll")) == 1
    with pytest.raises(UsageError, match="held_out 5, not 4"):
        Trainer(replace(few, held_out=4), tmp_path / "run")


def test_tensorboard_shows_what_the_metrics_hold(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 4, score_every=2), tmp_path) as trainer:
        trainer.run()
    events = EventAccumulator(str(tmp_path)).Reload()
    lines = list(map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()))
    names = {name for line in lines for name in line} - {"step"}
    assert {"loss", "nll", "kl_latent", "kl_mask", "slots_used", "slot_share/2", "ari"} <= names
    assert set(events.Tags()["scalars"]) == names
    for name in names:
        steps, values = zip(*rows(tmp_path, name), strict=True)
        logged = events.Scalars(name)
        assert tuple(event.step for event in logged) == steps
        assert [event.value for event in logged] == pytest.approx(values, rel=1e-6)
    pictures = events.Images("decomposition")
    assert [picture.step for picture in pictures] == [2, 4]
    shown = np.asarray(Image.open(io.BytesIO(pictures[-1].encoded_image_string)))
    with Image.open(tmp_path / "decomposition.png") as picture:
        assert np.array_equal(shown, picture)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(rooms_file: Path, tmp_path: Path, number: int) -> None:
    with Trainer(small(rooms_file, 1_000_000), tmp_path) as trainer:

        def interrupt() -> None:
            while trainer.step == 0:
                time.sleep(0.01)
            os.kill(os.getpid(), number)

        threading.Thread(target=interrupt).start()
        outcome = trainer.run(stop_after_s=60.0)
    assert outcome.reason == "signal"
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == outcome.step > 0


def kill_and_restart(config: TrainConfig, folder: Path, kills: int) -> None:
    """Trains in processes of their own that are killed, then to the end."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["monet.training.trainer"])  # once, not for each process
    for attempt in range(kills):
        state = folder / "state.pt"
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = processes.Process(target=train, args=(config, folder))
        process.start()
        # Killed while it trains and saves, a little later each time.
        while process.is_alive() and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.005)
        time.sleep(0.013 * attempt)
        process.kill()
        process.join()
    process = processes.Process(target=train, args=(config, folder))
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.slow
def test_kills_at_any_moment_lose_nothing_that_was_saved(rooms_file: Path, tmp_path: Path) -> None:
    config = small(rooms_file, 40, save_every_s=0.01, log_every=10)
    with Trainer(replace(config, save_every_s=60.0), tmp_path / "whole") as trainer:
        trainer.run()
    kill_and_restart(config, tmp_path / "killed", kills=2)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert rows(tmp_path / "whole", "ari") == rows(tmp_path / "killed", "ari")
    assert rows(tmp_path / "whole", "loss") == rows(tmp_path / "killed", "loss")


@pytest.mark.slow
def test_twenty_kills_lose_nothing_that_was_saved(
    rooms_file: Path, tmp_path: Path, promise: Promise
) -> None:
    config = small(rooms_file, 200, save_every_s=0.01, log_every=10)
    with Trainer(replace(config, save_every_s=60.0), tmp_path / "whole") as trainer:
        trainer.run()
    kills = 20
    kill_and_restart(config, tmp_path / "killed", kills=kills)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert rows(tmp_path / "whole", "loss") == rows(tmp_path / "killed", "loss")
    promise(
        "A training that is killed goes on, and the weights are as if it had not been",
        "SIGKILL while it trains and saves",
        kills,
        "the same weights and the same log",
    )


def test_a_loss_that_is_not_finite_stops_the_run_with_a_sound_state(
    rooms_file: Path, tmp_path: Path
) -> None:
    config = small(rooms_file, 50, optimiser=replace(OPTIMISER, learning_rate=1e18))
    message = rf"{re.escape(str(tmp_path))}: \w+ is (nan|inf|-inf) at step \d+; the state before"
    with Trainer(config, tmp_path) as trainer, pytest.raises(CommandError, match=message):
        trainer.run()
    assert (tmp_path / "state.pt").exists()
    assert all(loss == loss and abs(loss) < float("inf") for _, loss in rows(tmp_path, "loss"))


def test_a_folder_of_another_config_is_refused(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 1), tmp_path) as trainer:
        trainer.run()
    other = small(rooms_file, 1, model=replace(MODEL, num_slots=4))
    message = f"{tmp_path}: a run of another config (num_slots 3, not 4); choose another --run"
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(other, tmp_path)


def test_more_steps_go_on_with_a_finished_run(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 1), tmp_path) as trainer:
        trainer.run()
    with Trainer(small(rooms_file, 3), tmp_path) as trainer:
        assert trainer.run().step == 3
    assert [step for step, _ in rows(tmp_path, "loss")] == [1, 2, 3]


def test_a_finished_run_that_is_run_again_logs_nothing_twice(
    rooms_file: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        with Trainer(small(rooms_file, 2), tmp_path) as trainer:
            assert trainer.run().step == 2
    assert [step for step, _ in rows(tmp_path, "ari")] == [2]


def test_two_commands_never_train_in_one_folder(rooms_file: Path, tmp_path: Path) -> None:
    config = small(rooms_file, 2)
    with Trainer(config, tmp_path) as first, Trainer(config, tmp_path) as second:
        with (
            locked(tmp_path, "training"),
            pytest.raises(UsageError, match=re.escape(f"{tmp_path}: another command is training")),
        ):
            second.run()
        first.run()
        first.run()  # what it found is what it wrote
        with pytest.raises(UsageError, match="another command trained there meanwhile"):
            second.run()


def test_other_scenes_under_the_same_name_are_refused_and_more_of_them_are_not(
    tmp_path: Path,
) -> None:
    data, folder = tmp_path / "sprites.h5", tmp_path / "run"
    sprites = MultiDSpritesConfig()
    config = small(data, 2, model=replace(MODEL, image_size=32))
    build(sprites, n=336, seed=0, out=data, workers=1)
    with Trainer(config, folder) as trainer:
        trainer.run()
    build(sprites, n=352, seed=0, out=data, workers=1)
    with Trainer(replace(config, steps=3), folder) as trainer:
        assert trainer.run().step == 3
    for seed, n in ((1, 352), (0, 336)):  # of fewer, some that were learned from would be held out
        build(sprites, n=n, seed=seed, out=data, workers=1, overwrite=True)
        message = f"{folder}: {data} holds other scenes than this run began with; choose another"
        with pytest.raises(UsageError, match=re.escape(message)):
            Trainer(replace(config, steps=4), folder)


@pytest.mark.slow
def test_measuring_the_rate_changes_nothing(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 2), tmp_path / "a") as trainer:
        assert trainer.measure().step_s > 0
        trainer.run()
    with Trainer(small(rooms_file, 2), tmp_path / "b") as trainer:
        trainer.run()
    assert_same(tmp_path / "a", tmp_path / "b")


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has steps made as on a GPU: whole, looked at some steps later, called again for a replay."""

    def whole_steps(learner: Learner, images: TrainingImages, *, is_compiled: bool) -> WholeStep:
        return WholeStep(learner, images, Form(None, lambda step: step), steps_ahead=20)

    monkeypatch.setattr("monet.training.start.Learner", partial(Learner, capturable=True))
    monkeypatch.setattr("monet.training.trainer.start_steps", whole_steps)


@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_loss_found_late_ends_the_run_and_spoils_nothing(
    rooms_file: Path, tmp_path: Path
) -> None:
    config = small(rooms_file, 2, optimiser=replace(OPTIMISER, schedule="cosine"), log_every=50)
    with Trainer(config, tmp_path) as trainer:
        trainer.run()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.[jps]*")}
    assert {"state.pt", "model.safetensors", "metrics.jsonl"} <= before.keys()
    spoilt = replace(config, steps=100, score_every=60)
    message = (
        rf"{re.escape(str(tmp_path))}: \w+ is (nan|inf|-inf) at step \d+; the state of step 2 is "
        r"kept; try a lower --learning-rate than 0\.0"
    )
    with Trainer(spoilt, tmp_path) as trainer:
        with torch.no_grad():
            next(trainer.model.parameters()).fill_(torch.nan)
        with pytest.raises(CommandError, match=message):
            trainer.run()
    after = {path.name: path.read_bytes() for path in tmp_path.glob("*.[jps]*")}
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if name != "config.json")


@pytest.mark.slow
@pytest.mark.usefixtures("as_on_a_gpu")
def test_a_run_of_whole_steps_goes_on_as_one_that_never_stopped(
    rooms_file: Path, tmp_path: Path
) -> None:
    config = small(rooms_file, 70, log_every=5)
    with Trainer(config, tmp_path / "whole") as trainer:
        trainer.run()
    with Trainer(config, tmp_path / "parts") as trainer:
        assert trainer.measure().step_s > 0
        assert trainer.run(stop_after_s=0.0).step == 5
    with Trainer(config, tmp_path / "parts") as trainer:
        trainer.run()
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert rows(tmp_path / "whole", "loss") == rows(tmp_path / "parts", "loss")
    assert len(rows(tmp_path / "whole", "loss")) == 14


def test_the_precision_that_a_run_began_with_is_kept(rooms_file: Path, tmp_path: Path) -> None:
    config = small(rooms_file, 1, precision="bfloat16")
    with Trainer(config, tmp_path) as trainer:
        trainer.run()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["precision"] == "bfloat16"
    # As if "auto" had chosen it on another processor.
    (tmp_path / "config.json").write_text(to_json(replace(config, precision="auto")))
    with Trainer(replace(config, steps=2, precision="auto"), tmp_path) as trainer:
        trainer.run()
    assert torch.load(tmp_path / "state.pt", weights_only=True)["precision"] == "bfloat16"


def test_cache_compile_and_graph_are_no_part_of_a_runs_identity(
    rooms_file: Path, tmp_path: Path
) -> None:
    with Trainer(small(rooms_file, 1), tmp_path) as trainer:
        trainer.run()
    config = small(rooms_file, 2, cache="device", compile="never", graph="never")
    with Trainer(config, tmp_path) as trainer:
        assert trainer.run().step == 2


@pytest.mark.parametrize("name", ["model.safetensors", "state.pt"])
def test_a_file_that_cannot_be_written_is_said_in_one_line_and_keeps_the_last_state(
    rooms_file: Path, tmp_path: Path, name: str
) -> None:
    with Trainer(small(rooms_file, 1), tmp_path) as trainer:
        trainer.run()
    before = (tmp_path / "state.pt").read_bytes()
    said = f"{tmp_path / name}: file too large; the last saved state is kept"
    too_small = (tmp_path / name).stat().st_size - 1
    with (
        Trainer(small(rooms_file, 2), tmp_path) as trainer,
        limited_files(too_small),
        pytest.raises(CommandError, match=re.escape(said)),
    ):
        trainer.run()
    assert (tmp_path / "state.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_what_a_kill_left_half_written_is_removed(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 1), tmp_path) as trainer:
        (tmp_path / "state.pt.0.tmp").write_bytes(b"half")
        trainer.run()
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_starts_from_given_weights(rooms_file: Path, tmp_path: Path) -> None:
    with Trainer(small(rooms_file, 2), tmp_path / "first") as trainer:
        trainer.run()
    start = str(tmp_path / "first")
    more_slots = replace(MODEL, num_slots=5)
    with Trainer(small(rooms_file, 2, init_from=start, model=more_slots), tmp_path / "b") as second:
        given = load(tmp_path / "first").state_dict()
        assert second.step == 0
        assert all(torch.equal(given[k], v) for k, v in second.model.state_dict().items())
        second.run()
    assert read_config(tmp_path / "b").init_from == start
    third = small(rooms_file, 2, init_from=str(tmp_path / "b"), model=more_slots)
    for steps in (1, 2):  # the second time it goes on from its state
        with Trainer(replace(third, steps=steps), tmp_path / "third") as trainer:
            trainer.run()
    stages = read_weights(tmp_path / "third" / "model.safetensors").stages
    assert stages == (
        Stage(2, read_config(tmp_path / "first")),
        Stage(2, read_config(tmp_path / "b")),
    )
    other = replace(MODEL, latent_dim=5)
    message = "--init-from needs weights of the same architecture (latent_dim 4, not 5)"
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(small(rooms_file, 2, init_from=start, model=other), tmp_path / "c")


def test_a_wider_attention_starts_with_the_narrow_one_s_masks(
    rooms_file: Path, tmp_path: Path
) -> None:
    with Trainer(small(rooms_file, 2), tmp_path / "narrow") as trainer:
        trainer.run()
    start = str(tmp_path / "narrow")
    *channels, lowest = MODEL.unet_channels
    wide = replace(MODEL, unet_channels=(*(c + 3 for c in channels), lowest))
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    with Trainer(
        small(rooms_file, 3, init_from=start, model=wide, grow=True), tmp_path / "wide"
    ) as trainer:
        assert trainer.model.attention.unet.logits.in_channels == channels[0] + 3
        expected, masks = (m.decompose(images).masks for m in (load(start), trainer.model))
        np.testing.assert_allclose(masks, expected, atol=1e-6)
        trainer.run()
    moved = weights(tmp_path / "wide")["attention.unet.logits.weight"]
    assert (moved[:, channels[0] :] != 0).all()
    for unlike in ((*channels, lowest + 3), (*(c - 1 for c in channels), lowest)):
        model = replace(MODEL, unet_channels=unlike)
        with pytest.raises(UsageError, match="needs weights of the same architecture"):
            Trainer(small(rooms_file, 2, init_from=start, model=model, grow=True), tmp_path / "c")
    message = "of the same architecture (unet_channels (8, 8, 8), not (11, 11, 8)); --grow goes on"
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(small(rooms_file, 2, init_from=start, model=wide), tmp_path / "c")
