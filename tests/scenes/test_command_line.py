"""Exit codes, and one line for whatever goes wrong."""

import errno
import os

import pytest
from scenes.cli import main
from scenes.command_line import CommandError, UsageError, run_command


def fail(error: BaseException):
    def command() -> int:
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


def test_what_is_no_mistake_of_the_user_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command("tool", fail(ZeroDivisionError()))


def test_success_is_0_and_a_command_s_own_code_is_kept() -> None:
    assert run_command("tool", lambda: None) == 0
    assert run_command("tool", lambda: 0) == 0
    assert run_command("tool", lambda: 1) == 1


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


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("render", "sprites", "import", "export", "show", "verify"):
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert not end.value.code
        assert "--help" in capsys.readouterr().out
