"""Generalisation: the right scenes in each condition, and results that can be read again."""

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.figures import draw_decompositions, plot_generalisation, save
from evaluation.generalise import CONDITIONS, Generalisation, generalise, scene_file
from evaluation.score import write_json
from evaluation.tables import comparison_table, console, score_table, verdict
from monet.model import Monet
from scenes.build import build
from scenes.command_line import UsageError
from scenes.config import condition_config
from scenes.file import SceneFile


def test_every_condition_is_scored_on_scenes_of_its_own(
    result: Generalisation, folder: Path
) -> None:
    assert tuple(result.model) == CONDITIONS
    for count in range(7):
        with SceneFile(folder / f"objects_{count}_32px.h5") as file:
            assert (file["num_visible"][:] == count).all()
            assert file.n == 3
    with SceneFile(folder / "identical_color_32px.h5") as file:
        hue = file["factors/color_hsv"][:, :, 0]
        present = file["factors/present"][:]
        assert all(len(np.unique(row[mask])) == 1 for row, mask in zip(hue, present, strict=True))


def test_scores_name_what_is_undefined(result: Generalisation) -> None:
    content = result.as_json({"name": "untrained"}, seed=0)
    conditions = content["conditions"]
    assert isinstance(conditions, dict)
    assert conditions["objects_1"]["ari_fg"] == {
        "mean": None, "sem": None, "low": None, "high": None, "count": 0,
    }  # fmt: skip
    assert conditions["objects_0"]["count"]["count"] == 3
    assert conditions["objects_0"]["msc"]["mean"] is None
    assert set(content["baselines"]) == {"one slot", "2 x 2 grid", "k-means on colour"}  # type: ignore[call-overload]


def test_results_are_written_as_standard_json_and_drawn(
    result: Generalisation, tmp_path: Path
) -> None:
    write_json(tmp_path / "scores.json", result.as_json({}, seed=0))
    text = (tmp_path / "scores.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["num_slots"] == 9
    for figure, name in (
        (draw_decompositions(result.pictured), "decompositions"),
        (plot_generalisation(result), "generalisation"),
    ):
        png, pdf = save(figure, tmp_path / name)
        assert png.read_bytes().startswith(b"\x89PNG")
        assert pdf.read_bytes().startswith(b"%PDF")


def test_the_tables_show_each_condition_and_baseline(result: Generalisation) -> None:
    terminal = console()
    with terminal.capture() as capture:
        terminal.print(score_table("title", result.model))
        terminal.print(comparison_table(result))
        terminal.print(verdict(result))
    printed = capture.get()
    for name in (*CONDITIONS, "k-means on colour", "MONet, 9 slots"):
        assert name in printed
    assert "…" not in printed, "a column is cut"
    assert "k-means on colour has the higher ari_fg" in printed


def test_finished_scenes_are_used_again_and_extended(folder: Path, result: Generalisation) -> None:
    path = folder / "objects_2_32px.h5"
    before = path.stat().st_mtime_ns
    assert scene_file("objects_2", 32, folder, seed=0, n=2) == path
    assert path.stat().st_mtime_ns == before
    with SceneFile(path) as file:
        first = file["image"][:]
    assert scene_file("objects_2", 32, folder, seed=0, n=5) == path
    with SceneFile(path) as file:
        assert file.n == 5
        np.testing.assert_array_equal(file["image"][:3], first)


def test_a_users_own_file_of_larger_scenes_serves(tmp_path: Path) -> None:
    own = tmp_path / "objects_1.h5"
    build(condition_config("objects_1", 64), 0, 2, own)
    assert scene_file("objects_1", 32, tmp_path, seed=0, n=2) == own
    # Not one of another seed, nor one whose size is no multiple.
    assert scene_file("objects_1", 32, tmp_path, seed=1, n=2) == tmp_path / "objects_1_32px.h5"
    assert scene_file("objects_1", 48, tmp_path, seed=0, n=2) == tmp_path / "objects_1_48px.h5"


def test_one_slot_and_no_scenes_are_refused(model: Monet, folder: Path) -> None:
    with pytest.raises(UsageError, match="--slots must be at least 2, got 1"):
        generalise(model, 1, folder, n=3, seed=0)
    with pytest.raises(UsageError, match="--n must be at least 1, got 0"):
        generalise(model, 9, folder, n=0, seed=0)
