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


def planned(call: str, picture_s: int) -> int:
    """Returns what one of the script's functions says where a picture took so many seconds."""
    functions = re.findall(r"^(?:scoring_s|scenes_in)\(\) \{.*?^\}", DEMO.read_text(), re.S | re.M)
    code = "\n".join([f"picture_s={picture_s}", *functions, call])
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(
    ("seconds", "picture_s", "kept_s"),
    [(500, 10, 125), (500, 20, 180), (400, 30, 270), (3500, 10, 280)],
)
def test_a_quarter_of_the_time_is_kept_for_scores_within_what_they_can_take(
    seconds: int, picture_s: int, kept_s: int
) -> None:
    assert planned(f"scoring_s {seconds}", picture_s) == kept_s


@pytest.mark.parametrize("seconds", [360, 500, 3500])
@pytest.mark.parametrize("picture_s", [6, 10, 20, 40])
@pytest.mark.parametrize(("sixteen", "page"), [(2.3, 2.7), (3.5, 3.5), (5.0, 4.0)])
def test_scores_and_page_end_within_what_is_kept_on_quiet_and_on_busy_machines(
    seconds: int, picture_s: int, sixteen: float, page: float
) -> None:
    sixteen_s, page_s = round(sixteen * picture_s), page * picture_s
    left_s = planned(f"scoring_s {seconds}", picture_s) - sixteen_s
    scenes = planned(f"scenes_in {left_s} {sixteen_s}", picture_s)
    assert scenes == 16 or 32 <= scenes <= 320
    more_s = 0 if scenes == 16 else sixteen_s * (51 + scenes) / 67
    assert more_s + page_s <= left_s + 1


def test_a_quiet_machine_scores_many_more_than_sixteen_scenes() -> None:
    assert planned("scenes_in 102 23", 10) == 73
    assert planned("scenes_in 2000 23", 10) == 320
