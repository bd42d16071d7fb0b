"""How scores are written in tables."""

import math

import pytest
from evaluation.scores.results import Statistic
from evaluation.terminal_tables import cell, console, score_tables

HALF = Statistic(mean=0.5, sem=0.01, low=0.46, high=0.52, count=20)
NONE = Statistic(mean=math.nan, sem=math.nan, low=math.nan, high=math.nan, count=0)


@pytest.mark.parametrize(
    ("name", "statistic", "most", "text"),
    [
        ("ari", HALF, None, "0.50 ±0.03"),
        ("ari", HALF, 20, "0.50 ±0.03"),
        ("ari_fg", HALF, 25, "0.50 ±0.03 (20)"),
        ("mse", HALF, 20, "0.5000 ±0.0300"),
        ("nll", Statistic(-12345.6, 1.0, -12346.6, -12344.6, 20), 20, "-12,346 ±1"),
        ("ari", Statistic(0.5, math.nan, math.nan, math.nan, 1), 1, "0.50"),
        ("ari", NONE, 20, "-"),
        ("ari", None, 20, "-"),
    ],
)
def test_a_cell_says_what_is_known(
    name: str, statistic: Statistic | None, most: int | None, text: str
) -> None:
    assert cell(name, statistic, most) == text


def test_every_score_stands_in_some_table() -> None:
    names = (
        "ari_fg",
        "ari_merged",
        "msc",
        "recall",
        "count",
        "mse",
        "ari",
        "ari_paper",
        "ari_fg_sklearn",
        "sc",
        "mbo",
        "miou",
        "slots_used",
        "slots_empty",
        "nll",
        "kl_latent",
        "kl_mask",
    )
    rows = {"model": dict.fromkeys(names, HALF), "baseline": {"ari": HALF}}
    terminal = console()
    with terminal.capture() as capture:
        for table in score_tables("a title", rows):
            terminal.print(table)
    printed = capture.get()
    for name in names:
        assert f" {name} " in printed.replace("\n", " "), name
    assert "a title" in printed
    assert "…" not in printed
