"""What people and programs that use `eval` rely on: keys, tables, sections, lines and scores."""

import io
import json
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from evaluation.cli import main

STATISTIC = {"mean", "sem", "low", "high", "count"}
ROOM_METRICS = {
    "ari",
    "ari_merged",
    "ari_paper",
    "ari_fg",
    "ari_fg_sklearn",
    "sc",
    "msc",
    "mbo",
    "miou",
    "recall",
    "count",
}
OF_SEGMENTATIONS = ROOM_METRICS | {"slots_used", "slots_empty"}
OF_MONET = OF_SEGMENTATIONS | {"mse", "nll", "kl_latent", "kl_mask"}
BASELINES = {
    "one slot",
    "2 x 2 grid",
    "k-means on colour",
    "k-means on colour and place",
    "felzenszwalb",
}
CONDITIONS = [
    "test",
    *(f"objects_{count}" for count in range(7)),
    "identical_color",
    "four_identical",
]
COMPARED = {"test", "objects_6", "identical_color"}
OF_OBJECTS = {"interval", "recall", "completion_of_visible_fraction_to", "completion"}


@dataclass
class Made:
    """What a command printed and the JSON that it wrote."""

    printed: str
    content: dict[str, Any]


def made(arguments: list[str], path: Path) -> Made:
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(arguments) == 0
    return Made(out.getvalue(), json.loads(path.read_text()))


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, rooms_file: Path) -> Made:
    """Returns the scores of weights that ship on twelve rooms."""
    out = tmp_path_factory.mktemp("score")
    arguments = ["score", "--data", str(rooms_file), "--checkpoint", "objects_room_quick"]
    return made([*arguments, "--n", "12", "--out", str(out)], out / "scores.json")


@pytest.fixture(scope="module")
def generalised(
    tmp_path_factory: pytest.TempPathFactory, run_folder: Path, folder: Path
) -> tuple[Made, Path]:
    """Returns the scores of a run in every condition, and the folder they were written to."""
    out = tmp_path_factory.mktemp("generalise")
    arguments = ["generalise", "--checkpoint", str(run_folder), "--n", "3", "--slots", "6"]
    arguments += ["--data-folder", str(folder), "--out", str(out)]
    return made(arguments, out / "scores.json"), out


def test_score_writes_these_keys(scored: Made) -> None:
    content = scored.content
    assert set(content) >= {
        "checkpoint",
        "predictions",
        "data",
        "n",
        "num_slots",
        "interval",
        "metrics",
        "decoded_masks",
        "refined",
        "baselines",
        "ceiling",
    }
    assert set(content["checkpoint"]) == {"path", "name", "step", "earlier_steps"}
    assert content["predictions"] is None
    assert set(content["metrics"]) == set(content["refined"]) == OF_MONET
    assert set(content["decoded_masks"]) == OF_SEGMENTATIONS
    assert set(content["ceiling"]) == ROOM_METRICS
    assert set(content["baselines"]) == BASELINES
    for row in (content["metrics"], content["baselines"]["one slot"], content["ceiling"]):
        assert all(set(statistic) == STATISTIC for statistic in row.values())


def test_generalise_writes_these_keys_and_files(generalised: tuple[Made, Path]) -> None:
    content, out = generalised[0].content, generalised[1]
    assert set(content) >= {
        "checkpoint",
        "num_slots",
        "n",
        "seed",
        "version",
        "interval",
        "conditions",
        "as_trained",
        "decoded_masks",
        "refined",
        "baselines",
        "ceilings",
        "slot_use",
        "occlusion",
    }
    assert set(content["checkpoint"]) == {"path", "name", "step", "trained_slots"}
    assert list(content["conditions"]) == CONDITIONS == list(content["slot_use"])
    assert set(content["conditions"]["test"]) == OF_MONET
    assert set(content["as_trained"]) == {"num_slots", "conditions"}
    assert set(content["as_trained"]["conditions"]) == set(content["refined"]) == COMPARED
    assert set(content["decoded_masks"]) == set(content["ceilings"]) == set(CONDITIONS)
    assert set(content["baselines"]) == BASELINES
    assert list(content["baselines"]["one slot"]) == CONDITIONS
    assert set(content["slot_use"]["test"][0]) == {"used", "area", "mostly"}
    assert set(content["occlusion"]) == {"model", "baselines"}
    assert set(content["occlusion"]["baselines"]) == BASELINES
    assert set(content["occlusion"]["model"]) == OF_OBJECTS
    assert set(content["occlusion"]["model"]["recall"][0]) == {"above", "to"} | STATISTIC
    assert set(content["occlusion"]["model"]["completion"]) in (
        set(),
        {"visible_fraction", "attention_iou", "largest_iou", "decoded_iou", "hidden_found"},
    )
    names = ("decompositions", "slot_use", "generalisation", "occlusion")
    files = {path.name for path in out.iterdir() if path.is_file()}
    assert files == {"scores.json", *(f"{name}.{end}" for name in names for end in ("png", "pdf"))}


