"""JSON that anybody may have written is read, or refused in one line that names the file."""

import json
import math
import os
import re
from pathlib import Path

import pytest
from evaluation import json_files
from evaluation.json_files import parse_json, read_json
from scenes.command_line import CommandError


def refused(path: Path) -> str:
    with pytest.raises(CommandError) as caught:
        read_json(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"{", "is no JSON"),
        (b"", "is no JSON"),
        (b"\xff\xfe{}", "is no UTF-8"),
        (b"[" * 100_000, "has more than 64 levels"),
        (b"[" * 100_000 + b"]" * 100_000, "has more than 64 levels"),
        (b"[" * 65 + b"]" * 65, "has more than 64 levels"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "has more than 64 levels"),
        (b'{"mean": 1e999}', "holds a number beyond 1e+100"),
        (b'{"mean": 1' + b"0" * 4000 + b"}", "holds a number beyond 1e+100"),
        (b'{"mean": 1' + b"0" * 9000 + b"}", "is no JSON"),
        (b'{"name": "\\ud800"}', "holds half a character (a lone surrogate)"),
        (b'{"\\udfff": 1}', "holds half a character (a lone surrogate)"),
    ],
)
def test_what_is_none_or_too_much_is_refused(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    assert refused(path) == line


def test_only_regular_files_of_a_bounded_size_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(tmp_path / "absent") == "no such file"
    assert refused(tmp_path) == "is no regular file"
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == "is no regular file"
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no place
    assert refused(tmp_path / "large").startswith("has 1,099,511,627,776 bytes; at most ")
    monkeypatch.setattr(json_files, "MOST_BYTES", 3)
    (tmp_path / "four").write_text("1234")
    assert refused(tmp_path / "four") == "has 4 bytes; at most 3 are read"


def test_what_is_json_is_read_and_undefined_numbers_are_nan(tmp_path: Path) -> None:
    content = {"a": [1, 2.5, None, True, "\U0001f600", {"b": {}}]}
    (tmp_path / "a").write_text(json.dumps(content))
    assert read_json(tmp_path / "a") == content
    assert all(math.isnan(value) for value in parse_json("[NaN, Infinity, -Infinity]", "a"))
    with pytest.raises(CommandError, match=re.escape("log: line 3: is no JSON")):
        parse_json("nonsense", "log: line 3")
