"""Results as data: written and read without a loss, and refused with the key."""

import json
import math
from pathlib import Path

import pytest
from evaluation.scores.result_files import from_content, from_json, to_json, write_result
from evaluation.scores.results import (
    Dci,
    FileScores,
    ModelIdentity,
    Predicted,
    Representation,
    Statistic,
)

HALF = Statistic(mean=0.5, sem=0.01, low=0.46, high=0.52, count=20)
NONE = Statistic(mean=math.nan, sem=math.nan, low=math.nan, high=math.nan, count=0)
SCORES = FileScores(
    checkpoint=ModelIdentity("runs/x/model.safetensors", "x", 1200),
    predictions=None,
    data="rooms.h5",
    n=20,
    num_slots=7,
    metrics={"ari": HALF, "ari_fg": NONE},
    baselines={"one slot": {"ari": NONE}},
)


def test_what_is_undefined_is_null_in_the_file_and_nan_in_the_result() -> None:
    content = json.loads(to_json(SCORES))
    assert content["metrics"]["ari_fg"] == {
        "mean": None,
        "sem": None,
        "low": None,
        "high": None,
        "count": 0,
    }
    read = from_json(to_json(SCORES))
    assert isinstance(read, FileScores)
    assert math.isnan(read.metrics["ari_fg"].mean)
    assert read.metrics["ari"] == HALF
    assert to_json(read) == to_json(SCORES)


def test_the_schema_is_written_and_files_without_it_are_read() -> None:
    content = json.loads(to_json(SCORES))
    assert content.pop("schema") == 1
    assert to_json(from_content(content)) == to_json(SCORES)


def test_each_kind_has_its_file(tmp_path: Path) -> None:
    representation = Representation(
        checkpoint=ModelIdentity(None, "mine", None),
        whole_image=None,
        data="rooms.h5",
        n=3,
        objects={"slots": 4},
        properties={"slots": {"shape": Predicted(0.5, math.nan, 0.25)}},
        dci={"slots": Dci(0.1, 0.2, math.nan)},
    )
    assert write_result(SCORES, tmp_path) == tmp_path / "scores.json"
    path = write_result(representation, tmp_path)
    assert path == tmp_path / "representation.json"
    read = from_json(path.read_text())
    assert isinstance(read, Representation)
    assert read.properties["slots"]["shape"].linear == 0.5
    assert math.isnan(read.dci["slots"].informativeness)
    assert json.loads(path.read_text())["checkpoint"] == {
        "path": None,
        "name": "mine",
        "step": None,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "has schema 2; this version reads schema 1"),
        ({"beauty": 1}, "beauty"),
        ({"n": "many"}, r"expected int, got str.*n"),
        ({"n": 3.5}, r"expected int, got float.*n"),
        ({"n": True}, r"expected int, got bool.*n"),
        ({"data": 3}, r"expected str, got int.*data"),
        ({"metrics": {"ari": {"mean": "1"}}}, "expected a number, got str"),
        ({"metrics": []}, "metrics"),
    ],
)
def test_other_content_is_refused_with_its_key(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_content({**json.loads(to_json(SCORES)), **change})


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(ValueError, match="is no JSON"):
        from_json("{")
    with pytest.raises(
        ValueError, match="has none of conditions, metrics, dci, ranked, tables: no"
    ):
        from_json("[]")
    for content in ("3", "null", '"metrics"', '{"metrics": 1}', '{"conditions": {}, "dci": 1}'):
        with pytest.raises(ValueError, match=r"has none of|required field missing"):
            from_json(content)


def test_a_representation_without_rows_or_with_others_is_refused() -> None:
    content = {
        "checkpoint": {"path": None, "name": "mine", "step": None},
        "whole_image": None,
        "data": "d.h5",
        "n": 3,
        "objects": {"slots": 4},
        "properties": {"slots": {"shape": {"linear": 1, "mlp": 1, "chance": 0}}},
        "dci": {"slots": {"disentanglement": 1, "completeness": 1, "informativeness": 1}},
    }
    assert isinstance(from_content(content), Representation)
    for change in ({"properties": {}}, {"objects": {}}, {"properties": {"slots": {}}}, {"dci": {}}):
        with pytest.raises(ValueError, match="must be of the same"):
            from_content({**content, **change})
