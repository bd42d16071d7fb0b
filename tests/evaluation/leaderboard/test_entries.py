"""What cannot stand in a leaderboard is refused, or named as left out, in one line."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation.cli import main
from evaluation.leaderboard.entries import whose
from evaluation.leaderboard.standings import leaderboard
from evaluation.scores.result_files import to_json
from leaderboards import Write, scenes_of, scores


def refused(capsys: pytest.CaptureFixture[str], *folders: Path) -> str:
    """Returns the line by which the command refuses; nothing is written."""
    out = folders[0].parent / "out"
    assert main(["leaderboard", *map(str, folders), "--out", str(out)]) in (1, 2)
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), out.exists()) == ("", 1, False)
    assert "an error of the program" not in said.err
    return said.err.removeprefix("eval: ").rstrip("\n")


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(to_json(scores(0.5, scenes_of())))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (to_json(scores(0.5, scenes_of()))[:400], "is no JSON"),
        ("", "is no JSON"),
        ("[" * 1000, "has more than 64 levels"),
        ("[]", "has none of conditions, metrics"),
        ('{"tables": [], "left_out": []}', "holds no scores of `eval score` or `eval generalise`"),
        (changed(lambda c: c.update(schema=9)), "has schema 9; this version reads schema 1"),
        (changed(lambda c: c.update(n="<b>")), "expected int, got str"),
        (changed(lambda c: c["benchmark"].update(exact=1)), "exact"),
        (changed(lambda c: c["benchmark"].update(version=2)), "of rooms_test version 2; this"),
        (changed(lambda c: c["benchmark"].update(name="a\nb<i>")), "of a b<i> version 1; this"),
        (changed(lambda c: c["benchmark"].update(rows=321)), "of 321 scenes of rooms_test"),
        (changed(lambda c: c["benchmark"].update(factors="0" * 64)), "are not those of rooms_test"),
        (changed(lambda c: c["benchmark"].update(pixels="0" * 64)), "said to be the benchmark's"),
        (
            changed(lambda c: c["benchmark"].update(size=0)),
            "at 0 pixels, to which 64 are not averaged down",
        ),
        (changed(lambda c: c["metrics"]["ari"].update(mean=1e200)), "holds a number beyond 1e+100"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, line: str
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    path = folder / "scores.json"
    path.write_text(content)
    said = refused(capsys, folder)
    assert said.startswith(f"{path}: ")
    assert line in said


def test_what_is_no_file_of_a_bounded_size_is_not_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    path = folder / "scores.json"
    os.mkfifo(path)
    assert refused(capsys, folder) == f"{path}: is no regular file"
    path.unlink()
    path.symlink_to("/dev/zero")
    assert refused(capsys, folder).endswith("is no regular file")
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refused(capsys, folder).startswith(f"{path}: has 1,099,511,627,776 bytes; at most ")
    path.unlink()
    path.mkdir()
    assert refused(capsys, folder) == f"{path}: is no regular file"


def test_a_folder_without_scores_or_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    line = f"{empty}: no scores.json below it; `eval score` writes one"
    assert refused(capsys, empty) == line
    assert refused(capsys, tmp_path / "absent") == f"{tmp_path / 'absent'}: no such folder"
    assert main(["leaderboard", "--out", str(tmp_path / "out")]) == 2


def test_scores_of_before_benchmarks_were_known_are_left_out_by_name(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = json.loads(to_json(scores(0.9, None)))
    assert "benchmark" not in old
    del old["schema"]
    path = tmp_path / "old" / "scores.json"
    path.parent.mkdir()
    path.write_text(json.dumps(old))
    said = refused(capsys, path.parent)
    assert said.startswith(f"{path}: not of a known benchmark; `scenes benchmark` makes")
    write("new", 0.6)
    board = leaderboard([tmp_path])
    assert board.left_out == (f"{path}: not of a known benchmark",)
    assert len(board.tables[0].standings) == 1


def test_a_file_without_scores_is_left_out_by_name(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("none", 0.5, metrics={})
    said = refused(capsys, path.parent)
    assert said.startswith(f"{path}: holds no scores; `scenes benchmark` makes")
    write("some", 0.5)
    assert leaderboard([tmp_path]).left_out == (f"{path}: holds no scores",)


def test_two_numbers_of_scenes_never_stand_in_one_table(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("r/a", 0.6)
    write("r/b", 0.7, scenes_of(rows=10_000), n=10_000)
    assert "10,000 scenes of rooms_test, but 320 in" in refused(capsys, tmp_path / "r")


def test_one_seed_with_two_scores_is_refused(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("r/m/seed0/a", 0.6)
    write("r/m/seed0/b", 0.7)
    said = refused(capsys, tmp_path / "r")
    assert "'m', seed 0 as in" in said
    assert said.endswith("with other scores; seeds lie in folders MODEL/seed0, MODEL/seed1")
    write("u/a", 0.6)
    write("u/b", 0.7)
    assert "'mine', the same seed as in" in refused(capsys, tmp_path / "u")


def test_one_training_under_two_seeds_is_refused(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("r/m/seed0/a", 0.6)
    write("r/m/seed1/a", 0.6)
    assert "one training counted as seeds 0 and 1 of 'm'" in refused(capsys, tmp_path / "r")


def test_one_of_several_seeds_without_a_number_is_refused(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("r/m/seed0/a", 0.6, name="m")
    write("r/other", 0.7, name="m")
    assert "one of 2 trainings of 'm', and no folder seedN says" in refused(capsys, tmp_path / "r")


def test_an_undefined_score_is_read_and_counted_for_nothing(write: Write, tmp_path: Path) -> None:
    write("r/m/seed0/a", math.nan)
    write("r/m/seed1/a", 0.7)
    path = tmp_path / "r/m/seed0/a/scores.json"
    path.write_text(path.read_text().replace('"mean": null', '"mean": NaN'))
    (table,) = leaderboard([tmp_path / "r"]).tables
    score = table.standings[0].scores["ari_fg"]
    assert (score.mean, score.count) == (0.7, 1)
    assert len(table.standings[0].seeds) == 2


def test_other_pixels_within_bounds_stand_beside_and_are_told(write: Write, tmp_path: Path) -> None:
    write("r/a", 0.6, name="a")
    write("r/b", 0.7, replace(scenes_of(), pixels="f" * 64, exact=False), name="b")
    (table,) = leaderboard([tmp_path / "r"]).tables
    assert table.drawings == {scenes_of().pixels: True, "f" * 64: False}


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/r/model/seed0/scores.json", ("model", 0)),
        ("/r/model/Seed_12/rooms/deeper/scores.json", ("model", 12)),
        ("/r/seed1/model/seed-2/scores.json", ("model", 2)),
        ("/r/model/seedling/scores.json", ("own", None)),
        ("/seed0/scores.json", ("own", None)),
        ("/r/m\udcff/seed0/scores.json", ("m\\xff", 0)),
    ],
)
def test_folders_say_whose_scores_they_are(path: str, named: tuple[str, int | None]) -> None:
    assert whose(Path(path), "own") == named
