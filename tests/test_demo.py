"""`tools/demo`: what it refuses before it does anything, and how it plans."""

import re
import subprocess
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parent.parent / "tools" / "demo"


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(DEMO), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("minutes", ["3", "0", "", "-5", "1.5", "nine"])
def test_a_time_that_is_none_is_refused(minutes: str) -> None:
    done = demo("--minutes", minutes)
    assert done.returncode == 2
    said = f"demo: --minutes takes a whole number from 4, got '{minutes}'\n"
    assert (done.stdout, done.stderr) == ("", said)


def test_help_says_what_it_does_and_unknown_words_are_refused() -> None:
    done = demo("--help")
    assert done.returncode == 0
    assert "under ten minutes" in done.stdout
    assert "demo/" in done.stdout
    done = demo("--fast")
    assert done.returncode == 2
    assert done.stderr.startswith("demo: unknown argument --fast\n")


@pytest.mark.parametrize(
    ("picture_s", "seconds", "most", "scenes"),
    [
        (15, 10_000, 320, 320),
        (15, 200, 320, 85),
        (15, 200, 50, 50),
        (75, 200, 320, 16),
        (15, -60, 320, 16),
    ],
)
def test_fewer_scenes_are_scored_where_less_time_or_a_slower_machine_is(
    picture_s: int, seconds: int, most: int, scenes: int
) -> None:
    functions = re.findall(
        r"^(?:scoring_s|scenes_in)\(\) \{.*?\}(?: #.*)?$|^scenes_in.*?^\}",
        DEMO.read_text(),
        re.S | re.M,
    )
    code = "\n".join([f"picture_s={picture_s}", *functions, f"n=$(scenes_in {seconds} {most})"])
    code += '\necho "$n" "$(scoring_s "$n")"'
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    n, scoring_s = map(int, done.stdout.split())
    assert n == scenes
    assert n == 16 or scoring_s <= seconds
