"""Exit codes, and one line for whatever goes wrong."""

import errno
import os
import pty
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from promises import Promise
from scenes.cli import main
from scenes.command_line import CommandError, UsageError, run_command, run_one_of


def fail(error: BaseException):
    def command(words: list[str]) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("--n must be\n at least 1"), 2, "tool: --n must be at least 1"),
        (ValueError("no condition 'x'"), 2, "tool: no condition 'x'"),
        (CommandError("no scenes"), 1, "tool: no scenes"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.h5"),
            1,
            "tool: a.h5: no space left on device",
        ),
        (OSError("a.h5: truncated"), 1, "tool: a.h5: truncated"),
        (KeyboardInterrupt(), 1, "tool: interrupted; run the same command again to continue"),
        (KeyboardInterrupt("stopped; 3 of 4 are kept"), 1, "tool: stopped; 3 of 4 are kept"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    assert run_command("tool", fail(error)) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line + "\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("wall"), "tool: an error of the program: KeyError: 'wall' (--debug shows where)"),
        (RecursionError(), "tool: an error of the program: RecursionError (--debug shows where)"),
        (MemoryError("array of 1 EiB"), "tool: out of memory: array of 1 EiB"),
    ],
)
def test_an_error_of_the_program_is_one_line_too(
    capsys: pytest.CaptureFixture[str], error: BaseException, line: str
) -> None:
    assert run_command("tool", fail(error), []) == 1
    assert capsys.readouterr().err == line + "\n"


def test_debug_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("tool", fail(KeyError("wall")), ["--debug"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "tool: an error of the program: KeyError: 'wall' (--debug shows where)"


def test_a_command_does_not_see_debug_but_all_other_words() -> None:
    seen: list[str] = []
    assert run_command("tool", seen.extend, ["--n", "--debug", "4"]) == 0
    assert seen == ["--n", "4"]


def test_a_name_cannot_bring_a_terminal_s_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("tool", fail(CommandError("a\x1b[2J\x07b.h5")), []) == 1
    assert capsys.readouterr().err == "tool: a\\x1b[2J\\x07b.h5\n"


PRINTING = """
import sys
from scenes.command_line import run_command

def command(words):
    for line in range(20000):
        print(line, "Größe ✓")

sys.exit(run_command("tool", command))
"""


@pytest.mark.parametrize("close", ["| head -1", ">&-"])
def test_a_closed_stdout_is_no_error_worth_a_word(close: str, promise: Promise) -> None:
    shell = f"set -o pipefail; \"{sys.executable}\" -c '{PRINTING}' {close}"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1)
    assert ended.stderr == ""
    promise(
        "A closed output ends a command without a word",
        "`head -1` behind it, and an output closed from the start",
        1,
        "no traceback, nothing said",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", PRINTING], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == b"tool: no space left on device\n"


def test_a_terminal_of_another_encoding_gets_escapes() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PRINTING],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith("0 Größe \\u2713\n".encode("latin-1"))


def test_success_is_0_and_a_command_s_own_code_is_kept() -> None:
    assert run_command("tool", lambda words: None) == 0
    assert run_command("tool", lambda words: 0) == 0
    assert run_command("tool", lambda words: 1) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["render", "--size", "15"], "--size must be even, from 16 to 512, got 15"),
        (["render", "--n", "many"], "many"),
        (["rendr"], "rendr"),
        (["sprites", "--splitt", "test"], "--splitt"),
    ],
)
def test_a_mistyped_command_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("scenes: ")
    assert said in line


def test_a_mistyped_flag_is_the_same_line_on_a_terminal(tmp_path: Path) -> None:
    words = ["render", "--n", "many", "--out", str(tmp_path / ("long-name-" * 12))]
    command = shlex.join([sys.executable, "-m", "scenes", *words])
    in_a_pipe = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    ).stderr
    terminal, ours = pty.openpty()
    try:
        subprocess.run(["bash", "-c", command], stdout=ours, stderr=ours, check=False)
        on_a_terminal = os.read(terminal, 100_000).decode().replace("\r\n", "\n")
    finally:
        os.close(terminal)
        os.close(ours)
    assert on_a_terminal == in_a_pipe
    assert in_a_pipe.endswith("; see scenes render --help\n")


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("render", "sprites", "import", "export", "show", "verify"):
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert not end.value.code
        assert "--help" in capsys.readouterr().out


def test_help_wraps_once_and_leaves_out_what_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main(["render", "--help"])
    shown = capsys.readouterr().out
    assert "None" not in shown
    assert "--objects INT" in shown
    # Two lines of the docstring, one of the screen.
    assert "Kinds of objects to keep out: shape=sphere, hue=0.9-0.1 or shape=sphere+box" in shown
    assert "(default: )" not in shown


def test_a_flag_that_may_be_left_out_is_read_as_its_type() -> None:
    seen: list[object] = []

    @dataclass(frozen=True)
    class Words:
        """Reads what it is given."""

        objects: int | None = None
        folders: tuple[Path, ...] = ()
        sizes: tuple[int, ...] | None = None
        size: int = 64

        def run(self) -> None:
            seen.append(self)

    for words, expected in (
        (["a"], Words()),
        (
            ["a", "--objects", "3", "--folders", "x", "y", "--sizes", "1", "2", "--size", "32"],
            Words(3, (Path("x"), Path("y")), (1, 2), 32),
        ),
    ):
        assert run_one_of("tool", {"a": Words, "b": Words}, "A tool.", words) == 0
        assert seen.pop() == expected
