"""Feeds readers with damaged copies of valid files, and says which of them do not refuse in words.

A reader may read a damaged file, or refuse it by an error that the commands print as one line. It
fails where it raises anything else, hangs, takes gigabytes, or ends its process.
"""

import contextlib
import faulthandler
import io
import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from scenes.command_line import CommandError, UsageError, in_words

REFUSALS = (UsageError, CommandError, OSError, ValueError)
"""What a command turns into one line; FileError and RecordError are ValueErrors."""
CASE_S = 20
"""HDF5 that spins is ended after two seconds of computing, which may take ten on a busy machine."""
MEMORY_BYTES = 2 << 30
NUMBERS = [
    b"-1",
    b"0",
    b"300",
    b"1e999",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"9" * 5000,
    b"[" * 99,
]


@dataclass(frozen=True)
class Target:
    """A reader, and a valid file for it."""

    name: str
    valid: bytes
    suffix: str
    read: Callable[[Path], object]
    wrap: Callable[[bytes], bytes] = bytes
    """From the damaged bytes to the file: puts what is damaged behind sound checksums."""
    says_where: bool = True
    """Whether each refusal must hold the file's name."""
    stem: str = "damaged"
    """The file's name before its suffix."""


@dataclass
class Outcome:
    """The results of all cases of one target."""

    read: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    """One text for each case that was neither; the number in it makes the case again."""


def reader_of(main: Callable[[list[str]], int], *arguments: str) -> Callable[[Path], None]:
    """Returns what reads a file by a command: it may succeed, or refuse in one line.

    Args:
        main: the program.
        arguments: of the command; `FILE` stands for the path.
    """

    def read(path: Path) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main([str(path) if word == "FILE" else word for word in arguments])
        lines = said.getvalue().splitlines()
        if not code:
            return
        if code not in (1, 2) or not lines or "an error of the program" in lines[-1]:
            raise AssertionError(f"exit code {code}: {lines}")
        raise ValueError(lines[-1])

    return read


class Hang(BaseException):
    """A case took longer than `CASE_S`."""


def damaged(valid: bytes, rng: np.random.Generator) -> bytes:
    """Returns a copy with one kind of damage, in two of five cases with more."""
    data = bytearray(valid)
    for _ in range(int(rng.geometric(0.6))):
        _damage(data, rng)
    return bytes(data)


def case(target: Target, seed: int, number: int) -> bytes:
    """Returns the file of one case."""
    rng = np.random.default_rng([seed, number])
    return target.wrap(damaged(target.valid, rng))


def _damage(data: bytearray, rng: np.random.Generator) -> None:
    size = len(data)
    start = int(rng.integers(size + 1))
    length = int(min(2 ** rng.uniform(0, 10), size - start))
    stop = start + length
    kind = rng.integers(10)
    if kind == 0 and size:
        data[start % size] ^= 1 << int(rng.integers(8))
    elif kind == 1 and size:
        data[start % size] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
    elif kind == 2:
        del data[start:]
    elif kind == 3:
        del data[start:stop]
    elif kind == 4:
        data[start:start] = data[start:stop]
    elif kind == 5:
        data[start:stop] = rng.bytes(length)
    elif kind == 6:
        data[start:stop] = bytes(length)
    elif kind == 7:
        width = int(rng.choice([2, 4, 8]))
        order = "little" if rng.integers(2) else "big"
        huge = int(rng.choice([2**15, 2**16 - 1])) << (8 * (width - 2))
        data[start : start + width] = huge.to_bytes(width, order)
    elif kind == 8:
        other = int(rng.integers(size + 1))
        data[start:stop] = data[other : other + length]
    else:
        _replace_number(data, start, rng)


def _replace_number(data: bytearray, start: int, rng: np.random.Generator) -> None:
    """Puts an odd value in the place of the next digits: damage to text."""
    while start < len(data) and not chr(data[start]).isdigit():
        start += 1
    stop = start
    while stop < len(data) and chr(data[stop]).isdigit():
        stop += 1
    data[start:stop] = NUMBERS[int(rng.integers(len(NUMBERS)))]


