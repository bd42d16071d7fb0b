"""The rows of docs/reliability.md: what tests promise, and how often they tried just now."""

import ast
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "reliability.md"
HEADER = ("promise", "how it is tried", "times", "result")

Promise = Callable[[str, str, int, str], None]
"""Takes the promise, how it is tried, how many times it was tried just now, and the result."""
Row = tuple[str, str, int, str]


def table_of(rows: Iterable[Row]) -> str:
    """Returns the page's table; tests that promise the same share a row."""
    times = Counter[tuple[str, str, str]]()
    for promised, tried, count, result in rows:
        times[promised, tried, result] += count
    lines = [HEADER, ("---", "---", "--:", "---")]
    lines += [(what, how, f"{count:,}", so) for (what, how, so), count in sorted(times.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def promised_on(page: str) -> list[str]:
    """Returns the promises of a page's table."""
    table = page.partition(f"| {HEADER[0]} |")[2]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:] if line]


def promised_by_tests() -> list[str]:
    """Returns the promises that the tests' source makes."""
    calls = [
        node
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "promise"
    ]
    return [ast.literal_eval(call.args[0]) for call in calls]