def test_represent_writes_these_keys(run_folder: Path, rooms_file: Path, tmp_path: Path) -> None:
    arguments = ["represent", "--checkpoint", str(run_folder), "--data", str(rooms_file)]
    arguments += ["--n", "24", "--out", str(tmp_path)]
    represented = made(arguments, tmp_path / "representation.json")
    content = represented.content
    assert set(content) >= {
        "checkpoint",
        "whole_image",
        "data",
        "n",
        "objects",
        "properties",
        "dci",
    }
    assert set(content["checkpoint"]) == {"path", "name", "step"}
    for key in ("objects", "properties", "dci"):
        assert list(content[key]) == ["slots", "slots, alone in view"]
    factors = ["shape", "red", "green", "blue", "size", "right", "forward"]
    assert list(content["properties"]["slots"]) == factors
    assert set(content["properties"]["slots"]["red"]) == {"linear", "mlp", "chance"}
    assert set(content["dci"]["slots"]) == {"disentanglement", "completeness", "informativeness"}
    title = f"small (4 steps), 24 scenes of {rooms_file}: accuracy of shape, R² of the rest, on"
    assert f"{title} scenes not seen" in unbroken(represented.printed)


def columns(printed: str) -> list[list[str]]:
    """Returns the words above the rule of each table, line by line."""
    lines = printed.splitlines()
    rules = [number for number, line in enumerate(lines) if re.match(r"^ ─+", line)]
    return [lines[number - 1].split() for number in rules]


def test_score_prints_these_tables(scored: Made, rooms_file: Path) -> None:
    printed = scored.printed
    assert f"12 scenes of {rooms_file}; ± half of a 95% interval over images" in unbroken(printed)
    assert columns(printed) == [
        ["ari_fg", "ari_merged", "msc", "recall", "count", "mse"],
        ["ari", "ari_paper", "ari_fg_sklearn", "sc", "mbo", "miou"],
        ["slots_used", "slots_empty", "nll", "kl_latent", "kl_mask"],
    ]
    first = printed[: printed.index("slots_used")]
    for label in (
        "objects_room_quick",
        "its decoded masks",
        "its refined masks",
        *BASELINES,
        "ceiling (walls with sky)",
    ):
        assert first.count(f"\n {label}  ") == 2, label


def unbroken(printed: str) -> str:
    return " ".join(printed.split())


def test_generalise_prints_these_tables(generalised: tuple[Made, Path]) -> None:
    printed = generalised[0].printed
    assert columns(printed) == [
        ["ari_fg", "ari_paper", "msc", "recall", "count", "slots_empty", "mse"],
        ["ari_merged", "ari_fg", "msc", "ari_fg", "msc", "ari_fg"],
        ["used", "sky", "floor", "walls", "objects", "share", "of", "all", "pixels"],
        [
            "0%",
            "to",
            "25%",
            "25%",
            "to",
            "50%",
            "50%",
            "to",
            "75%",
            "75%",
            "to",
            "95%",
            "95%",
            "to",
            "100%",
        ],
    ]
    for words in (
        "small (4 steps), 6 slots, 3 scenes of each condition; ± half of a 95% interval over "
        "images, (images that counted)",
        "beside segmentations that look at colour or place alone, and the ceiling",
        "what each of 6 slots holds, six objects: share of scenes in which it holds anything, and "
        "mostly what",
        "objects found (recall), by the share of them in view; ± over objects",
        "MONet, 6 slots",
        "MONet, 5 slots as in training",
        "its decoded masks",
        "its refined masks",
        "ceiling (walls with sky)",
        "k-means on colour has the higher ari_fg, ",
    ):
        assert words in unbroken(printed), words


