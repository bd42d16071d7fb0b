"""Signals, and kills, of real processes: what is learned is kept, and nothing is done twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from monet.cli import main
from monet.training.signals import StopSignals
from monet.training.state import read_state
from monet.training.validation import Validation
from promises import Promise

SMALL = """
--preset quick --image-size 16 --num-slots 3 --encoder-channels 8 8 --decoder-channels 8
--unet-channels 8 8 --unet-hidden 8 --schedule constant --warmup-steps 0 --batch-size 4
--precision float32 --log-every 1
"""
LONG = ("--steps", "1000000", "--score-every", "1000000")
HUNG_S = 600.0
"""After this long a process hangs, however busy the machine is."""

Train = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def flags(rooms_file: Path, folder: Path) -> list[str]:
    return [*SMALL.split(), "--data", str(rooms_file), "--run", str(folder)]


@pytest.fixture
def train(flags: list[str]) -> Iterator[Train]:
    """Starts `monet-train` as a process, which is killed at last."""
    processes = []

    def start(*more: str, before: tuple[str, ...] = (), patch: str = "") -> subprocess.Popen[str]:
        code = f"import sys; from monet.cli import main\n{patch}\nsys.exit(main(sys.argv[1:]))"
        process = subprocess.Popen(
            [*before, sys.executable, "-c", code, *flags, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=at_default,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def at_default() -> None:
    """Undoes what the process of the tests may ignore."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    start = time.monotonic()
    while not condition():
        if process.poll() is not None or time.monotonic() - start > HUNG_S:
            pytest.fail(f"ended early: {process.communicate()[0]}")
        time.sleep(0.01)


def lines(folder: Path) -> list[dict[str, float]]:
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    *whole, _ = path.read_text().split("\n")
    return [json.loads(line) for line in whole]


def steps(folder: Path, key: str = "loss") -> list[float]:
    return [line["step"] for line in lines(folder) if key in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_ends_without_scores(
    train: Train, folder: Path, number: int, promise: Promise
) -> None:
    process = train(*LONG)
    wait_for(lambda: len(lines(folder)) > 2, process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=HUNG_S)
    assert process.returncode == 1
    assert out.endswith("the same command goes on from there\n")
    assert read_state(folder).step == steps(folder)[-1] > 2
    assert steps(folder, "held_out_nll") == []
    assert not (folder / "decomposition.png").exists()
    promise(
        "`monet-train` saves and ends where it is told to",
        "Ctrl-C and SIGHUP while it trains",
        1,
        "the state of the last step, and no scores",
    )


@pytest.mark.slow
def test_nohup_keeps_a_run_alive(train: Train, folder: Path, promise: Promise) -> None:
    nohup = shutil.which("nohup")
    if nohup is None:
        pytest.skip("no nohup on this system")
    process = train(*LONG, before=(nohup,))
    wait_for(lambda: len(lines(folder)) > 2, process)
    process.send_signal(signal.SIGHUP)
    seen = len(lines(folder))
    wait_for(lambda: len(lines(folder)) > seen + 2, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HUNG_S)
    assert process.returncode == 1
    assert read_state(folder).step > seen + 2
    promise(
        "`nohup monet-train` outlives its terminal", "SIGHUP while it trains", 1, "it trains on"
    )


@pytest.mark.slow
def test_a_second_signal_ends_at_once_and_spoils_no_state(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    saving = tmp_path / "saving"
    patch = f"""
import time
from pathlib import Path
from monet.training.trainer import Trainer
save = Trainer.save
def slow_save(trainer):
    if trainer.step:
        Path({str(saving)!r}).touch()
        time.sleep(1000)
    save(trainer)
Trainer.save = slow_save
"""
    process = train(*LONG, patch=patch)
    wait_for(lambda: len(lines(folder)) > 2, process)
    process.send_signal(signal.SIGINT)
    wait_for(saving.exists, process)
    time.sleep(0.3)  # what comes sooner is the same request
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=HUNG_S)
    assert process.returncode == -signal.SIGINT  # a shell says 130
    assert read_state(folder).step == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "number", "code"),
    [
        ("__init__", signal.SIGINT, 1),
        ("measure", signal.SIGINT, 1),
        ("measure", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_signal_before_training_ends_and_leaves_nothing(
    train: Train, folder: Path, tmp_path: Path, place: str, number: int, code: int
) -> None:
    there = tmp_path / "there"
    patch = f"""
import time
from pathlib import Path
from monet.training.trainer import Trainer
def stay(*arguments):
    Path({str(there)!r}).touch()
    time.sleep(1000)
Trainer.{place} = stay
"""
    process = train(patch=patch)
    wait_for(there.exists, process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=HUNG_S)
    assert process.returncode == code, out
    assert "Traceback" not in out
    assert not folder.exists()


@pytest.mark.slow
def test_a_kill_before_the_first_save_loses_no_run(
    train: Train, flags: list[str], folder: Path, tmp_path: Path, promise: Promise
) -> None:
    process = train(*LONG)
    wait_for(lambda: len(lines(folder)) > 4, process)
    process.kill()
    process.wait()
    assert not (folder / "model.safetensors").exists()
    assert main([*flags, "--steps", "4", "--score-every", "2"]) == 0
    whole = tmp_path / "whole"
    assert main([*flags, "--run", str(whole), "--steps", "4", "--score-every", "2"]) == 0
    assert lines(folder) == lines(whole)
    assert steps(folder) == [1, 2, 3, 4]
    ours, theirs = (read_state(path).model for path in (folder, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    promise(
        "A run that is killed before its first save begins again by the same command",
        "SIGKILL after some steps",
        1,
        "the same weights and the same log",
    )


@pytest.mark.usefixtures("interruptible")
def test_scores_that_a_signal_left_out_are_made_when_the_run_goes_on(
    flags: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = [*flags, "--steps", "4", "--score-every", "2"]
    results, unscored = Validation.results, {2, 4}

    def endless(
        self: Validation,
        weights: Mapping[str, torch.Tensor],
        advance: Callable[[int], None],
    ) -> tuple[dict[str, float], np.ndarray]:
        if steps(folder)[-1] not in unscored:
            return results(self, weights, advance)
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(Validation, "results", endless)
    for step in (2, 2, 4, 4):  # as the step is made, and again as the run goes on
        unscored -= {2} if step == 4 else set()
        assert main(flags) == 1
        assert read_state(folder).step == steps(folder)[-1] == step
        assert steps(folder, "held_out_nll") == ([2] if step == 4 else [])
    unscored.clear()
    capsys.readouterr()
    assert main(flags) == 0
    assert capsys.readouterr().out == f"{folder}: all 4 steps are made; --steps asks for more\n"
    assert steps(folder, "held_out_nll") == [2, 4]
    assert steps(folder) == [1, 2, 3, 4]


def test_signals_in_quick_succession_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monet.training.signals.time.monotonic", lambda: 5.0)
    with StopSignals(second_ends=True) as signals:
        assert not signals.asked
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.asked
        assert signals.unless_asked(lambda: 1) is None


@pytest.mark.slow
def test_outside_the_main_thread_a_run_trains_as_well(flags: list[str], folder: Path) -> None:
    code = (
        "import sys, threading; from monet.cli import main\n"
        "thread = threading.Thread(target=main, args=(sys.argv[1:],)); thread.start()\n"
        "thread.join()"
    )
    subprocess.run([sys.executable, "-c", code, *flags, "--steps", "2"], check=True)
    assert read_state(folder).step == 2


def test_handlers_are_as_before_when_a_run_is_over() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals(second_ends=True):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
