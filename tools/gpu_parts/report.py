"""The report of tools/gpu: written as it goes, to the screen, report.txt and results.json."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPORT, RESULTS = "report.txt", "results.json"
MOST_FILES, MOST_BYTES = 8, 16 << 20


@dataclass(frozen=True)
class Row:
    """A part's row of the table at the end."""

    part: str
    outcome: str
    """`done` or `FAILED`."""
    figures: str
    seconds: float


@dataclass
class Report:
    """Lines and numbers, written as they come.

    Args:
        out: the folder.
        started: when the run began, by `time.monotonic`.
    """

    out: Path
    started: float
    rows: list[Row] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    """Lines on what this run could not check."""

    def __post_init__(self) -> None:
        (self.out / REPORT).write_text("")

    def say(self, text: str) -> None:
        """Prints lines, with the seconds passed so far, and writes them to report.txt."""
        passed = f"[{time.monotonic() - self.started:6.1f}] "
        self._write("\n".join(passed + line for line in text.splitlines()))

    def keep(self, key: str, value: object) -> None:
        """Writes a value to results.json, under a key."""
        self.results[key] = value
        (self.out / RESULTS).write_text(json.dumps(self.results, indent=1) + "\n")

    def run(self, part: str, work: Callable[[], str]) -> bool:
        """Does a part and adds its row; an error is recorded there, and the parts after it go on.

        Args:
            part: its name.
            work: does it, and returns its figures in a few words.

        Returns:
            Whether the part was done.
        """
        self.say(f"== {part}")
        start = time.monotonic()
        try:
            figures, outcome = work(), "done"
        except Exception as error:
            figures, outcome = " ".join(str(error).split()) or type(error).__name__, "FAILED"
            self.say("".join(traceback.format_exception(error)).rstrip())
        self.rows.append(Row(part, outcome, figures, time.monotonic() - start))
        self.keep("parts", [vars(row) for row in self.rows])
        return outcome == "done"

    def finish(self) -> None:
        """Writes the table, what was not run, and which files break the folder's limits."""
        width = max(len(row.part) for row in self.rows)
        lines = [
            f"{row.part:<{width}}  {row.outcome:<6} {row.seconds:6.1f} s  {row.figures}"
            for row in sorted(self.rows, key=lambda row: row.part)
        ]
        self._write("\n".join(["", *lines]))
        if self.not_run:
            self._write("\n".join(["", "not run:", *(f"  {line}" for line in self.not_run)]))
        files = [path for path in self.out.rglob("*") if path.is_file()]
        if len(files) > MOST_FILES:
            self._write(f"{len(files)} files in {self.out}, which had some before")
        for path in files:
            if path.stat().st_size > MOST_BYTES:
                self._write(f"{path}: {path.stat().st_size >> 20} MB, more than 16")

    def _write(self, text: str) -> None:
        print(text, flush=True)
        with (self.out / REPORT).open("a") as file:
            file.write(text + "\n")
