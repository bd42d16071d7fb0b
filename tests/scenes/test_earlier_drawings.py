"""Files of sprites of geometry 1, and of metal as it was before it had a version.

Both were written by version 0.2.0: 3 scenes of Multi-dSprites, one CLEVR-like scene.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import scenes
from scenes.cli import main
from scenes.file.schema import parts_folder
from scenes.identity import identity_of
from scenes.source_list import other_drawing

FOLDER = Path(__file__).with_name("earlier_drawings")
COMMANDS = {"sprites": ["sprites"], "clevr_like": ["clevr-like", "--max-objects", "3"]}
DRAWINGS = {
    "sprites": "drawn by another version (drawn, geometry 1; this one: drawn, geometry 2)",
    "clevr_like": "drawn by another version (materials without a version; this one: drawn, "
    "materials 2)",
}
WAYS_OUT = "--overwrite makes all scenes anew, another --out leaves these as they are"
ROWS = {"sprites": 3, "clevr_like": 1}


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def old(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copy(FOLDER / f"{name}.h5", tmp_path))


def command(name: str, n: int, out: Path) -> list[str]:
    return [*COMMANDS[name], "--n", str(n), "--workers", "1", "--out", str(out)]


def parts_of_an_earlier_version(name: str, out: Path) -> Path:
    """Leaves what that version left when it was killed before it joined its parts."""
    folder = parts_folder(out)
    folder.mkdir()
    with scenes.SceneFile(FOLDER / f"{name}.h5") as file:
        config, seed, rows = file.config, file.seed, file.n
        provenance = file.attributes["provenance"]
    shutil.copy(FOLDER / f"{name}.h5", folder / f"{0:010d}-{rows:010d}.h5")
    (folder / "build.json").write_text(identity_of(config, seed))
    mark = hashlib.sha256(provenance.encode()).hexdigest()[:16]
    (folder / f"renderer-{mark}.json").write_text(provenance)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_a_file_of_an_earlier_drawing_is_read(name: str, old: Path) -> None:
    with scenes.SceneFile(old) as file:
        assert len(file) == ROWS[name]
        assert file.masks(slice(None)).sum(axis=1).all()
        assert other_drawing(file.config, file.attributes["provenance"]) == DRAWINGS[name]


def test_verify_says_that_an_earlier_drawing_is_not_made_again(
    name: str, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = scenes.verify(old)
    assert (report.problems, report.remade, report.not_remade) == ((), (), DRAWINGS[name])
    assert main(["verify", str(old)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("checksums, counts, ranges and masks hold")
    assert lines[1:] == [f"made none again: {DRAWINGS[name]}"]


def test_verify_still_finds_damage_in_an_earlier_drawing(name: str, old: Path) -> None:
    whole = bytearray(old.read_bytes())
    whole[len(whole) // 2] ^= 1
    old.write_bytes(whole)
    assert scenes.verify(old).problems


def test_extending_an_earlier_drawing_is_refused_with_the_ways_out(
    name: str, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = old.read_bytes()
    assert main(command(name, ROWS[name] + 1, old)) == 2
    assert capsys.readouterr().err == f"scenes: {old}: {DRAWINGS[name]}; {WAYS_OUT}\n"
    assert [path.name for path in old.parent.iterdir()] == [old.name]
    assert old.read_bytes() == before


def test_an_earlier_drawing_with_all_that_is_asked_for_is_left_as_it_is(
    name: str, old: Path
) -> None:
    before = old.read_bytes()
    assert main(command(name, ROWS[name], old)) == 0
    assert old.read_bytes() == before


def test_parts_of_an_earlier_drawing_are_not_continued(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.h5"
    folder = parts_of_an_earlier_version(name, out)
    before = content(folder)
    for n in (ROWS[name], ROWS[name] + 1):
        assert main(command(name, n, out)) == 2
        assert capsys.readouterr().err == f"scenes: {folder}: {DRAWINGS[name]}; {WAYS_OUT}\n"
    assert content(folder) == before
    assert not out.exists()


def test_overwrite_makes_all_scenes_anew(name: str, tmp_path: Path) -> None:
    out, fresh = tmp_path / "a.h5", tmp_path / "fresh.h5"
    parts_of_an_earlier_version(name, out)
    shutil.copy(FOLDER / f"{name}.h5", out)
    assert main([*command(name, ROWS[name] + 1, out), "--overwrite"]) == 0
    assert main(command(name, ROWS[name] + 1, fresh)) == 0
    assert out.read_bytes() == fresh.read_bytes()
    assert scenes.verify(out).remade


def test_both_drawings_are_of_the_same_scenes(name: str, old: Path) -> None:
    fresh = old.with_name("fresh.h5")
    assert main(command(name, ROWS[name], fresh)) == 0
    with scenes.SceneFile(old) as before, scenes.SceneFile(fresh) as after:
        assert other_drawing(after.config, after.attributes["provenance"]) == ""
        for key in set(before.keys()) - {"image", "segmentation", "factors/visible_pixels"}:
            np.testing.assert_array_equal(before[key][:], after[key][:], err_msg=key)
        assert not np.array_equal(before["image"][:], after["image"][:])
