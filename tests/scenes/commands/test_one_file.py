"""Commands that take one file say so where there are more, and change nothing."""

from pathlib import Path

import pytest
from scenes.cli import main
from scenes.driver import build
from scenes.objects_room.config import ObjectsRoomConfig


@pytest.mark.parametrize("command", ["export", "show", "verify"])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "got none"),
        (["a", "b", "c"], "got 3: a, b, c; call it once for each"),
        (list("abcdef"), "got 6: a, b, c, d, ...; call it once for each"),
    ],
)
def test_several_files_are_counted(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    files: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, *files]) == 2
    assert capsys.readouterr().err == f"scenes: scenes {command} takes one file, {said}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_import_takes_several_files_and_needs_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That they must be of one kind: tests/scenes/formats/test_importing.py."""
    monkeypatch.chdir(tmp_path)
    assert main(["import"]) == 2
    assert capsys.readouterr().err == "scenes: scenes import takes files, got none\n"
    assert main(["import", "a", "b", "c"]) == 1
    assert capsys.readouterr().err == "scenes: a: no such file or directory\n"
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_names_the_other_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "rooms.h5"
    build(ObjectsRoomConfig(size=32), n=1, seed=0, out=path, workers=1)
    assert main(["export", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"scenes: {path}: image: objects_room is 64 x 64 there, got (32, 32); "
        "the other format is --format object-centric-library\n"
    )
    assert main(["export", str(path), "--format", "object-centric-library"]) == 0
