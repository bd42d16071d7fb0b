"""What feeds readers with damage notices each way in which one can fail."""

import os
import signal
import time
from pathlib import Path

import fuzzing
import pytest
from fuzzing import Target, failures_of, fuzz

VALID = b"12345678" * 32


def read(path: Path) -> bytes:
    """Refuses whatever is not VALID."""
    content = path.read_bytes()
    if content != VALID:
        raise ValueError(f"{path}: not as it was")
    return content


def test_a_reader_that_refuses_in_words_does_not_fail(tmp_path):
    outcome = fuzz(Target("sound", VALID, ".bin", read), tmp_path, cases=50)
    assert outcome.read + outcome.refused == 50
    assert outcome.refused >= 40
    assert outcome.failures == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda: {}["key"], "KeyError"),
        (lambda: int("no number, and no file"), "without the file's name"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "ended by -11"),
        (lambda: time.sleep(60), "no answer in 1 s"),
        (lambda: bytearray(16 << 30), "MemoryError"),
    ],
    ids=["raises", "nameless", "dies", "hangs", "takes memory"],
)
def test_every_way_to_fail_is_noticed(tmp_path, monkeypatch, what, said):
    monkeypatch.setattr(fuzzing, "CASE_S", 1)

    def fail(path: Path) -> None:
        if path.read_bytes() != VALID:
            what()

    outcome = fuzz(Target("broken", VALID, ".bin", fail), tmp_path, cases=3)
    assert len(outcome.failures) == 3 - outcome.read
    assert all(said in failure for failure in outcome.failures)
    assert outcome.failures


def test_a_reader_that_damage_never_reaches_is_no_test(tmp_path):
    blind = Target("blind", VALID, ".bin", lambda path: None)
    with pytest.raises(AssertionError, match="blind"):
        failures_of([blind], tmp_path, cases=20)