def test_the_report_has_these_sections(
    run_folder: Path, rooms_file: Path, generalised: tuple[Made, Path], tmp_path: Path
) -> None:
    arguments = ["report", "--checkpoint", str(run_folder), "--runs", str(run_folder.parent)]
    arguments += ["--results", str(generalised[1]), "--data", str(rooms_file), "--n", "4"]
    out = tmp_path / "report.json"
    content = made([*arguments, "--slots", "5", "--out", str(tmp_path)], out).content
    assert set(content) >= {
        "versions",
        "provenance",
        "runs",
        "scores",
        "checkpoint",
        "dataset",
        "num_slots",
        "metric",
        "ranked",
        "scenes",
    }
    assert set(content["checkpoint"]) == {"path", "name", "step", "config"}
    assert set(content["runs"][0]) == {
        "name",
        "path",
        "dataset",
        "step",
        "config",
        "last",
        "earlier_steps",
    }
    assert set(content["scenes"][0]) == {
        "group",
        "source",
        "index",
        "scores",
        "slots",
        "refined",
        "beside",
    }
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r"<h[12][^>]*>(.*?)</h[12]>", page) == [
        "MONet: small",
        "Scenes, slot by slot",
        "Generalisation",
        "Training",
        "Versions",
    ]
    captions = re.findall(r"<caption>(.*?)</caption>", page)
    assert captions == [
        "MONet with 6 slots, 3 scenes of each condition",
        "ari_fg beside segmentations that look at colour or place alone",
        "msc beside segmentations that look at colour or place alone",
        "recall beside segmentations that look at colour or place alone",
        "runs, and the last values that each logged of itself",
    ]
    assert re.findall(r'aria-label="([\w -]+ (?:against|over) [\w ]+)"', page) == [
        "ari_fg against objects",
        "msc against objects",
        "recall against objects",
        "ari_paper against objects",
        "count against objects",
        "negative log-likelihood over the steps",
        "KL of the latents over the steps",
        "KL of the masks over the steps",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("generalise --slots 1", "--slots must be at least 2, got 1"),
        ("generalise --slots 9 9", "--slots must name different numbers"),
        ("generalise --n 0 --checkpoint objects_room_quick", "--n must be at least 1, got 0"),
        (
            "score --data x.h5 --checkpoint a --predictions p.h5",
            "give one of --checkpoint and --predictions",
        ),
        ("score --data x.h5 --predictions p.h5 --slots 4", "--slots goes with --checkpoint"),
        ("score --data x.h5 --checkpoint a --slots 1", "--slots must be at least 2, got 1"),
        ("score --data x.h5 --checkpoint a --n 0", "--n must be at least 1, got 0"),
        ("represent --n 0", "--n must be at least 1, got 0"),
        ("represent --slots 1", "--slots must be at least 2, got 1"),
        ("traverse --slots 1", "--slots must be at least 2, got 1"),
        ("traverse --slot 9 --slots 4", "--slot must be from 1 to 4, got 9"),
        ("traverse --latent 99", "--latent must be from 0 to 15, got 99"),
        ("traverse --scene -1", "--scene must be at least 0, got -1"),
        ("figures --figures 1", "--figures must be from 2 to 10, got 1"),
        ("figures --refine -1", "--refine must be at least 0, got -1"),
        ("report --slots 1", "--slots must be at least 2, got 1"),
        ("report --n 1", "--n must be at least 2, got 1"),
    ],
)
def test_mistakes_are_said_in_these_lines(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: str,
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"eval: {line}")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_scores_of_weights_that_ship(scored: Made) -> None:
    """Within what another processor's rounding may move at a pixel's edge."""
    pinned = {
        "metrics": {"ari": 0.8722, "ari_fg": 0.6044, "msc": 0.6362, "mse": 0.0011},
        "decoded_masks": {"ari": 0.8352, "ari_fg": 0.4070, "msc": 0.4996},
        "refined": {"ari": 0.8745, "ari_fg": 0.7194, "msc": 0.7379, "mse": 0.0008},
    }
    for row, scores in pinned.items():
        means = {name: scored.content[row][name]["mean"] for name in scores}
        assert means == pytest.approx(scores, abs=0.003), row
