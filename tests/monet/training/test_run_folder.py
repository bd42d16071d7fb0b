"""A run's folder: what it goes on from, wherever it and its data lie, and what it never loses."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monet.config import TrainConfig
from monet.config_file import read_config
from monet.training.agenda import Agenda
from monet.training.run_folder import RunFolder
from monet.training.state import STATE, read_state
from monet.training.trainer import Trainer
from monet.weights import WEIGHTS
from promises import Promise
from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.multi_dsprites.config import MultiDSpritesConfig
from small_runs import small_run


def train(config: TrainConfig, folder: Path) -> dict[str, torch.Tensor]:
    with Trainer(config, folder) as trainer:
        trainer.run()
    return read_state(folder).model


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def run(rooms_file: Path, tmp_path: Path) -> Path:
    """Returns the folder of a run of two steps."""
    train(small_run(rooms_file, 2), tmp_path / "run")
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_weights_without_their_state_are_never_overwritten(rooms_file: Path, run: Path) -> None:
    (run / STATE).unlink()
    before = contents(run)
    message = (
        f"{run / WEIGHTS}: weights whose {STATE}, from which a run goes on, is gone; choose "
        f"another --run, and --init-from {run} to start from them"
    )
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(small_run(rooms_file, 4), run)
    assert contents(run) == before


@pytest.mark.parametrize("log", [None, '{"step": 1, "loss": 2.0}\n', "no line of a log\n"])
def test_a_log_without_its_state_is_never_overwritten(
    rooms_file: Path, run: Path, log: str | None
) -> None:
    (run / STATE).unlink()
    (run / WEIGHTS).unlink()
    if log is not None:
        (run / "metrics.jsonl").write_text(log)
    before = contents(run)
    message = (
        f"{run / 'metrics.jsonl'}: the log of a run whose {STATE} is gone; choose another --run, "
        "and --init-from WEIGHTS"
    )
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(small_run(rooms_file, 4), run)
    assert contents(run) == before


def test_a_config_alone_begins_again(rooms_file: Path, run: Path) -> None:
    expected = read_state(run).model
    for path in run.iterdir():
        if path.name != "config.json":
            path.unlink()
    (run / "metrics.jsonl").touch()  # as a kill can leave it
    assert same(train(small_run(rooms_file, 2), run), expected)


def test_a_state_is_there_before_the_first_step(
    rooms_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(self: Trainer, agenda: Agenda, fill: bool) -> None:
        seen.append(sorted(path.name.split(".")[0] for path in tmp_path.iterdir()))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, Trainer(small_run(rooms_file, 2), tmp_path) as trainer:
        patch.setattr(Trainer, "_loop", look)
        with pytest.raises(KeyboardInterrupt):
            trainer.run()
    assert {"config", "state"} < set(seen[0])
    assert "model" not in seen[0]
    assert read_state(tmp_path).step == 0
    train(small_run(rooms_file, 2), tmp_path)
    assert read_state(tmp_path).step == 2


def test_lines_after_the_state_are_logged_again_and_damaged_ones_named(
    rooms_file: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run / "metrics.jsonl"
    first, *rest = log.read_text().splitlines(keepends=True)
    log.write_text(first + "\0garbage\n" + "".join(rest) + '{"step": 9, "loss": 1}\n{"step": 2, ')
    train(small_run(rooms_file, 4), run)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == [1, 2, 2, 3, 4, 4]  # the scores of steps 2 and 4 have lines of their own
    assert capsys.readouterr().err == f"monet: {log}: damaged, and left out: line 2\n"


def test_a_run_goes_on_with_its_data_moved_and_from_another_folder(
    rooms_file: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promise: Promise
) -> None:
    expected = train(small_run(rooms_file, 6), tmp_path / "whole")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shutil.copy(rooms_file, scratch / "moved.h5")
    train(small_run(scratch / "moved.h5", 3), run)
    assert read_config(run).data == scratch / "moved.h5"
    monkeypatch.chdir(scratch)
    train(small_run(Path("moved.h5"), 4), Path("../run"))
    (scratch / "moved.h5").rename("again.h5")
    train(small_run(Path("../scratch/again.h5"), 5), run)
    shutil.move(run, tmp_path / "elsewhere")
    assert same(train(small_run(Path("again.h5"), 6), tmp_path / "elsewhere"), expected)
    assert read_config(tmp_path / "elsewhere").data == Path("again.h5")
    promise(
        "A run goes on with its data moved, and from another folder",
        "data copied, renamed, named relatively, the run moved",
        4,
        "the same weights as without a move",
    )


def test_other_scenes_under_the_same_path_are_refused(rooms_file: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "train.h5", tmp_path / "run"
    shutil.copy(rooms_file, data)
    train(small_run(data, 1), run)
    data.unlink()
    build(MultiDSpritesConfig(), n=384, seed=0, out=data, workers=1)
    with pytest.raises(UsageError, match=re.escape(f"{run}: {data} holds other scenes than this")):
        Trainer(small_run(data, 2), run)


def test_the_weights_that_a_run_began_with_are_known_by_what_they_are(
    rooms_file: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second"
    train(small_run(rooms_file, 1, init_from=str(run)), second)
    monkeypatch.chdir(tmp_path)
    train(small_run(rooms_file, 2, init_from="run"), second)
    shutil.move(run, tmp_path / "moved")
    train(small_run(rooms_file, 3, init_from="run"), second)  # need not be there any more
    train(small_run(rooms_file, 4, init_from="moved/model.safetensors"), second)
    assert read_state(second).step == 4
    train(replace(small_run(rooms_file, 2), seed=1), tmp_path / "unlike")
    for other in (None, "unlike"):
        message = f"second: a run of another config (init_from moved/model.safetensors, not {other}"
        with pytest.raises(UsageError, match=re.escape(message)):
            Trainer(small_run(rooms_file, 5, init_from=other), Path("second"))


def test_a_difference_is_named_that_is_one(rooms_file: Path, run: Path) -> None:
    other = replace(small_run(Path("elsewhere.h5"), 9), batch_size=4)
    with pytest.raises(UsageError, match=re.escape("(batch_size 8, not 4)")):
        Trainer(other, run)


def test_a_file_is_no_run_folder(rooms_file: Path) -> None:
    message = f"{rooms_file}: a file, where a run folder would be; choose another --run"
    with pytest.raises(UsageError, match=re.escape(message)):
        RunFolder(rooms_file)


@pytest.mark.parametrize("part", ["average", "optimiser", "model"])
def test_a_state_of_other_shapes_is_refused(rooms_file: Path, run: Path, part: str) -> None:
    state = torch.load(run / STATE, weights_only=True)
    del state["version"]
    if part == "optimiser":
        state["optimiser"]["state"][0]["exp_avg"] = torch.zeros(1)
    elif part == "average":
        state["average"].popitem()
    else:
        state["model"] = {name: value[:1] for name, value in state["model"].items()}
    torch.save(state, run / STATE)
    message = f"{run / STATE}: of another model than {run / 'config.json'} says"
    with pytest.raises(CommandError, match=re.escape(message)):
        Trainer(small_run(rooms_file, 4), run)
