"""What the documents name is there: links, anchors, files and flags."""

import contextlib
import io
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import evaluation.cli
import monet.cli
import pytest
import scenes.cli
from monet.step_count import steps_in_words
from monet.weights import SHIPPED, read_weights
from promises import HEADER, PAGE, promised_by_tests, promised_on, table_of

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """Returns a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        again = sum(kept == re.sub(r"-\d+$", "", other) for other in found)
        found.add(f"{kept}-{again}" if again else kept)
    return found


def test_an_anchor_is_a_heading_as_github_links_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `--flag`, and 2.2\n\n```bash\n# no heading\n```\n\n## Twice\n\n## Twice\n")
    assert anchors(page) == {"a---flag-and-22", "twice", "twice-1"}


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@each_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    paths = re.findall(r"\b(?:packages|tests|tools|docs|examples)/[\w./*-]*\w", page.read_text())
    assert [path for path in paths if not list(ROOT.glob(path))] == []


def test_every_row_of_the_page_on_reliability_is_a_promise_of_a_test() -> None:
    page = PAGE.read_text()
    assert " | ".join(HEADER) in page
    assert sorted(promised_on(page)) == sorted(set(promised_by_tests()))


def test_tests_that_promise_the_same_share_a_row() -> None:
    rows = [("b", "so", 1, "good"), ("a", "so", 1000, "good"), ("a", "so", 500, "good")]
    table = table_of(rows)
    assert table.splitlines()[2:] == ["| a | so | 1,500 | good |", "| b | so | 1 | good |"]
    assert promised_on(f"# Page\n\n{table}") == ["a", "b"]


@each_page
def test_every_name_of_python_is_there(page: Path) -> None:
    spans = re.findall(r"`((?:scenes|monet|evaluation)(?:\.[A-Za-z_]\w*)+)", prose(page))
    assert [name for name in spans if not resolves(name)] == []


def resolves(name: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[list[str]]]] = {
    "monet-train": (monet.cli.main, [[]]),
    "scenes": (scenes.cli.main, [[name] for name in scenes.cli.COMMANDS]),
    "eval": (evaluation.cli.main, [[name] for name in evaluation.cli.COMMANDS]),
}


def flags_of(main: Callable[[list[str]], int], arguments: list[str]) -> set[str]:
    """Returns the flags that a command's help names."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        main([*arguments, "--help"])
    return flags_in(text.getvalue())


def flags_in(help_text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z](?:[\w.-]*\w)?", help_text))


@pytest.fixture(scope="session")
def flags() -> dict[str, set[str]]:
    """Returns every command's flags, by the command as it is typed."""
    gpu = subprocess.run(
        [sys.executable, "tools/gpu", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        " ".join([program, *arguments]): flags_of(main, arguments)
        for program, (main, forms) in COMMANDS.items()
        for arguments in forms
    } | {"tools/gpu": flags_in(gpu.stdout)}


def commands_in(page: Path) -> Iterator[str]:
    """Yields the code of a page that may hold commands: a line of a block, or a span."""
    text = page.read_text()
    for block in re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            yield from re.split(r"&&|;", line.split("#")[0])
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        yield from span.split("&&")


@each_page
def test_every_flag_that_is_named_is_there(page: Path, flags: dict[str, set[str]]) -> None:
    """A command's flags are its own; a flag that stands alone is one of any command's."""
    missing = []
    for code in commands_in(page):
        words = [word.strip("[]") for word in code.split()]
        named = [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]
        own = next((flags[c] for c in flags if words[: len(c.split())] == c.split()), None)
        if own is not None:
            missing += [f"{code}: {flag}" for flag in named if flag not in own]
        elif words and words[0].startswith("--"):
            every = set().union(*flags.values())
            missing += [flag for flag in named if flag not in every]
    assert missing == []


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_the_readme_counts_steps_as_tables_and_pages_do(path: Path) -> None:
    weights = read_weights(path)
    steps = steps_in_words(weights.step, weights.earlier_steps)
    assert re.search(rf"`{path.stem}`.*\| {steps}\b", (ROOT / "README.md").read_text())
    assert weights.title == f"{path.stem} ({steps})"
