"""Splits: whose rows they are, that they verify, continue, and read as their origin does."""

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scenes
from scenes.cli import main
from scenes.command_line import CommandError, UsageError
from scenes.file.errors import FileError
from scenes.splits.splitting import rows_of

N = 100


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of sprites."""
    path = tmp_path_factory.mktemp("origin") / "sprites.h5"
    scenes.build(scenes.MultiDSpritesConfig(), n=N, seed=5, out=path, workers=1)
    return path


def check_rows(split: Path, origin: Path, rows: np.ndarray | list[int]) -> None:
    part, whole = scenes.SceneFile(split), scenes.SceneFile(origin)
    assert part.keys() == whole.keys()
    for key in whole.keys():  # noqa: SIM118
        np.testing.assert_array_equal(part[key][:], whole[key][:][rows])
        assert dict(part[key].attrs).keys() == dict(whole[key].attrs).keys()
    told = [(f.dataset, f.config, f.seed, f.entities, f.num_background) for f in (part, whole)]
    assert told[0] == told[1]
    assert part.identity != whole.identity
    report = scenes.verify(split, remade=3, source=origin)
    assert (report.problems, report.not_remade, len(report.remade)) == ((), "", min(3, len(rows)))


def test_the_last_rows_are_for_tests_and_the_rest_for_training(
    origin: Path, tmp_path: Path
) -> None:
    written = scenes.split(origin, test=20, validation=10, out=tmp_path, workers=1)
    assert {name: part.n for name, part in written.items()} == {
        "train": 70,
        "validation": 10,
        "test": 20,
    }
    rows = np.arange(N)
    check_rows(tmp_path / "sprites_train.h5", origin, rows[:70])
    check_rows(tmp_path / "sprites_validation.h5", origin, rows[70:80])
    check_rows(tmp_path / "sprites_test.h5", origin, rows[80:])


def test_a_seed_takes_rows_at_random_and_each_row_goes_into_one_split(
    origin: Path, tmp_path: Path
) -> None:
    def images(name: str, folder: Path) -> list[bytes]:
        path = folder / f"sprites_{name}.h5"
        return [image.tobytes() for image in scenes.SceneFile(path)["image"][:]]

    folders = [tmp_path / name for name in ("one", "same", "other")]
    for folder, seed, workers in zip(folders, (0, 0, 1), (1, 2, 1), strict=True):
        scenes.split(origin, test=30, validation=20, seed=seed, out=folder, workers=workers)
    names = ("train", "validation", "test")
    one, same, other = ([images(name, folder) for name in names] for folder in folders)
    assert [len(part) for part in one] == [50, 20, 30]
    assert one == same
    assert one[2] != other[2]
    everything = [image.tobytes() for image in scenes.SceneFile(origin)["image"][:]]
    assert sorted(image for part in one for image in part) == sorted(everything)
    assert one[2] == [image for image in everything if image in set(one[2])], "in rising order"
    for name in names:
        assert not scenes.verify(folders[0] / f"sprites_{name}.h5", source=origin).problems
    digests = {
        scenes.SceneFile(folder / "sprites_test.h5").attributes["sha256"] for folder in folders
    }
    assert len(digests) == 2, "the number of workers changes no byte"


def test_a_command_takes_counts_and_lists(
    origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [99, 0, 17, 18, 55]
    listed = tmp_path / "rows.json"
    listed.write_text(json.dumps(chosen))
    words = ["--test", str(listed), "--validation", "5", "--out", str(tmp_path), "--workers", "1"]
    assert main(["split", str(origin), *words]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/sprites_{name}.h5: {n} scenes"
        for name, n in (("train", 90), ("validation", 5), ("test", 5))
    ]
    check_rows(tmp_path / "sprites_test.h5", origin, sorted(chosen))
    check_rows(tmp_path / "sprites_validation.h5", origin, [94, 95, 96, 97, 98])


def test_the_same_command_again_changes_nothing_and_another_one_is_refused(
    origin: Path, tmp_path: Path
) -> None:
    scenes.split(origin, test=20, out=tmp_path, workers=1)
    split = tmp_path / "sprites_test.h5"
    before = split.stat().st_mtime_ns
    moved = tmp_path / "moved" / "sprites.h5"
    moved.parent.mkdir()
    shutil.copy(origin, moved)
    scenes.split(moved, test=20, out=tmp_path, workers=1)
    assert split.stat().st_mtime_ns == before, "a file is known by its content, not by its place"
    with pytest.raises(UsageError, match="exists and is something else; --overwrite replaces it"):
        scenes.split(origin, test=21, out=tmp_path, workers=1)
    scenes.split(origin, test=21, out=tmp_path, workers=1, overwrite=True)
    check_rows(split, origin, np.arange(79, N))
    with pytest.raises(UsageError, match="is something else"):
        scenes.build(scenes.MultiDSpritesConfig(), n=N, seed=5, out=split, workers=1)


@pytest.mark.slow
def test_an_interrupted_split_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = tmp_path / "many.h5"
    scenes.build(scenes.MultiDSpritesConfig(), n=1300, seed=0, out=origin, workers=1)
    from scenes.splits.source import SplitSource

    rows = SplitSource.rows
    calls = []

    def fails(self: SplitSource, numbers: range) -> dict[str, np.ndarray]:
        calls.append(numbers)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rows(self, numbers)

    monkeypatch.setattr(SplitSource, "rows", fails)
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        scenes.split(origin, test=100, seed=0, workers=1)
    assert not (tmp_path / "many_train.h5").exists()
    scenes.split(origin, test=100, seed=0, workers=1)
    assert "512 of 1,200 scenes are there" in capsys.readouterr().err
    assert len(calls) == 2 + 2 + 1
    report = scenes.verify(tmp_path / "many_train.h5", source=origin)
    assert (report.problems, report.rows) == ((), 1200)


def test_an_index_and_a_split_can_be_split(tmp_path: Path) -> None:
    origin = tmp_path / "rooms.h5"
    config = scenes.MultiDSpritesConfig("binarized", "test")
    scenes.build(config, n=40, seed=1, out=origin, workers=1, layout="parts")
    scenes.split(origin, test=16, workers=1)
    half = tmp_path / "rooms_test.h5"
    check_rows(half, origin, np.arange(24, 40))
    scenes.split(half, test=np.array([3]), workers=1)
    check_rows(tmp_path / "rooms_test_test.h5", half, [3])
    assert scenes.SceneFile(tmp_path / "rooms_test_test.h5").config == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": 0, "validation": 0, "seed": -1}, "--seed must be from 0 to 2^63 - 1, got -1"),
        ({"test": -1}, "--test must be from 0 to 100, got -1"),
        ({"test": 10**23}, "--test must be from 0 to 100, got 1000"),
        ({"test": 60, "validation": 41}, "--validation must be from 0 to 40, got 41"),
        ({"test": 60, "validation": 40}, "no scene of 100 is left for train"),
        ({"test": [3, 3]}, "--test: row 3 is chosen twice"),
        ({"test": [3], "validation": [3]}, "--validation: row 3 is chosen twice"),
        ({"test": [100]}, "a row of --test must be from 0 to 99, got 100"),
        ({"test": [-1]}, "a row of --test must be from 0 to 99, got -1"),
    ],
)
def test_rows_that_cannot_be_are_refused(origin, tmp_path, arguments, message) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        scenes.split(origin, **arguments, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "must be a list of the numbers of scenes"),
        ("[1,", "not JSON"),
        ("[1.5]", "a row of --test must be from 0 to 99, got 1.5"),
        ('["a"]', "a row of --test must be from 0 to 99, got 'a'"),
        ("[[1]]", "a row of --test must be from 0 to 99, got [1]"),
        ("\udcff", "decode"),
        (None, "neither a number nor a file"),
    ],
)
def test_a_list_that_is_none_is_one_line(origin, tmp_path, capsys, content, message) -> None:
    listed = tmp_path / "rows.json"
    if content is not None:
        listed.write_text(content, errors="surrogateescape")
    assert main(["split", str(origin), "--test", str(listed), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_what_is_no_number_is_the_name_of_a_file() -> None:
    with pytest.raises(UsageError, match=re.escape("--test --5: neither a number nor a file")):
        rows_of("--5", "test")


def test_damage_is_not_split(origin: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    shutil.copy(origin, damaged)
    with h5py.File(damaged, "r+") as file:
        file["num_objects"][50] = 7
    with pytest.raises((FileError, CommandError), match="rows 48 to 63 are not as written"):
        scenes.split(damaged, test=20, workers=1)
    assert not list(tmp_path.glob("*_t*.h5"))
    with h5py.File(damaged, "r+") as file:
        file.attrs["seed"] = 6
    with pytest.raises(FileError, match="are not as written"):
        scenes.split(damaged, test=20, workers=1)


def test_another_source_is_refused(origin: Path, tmp_path: Path) -> None:
    scenes.split(origin, test=20, out=tmp_path, workers=1)
    other = tmp_path / "other.h5"
    scenes.build(scenes.MultiDSpritesConfig(), n=N, seed=6, out=other, workers=1)
    with pytest.raises(UsageError, match=r"not what the scenes of .* were read from"):
        scenes.verify(tmp_path / "sprites_test.h5", source=other)
    unopened = scenes.verify(tmp_path / "sprites_test.h5")
    assert unopened.problems == ()
    assert "--source PATH is" in unopened.not_remade
