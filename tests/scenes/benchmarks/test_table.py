"""The table of benchmarks is whole, and the docs list what it holds."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scenes.benchmarks.table import (
    BENCHMARKS,
    FAMILIES,
    REFERENCE,
    REFERENCE_ROWS,
    VERSION,
    digests_of,
    names_of,
    provenance_of,
    reference_of,
    rows_of,
)
from scenes.command_line import UsageError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "benchmark.md"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_checksums_and_pixels(name: str) -> None:
    assert 320 in rows_of(name)
    for rows in rows_of(name):
        digests = digests_of(name, rows)
        assert re.fullmatch(r"[0-9a-f]{64}", digests.factors)
        assert re.fullmatch(r"[0-9a-f]{64}", digests.pixels)
    size = BENCHMARKS[name].config.size
    reference = reference_of(name)
    assert reference["image"].shape == (len(REFERENCE_ROWS), size, size, 3)
    assert reference["segmentation"].shape == (len(REFERENCE_ROWS), size, size)
    assert np.unique(reference["segmentation"]).size > 1


def test_no_two_benchmarks_are_alike() -> None:
    digests = [digests_of(name, rows) for name in BENCHMARKS for rows in rows_of(name)]
    assert len({one.factors for one in digests}) == len(digests)
    assert len({one.pixels for one in digests}) == len(digests)


def test_the_pixels_that_ship_are_few() -> None:
    assert sum(path.stat().st_size for path in REFERENCE.iterdir()) < 300_000


def test_a_name_is_a_benchmark_or_a_family() -> None:
    assert names_of("clevr_like") == ("clevr_like",)
    assert len(names_of("rooms")) == 4
    assert names_of("all") == tuple(BENCHMARKS)
    assert not set(FAMILIES) & set(BENCHMARKS)
    message = "no benchmark 'cats'; there are rooms_test, .*, clevr_like, rooms, all"
    with pytest.raises(UsageError, match=message):
        names_of("cats")


def test_the_page_lists_the_checksums_and_what_drew_them() -> None:
    text = PAGE.read_text()
    for name in BENCHMARKS:
        for rows in rows_of(name):
            found = digests_of(name, rows)
            assert f"| `{name}` | {rows:,} | `{found.factors}` | `{found.pixels}` |" in text
        for value in provenance_of(name).values():
            assert f"`{value}`" in text, json.dumps(value)
    assert f"version {VERSION}" in text