def fuzz(target: Target, folder: Path, *, cases: int, seed: int = 0) -> Outcome:
    """Gives a reader many damaged files, in a process of its own.

    Args:
        target: the reader.
        folder: where the files lie, one at a time.
        cases: how many.
        seed: decides all of them.
    """
    outcome = Outcome()
    target.read(_written(target, folder, target.wrap(target.valid)))  # the valid file is read
    number = 0
    while number < cases:
        number = _run(target, folder, range(number, cases), seed, outcome)
    return outcome


def _run(target: Target, folder: Path, numbers: range, seed: int, outcome: Outcome) -> int:
    """Runs cases until all are done or the child ended; returns the number to go on with."""
    context = multiprocessing.get_context("fork")  # the reader need not be picklable
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(target, folder, numbers, seed, theirs))
    child.start()
    theirs.close()
    number = numbers.start
    try:
        while number < numbers.stop:
            # The child's own alarm comes first, unless it is in a library that never returns.
            if not ours.poll(2 * CASE_S):
                outcome.failures.append(f"{target.name}: case {number}: hangs")
                return number + 1
            said = ours.recv()
            if said == "read":
                outcome.read += 1
            elif said == "refused":
                outcome.refused += 1
            else:
                outcome.failures.append(f"{target.name}: case {number}: {said}")
            number += 1
    except EOFError:
        child.join()
        outcome.failures.append(f"{target.name}: case {number}: ended by {child.exitcode}")
        return number + 1
    finally:
        child.kill()
        child.join()
        ours.close()
    return number


def _work(target: Target, folder: Path, numbers: range, seed: int, connection: Connection) -> None:
    signal.signal(signal.SIGALRM, _hang)
    faulthandler.disable()  # the parent reports how the child ended
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for number in numbers:
        path = _written(target, folder, case(target, seed, number))
        signal.alarm(CASE_S)
        try:
            said = _answer(target, path)
        finally:
            signal.alarm(0)
        connection.send(said)
    connection.close()


def _answer(target: Target, path: Path) -> str:
    try:
        target.read(path)
    except REFUSALS as error:
        words = in_words(error) if isinstance(error, OSError) else str(error)
        if not words.strip():
            return f"refused without a word: {error!r}"
        if target.says_where and path.name not in words:
            return f"refused without the file's name: {words}"
        return "refused"
    except (Exception, Hang) as error:
        return "".join(traceback.format_exception(error, limit=-3))
    return "read"


def _hang(signum: int, frame: object) -> None:
    raise Hang(f"no answer in {CASE_S} s")


def _written(target: Target, folder: Path, content: bytes) -> Path:
    path = folder / f"{target.stem}{target.suffix}"
    path.write_bytes(content)
    return path


def failures_of(targets: Sequence[Target], folder: Path, *, cases: int, seed: int = 0) -> list[str]:
    """Fuzzes each target and returns the failures; asserts that some damage was noticed."""
    failures = []
    for target in targets:
        outcome = fuzz(target, folder, cases=cases, seed=seed)
        assert outcome.read + outcome.refused + len(outcome.failures) == cases, target.name
        assert outcome.refused > cases // 10, f"{target.name}: {outcome}"
        failures += outcome.failures
    return failures


MUTATED, NEVER = "valid ones, mutated", "read, or refused in one line"
"""How damage is tried, and with what result, on the page of promises."""


def check(targets: Sequence[Target], folder: Path, *, cases: int) -> int:
    """Fuzzes each target, fails where one fails, and returns how many files were tried."""
    failures = failures_of(targets, folder, cases=cases)
    assert not failures, "\n".join([f"{len(failures)} failures", *failures[:20]])
    return len(targets) * cases
