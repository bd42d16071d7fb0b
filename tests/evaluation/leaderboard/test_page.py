"""The table as Markdown, JSON and a page: the same numbers, and names that are only names."""

import json
import re
import subprocess
import sys
from html import escape, unescape
from pathlib import Path

import pytest
from evaluation.cli import main
from evaluation.leaderboard.markdown import code, sections, to_markdown
from evaluation.leaderboard.page import to_html
from evaluation.leaderboard.standings import leaderboard
from evaluation.report.tables import UNDEFINED
from evaluation.scores.leaderboard_results import Leaderboard
from evaluation.scores.result_files import from_json, to_json
from leaderboards import Write, scenes_of

DOCS = Path(__file__).resolve().parents[3] / "docs"
EVIL = "<script>alert(1)</script>|`a`[b](javascript:c)\n# d"


@pytest.fixture
def board(write: Write, tmp_path: Path) -> Leaderboard:
    """Returns two seeds of a model, one of another with an evil name, and its refined masks."""
    write("r/m/seed0/a", 0.60)
    write("r/m/seed1/a", 0.70)
    write("r/b", 0.5, name=EVIL, refined=0.75)
    return leaderboard([tmp_path / "r"])


def cells(line: str) -> list[str]:
    """Returns the cells of a table's line as GitHub divides it: an escaped bar divides nothing."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_command_prints_and_writes_the_same_numbers(
    board: Leaderboard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["leaderboard", str(tmp_path / "r"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    names = ("leaderboard.html", "leaderboard.md", "leaderboard.json")
    assert printed.splitlines()[-3:] == [str(out / name) for name in names]
    assert (out / "leaderboard.md").read_text() in printed
    assert (out / "leaderboard.json").read_text() == to_json(board)
    page = (out / "leaderboard.html").read_text()
    assert "0.65 <small>±0.02</small>" in page
    assert "seeds ±0.64" in page
    assert "95% t interval over 2 seeds 0.01 to 1.29" in page


def test_markdown_has_intervals_over_images_and_over_seeds_apart(board: Leaderboard) -> None:
    text = to_markdown(board)
    rows = [cells(line) for line in text.splitlines() if line.startswith("| ")]
    (mine,) = (row for row in rows if row[0] == "`m`")
    assert mine[1:4] == ["7", "n = 2", "0.65 ±0.02, seeds ±0.64"]
    (refined,) = (row for row in rows if "its refined masks" in row[0])
    assert refined[3:] == ["0.75 ±0.02", UNDEFINED, UNDEFINED]
    assert f"Factors `{scenes_of().factors}`; pixels `{scenes_of().pixels}`" in text
    assert "| k-means on colour" in text


def test_names_mean_nothing_in_markdown_and_on_the_page(board: Leaderboard) -> None:
    text, page = to_markdown(board), to_html(board)
    (line,) = (one for one in text.splitlines() if "alert" in one and "refined" not in one)
    assert line.startswith("| ``<script>alert(1)</script>\\|`a`[b](javascript:c) # d`` ")
    assert len(cells(line)) == 6
    assert "<script>" not in page
    assert escape("<script>alert(1)</script>|`a`[b](javascript:c)") in page
    assert "default-src 'none'" in unescape(page)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "`plain`"),
        ("a|b", "`a\\|b`"),
        ("`", "`` ` ``"),
        ("a``b", "```a``b```"),
        ("a\tb\n\nc", "`a b c`"),
        ("\x1b[31m", "`\\x1b[31m`"),
        ("", "`  `"),
    ],
)
def test_a_name_is_code_whatever_it_holds(name: str, shown: str) -> None:
    assert code(name) == shown


def test_the_page_fetches_nothing_and_has_a_dark_style(board: Leaderboard) -> None:
    page = to_html(board)
    assert not re.search(r"(src|href)=", page)
    assert "prefers-color-scheme: dark" in page


def test_left_out_files_are_named_on_the_page(
    board: Leaderboard, write: Write, tmp_path: Path
) -> None:
    path = write("r/old", 0.9)
    content = json.loads(path.read_text())
    del content["benchmark"]
    path.write_text(json.dumps(content))
    again = leaderboard([tmp_path / "r"])
    for text in (to_markdown(again), to_html(again)):
        assert f"{path}: not of a known benchmark" in text


def test_the_words_run_as_scripts(board: Leaderboard, tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    for words in ("eval leaderboard", "monet-eval leaderboard"):
        done = subprocess.run(
            ["bash", "-c", f'PATH="{bin_folder}:$PATH" {words} r --out out'],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "out/leaderboard.html" in done.stdout


def test_an_out_that_is_a_file_is_refused(
    board: Leaderboard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(["leaderboard", str(tmp_path / "r"), "--out", str(tmp_path / "out")]) == 2
    assert "is no folder; --out names another place" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_the_page_of_docs_is_what_its_json_says() -> None:
    board = from_json((DOCS / "leaderboard.json").read_text())
    assert isinstance(board, Leaderboard)
    assert "\n".join(sections(board)) in (DOCS / "leaderboard.md").read_text()
