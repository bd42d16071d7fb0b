"""What a command shows while it works: a bar on a terminal, nothing elsewhere."""

import re
import subprocess
from pathlib import Path

import pytest
from rich.progress import Progress
from scenes.driver import build
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.progress import SPEED_S, RateColumn, counting, in_turn, progress_bar
from terminals import on_a_terminal

N = 40
EXPORTS = {
    "tfrecord": "sprites.tfrecords",
    "object-centric-library": "sprites-ocl.hdf5",
    "parquet": "sprites_parquet",
    "webdataset": "sprites_webdataset",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of sprites and of the same as a TFRecord."""
    folder = tmp_path_factory.mktemp("progress")
    build(MultiDSpritesConfig(), n=N, seed=0, out=folder / "sprites.h5", workers=1)
    subprocess.run(["scenes", "export", folder / "sprites.h5"], check=True)
    return folder


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["verify", "sprites.h5", "--n", "0"], f"verifying .*{N}/{N}"),
        *(
            (
                ["export", "sprites.h5", "--format", name, "--out", f"again-{out}"],
                f"exporting .*{N}/{N}",
            )
            for name, out in EXPORTS.items()
        ),
        (["import", "sprites.tfrecords", "--out", "again.h5"], rf"counting records .*{N}/\?"),
    ],
    ids=["verify", *(f"export {name}" for name in EXPORTS), "import"],
)
def test_what_goes_through_a_file_row_by_row_shows_how_far_it_is(
    folder: Path, command: list[str], shown: str
) -> None:
    assert re.search(shown, on_a_terminal(["scenes", *command], folder))


def test_nothing_is_shown_where_there_is_no_terminal(folder: Path) -> None:
    command = ["scenes", "verify", str(folder / "sprites.h5"), "--n", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_work_within_work_adds_its_bar_below_and_takes_it_away() -> None:
    with progress_bar() as outer:
        outer.add_task("outer", total=2, note="")
        with counting("inner", 3) as advance:
            advance(3)
            assert [task.description for task in outer.tasks] == ["outer", "inner"]
        for name in in_turn("names", ["a", "b"]):
            last = outer.tasks[-1]
            assert (last.description, last.fields["note"]) == ("names", name)
        assert [task.description for task in outer.tasks] == ["outer"]
    with progress_bar() as another:
        assert another is not outer
        assert another.tasks == []


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.25, "4.0/s"), (1.0, "1.0/s"), (48.0, "48.0 s each")]
)
def test_what_takes_long_is_told_in_seconds_each(seconds: float, shown: str) -> None:
    now = 0.0
    bar = Progress(get_time=lambda: now, speed_estimate_period=SPEED_S)
    task = bar.add_task("steps", total=10)
    for step in range(1, 4):
        now = step * seconds
        bar.update(task, completed=step)
    assert RateColumn().render(bar.tasks[0]).plain == shown
    assert bar.tasks[0].time_remaining == pytest.approx(7 * seconds, abs=1)
