"""`monet-train`: what it prints, and one clear line for each mistake."""

import re
from pathlib import Path

import h5py
import pytest
import torch
from monet.cli import duration, main, seconds
from monet.config_file import read_config
from monet.training.state import read_state
from terminals import on_a_terminal


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


QUICK = ("--preset", "quick")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--preset", "slow"), "no preset 'slow'; there are paper, paper-multi-dsprites, paper-cl"),
        ((*QUICK, "--num-slots", "1"), "num_slots must be at least 2, got 1"),
        ((*QUICK, "--image-size", "40"), "image_size must be a multiple of 16, which encoder_chan"),
        ((*QUICK, "--steps", "0"), "steps must be at least 1, got 0"),
        ((*QUICK, "--finish-in", "9x"), "--finish-in takes a duration such as 90s, 9m or 2h, got"),
        ((*QUICK, "--finish-in", "9m", "--steps", "5"), "--finish-in and --steps exclude each"),
        ((*QUICK, "--finish-in", "9m", "--stop-after", "9m"), "--finish-in and --stop-after excl"),
        ((*QUICK, "--finish-in", "9m", "--stop_after", "9m"), "--finish-in and --stop-after excl"),
        ((*QUICK, "--stop-after", "9x"), "--stop-after takes a duration such as 90s, 9m or 2h, g"),
        ((*QUICK, "--data", "none.h5"), "none.h5: no such file; scenes render makes one"),
        (
            (*QUICK, "--masks", "element", "--posterior-weight", "1"),
            "posterior_weight needs an attention to teach: not masks element",
        ),
        ((*QUICK, "--run", ""), "--run is empty; name a folder, or leave it out for runs/NAME"),
        ((*QUICK, "--stop-after", "9" * 400 + "s"), "--stop-after takes a duration such as 90s"),
        ((*QUICK, "--stop-after", "0s"), "--stop-after takes a duration such as 90s"),
        ((*QUICK, "--data", ""), "data must be a file, got an empty path"),
        ((*QUICK, "--data", "a\0b"), "data must be 1 to 4,096 printable characters, got 'a\\x00b'"),
        ((*QUICK, "--init-from", ""), "init_from must be 1 to 4,096 printable characters, got ''"),
        ((*QUICK, "--name", ""), "name must be 1 to 4,096 printable characters, got ''"),
        ((*QUICK, "--sigma-bg", "nan"), "sigma_bg must be a finite number, got nan"),
        ((*QUICK, "--gamma", "-1"), "gamma must be at least 0, got -1.0"),
        ((*QUICK, "--learning-rate", "inf"), "learning_rate must be a finite number, got inf"),
        ((*QUICK, "--seed", "-1"), "seed must be at least 0, got -1"),
        ((*QUICK, "--steps", "1" + "0" * 30), "steps must be at most 1,000,000,000,000,000, got 1"),
        ((*QUICK, "--unet-channels", "0"), "unet_channels must be at least 1, got 0"),
        ((*QUICK, "--data", "/dev/zero"), "/dev/zero: "),
        ((*QUICK, "--name", "../a"), "name must be the name of one folder, without slashes, got"),
        ((*QUICK, "--optimiser", "sgd"), "invalid choice 'sgd' for argument '--optimiser'"),
        ((*QUICK, "--device", "cuda"), "--device cuda: PyTorch finds no CUDA GPU here; --device"),
        ((*QUICK, "--device", "mps"), "--device mps: PyTorch finds no Apple GPU here; --device"),
        ((*QUICK, "--device", "tpu"), "invalid choice 'tpu' for argument '--device'"),
        (("--frobnicate",), "Unrecognized options: --frobnicate"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("monet-train: ")
    assert line in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_foreign_and_half_written_files_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    names = ("foreign", "half", "blind", "cut")
    foreign, half, blind, cut = (tmp_path / f"{name}.h5" for name in names)
    with h5py.File(foreign, "w") as file:
        file["image"] = [1, 2, 3]
    for path in (half, blind):
        path.write_bytes(rooms_file.read_bytes())
    with h5py.File(half, "r+") as file:
        file.attrs["complete"] = False
    with h5py.File(blind, "r+") as file:
        del file["image"]
    cut.write_bytes(rooms_file.read_bytes()[:5000])
    run_folder = str(tmp_path / "run")
    for path, reason in (
        (foreign, "no attribute 'schema': not a file of this project"),
        (half, "half-written; run the command that made it again"),
        (blind, "image: missing"),
        (cut, "not a readable HDF5 file, or cut short"),
    ):
        code, _, err = run(capsys, *QUICK, "--data", str(path), "--run", run_folder)
        assert (code, err) == (2, f"monet-train: {path}: {reason}\n")
    code, _, err = run(
        capsys, *QUICK, "--data", str(rooms_file), "--run", run_folder, "--batch-size", "128"
    )
    assert (code, err) == (
        2,
        f"monet-train: {rooms_file}: 384 images are too few: 320 are held "
        "out for scores and a batch takes 128; it needs 448, or fewer of either "
        "(--held-out, --batch-size)\n",
    )
    assert not (tmp_path / "run").exists()


def test_it_says_how_long_it_takes_and_then_trains(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    arguments = (*QUICK, "--data", str(rooms_file), "--run", str(tmp_path / "run"))
    code, out, _ = run(capsys, *arguments, "--steps", "2")
    assert code == 0
    first, last = out.splitlines()
    assert first.startswith("quick: 2 steps at ")
    assert re.search(
        r"(steps a second|s a step) on this cpu \(no GPU that PyTorch finds\), scored once in ",
        first,
    )
    assert last == f"{tmp_path / 'run'}: 2 of 2 steps"
    code, out, _ = run(capsys, *arguments, "--steps", "2")
    assert (code, out) == (0, f"{tmp_path / 'run'}: all 2 steps are made; --steps asks for more\n")


def test_finish_in_makes_the_steps_that_fit_and_ends_the_schedule(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    folder = tmp_path / "run"
    arguments = (*QUICK, "--data", str(rooms_file), "--run", str(folder), "--batch-size", "2")
    reached = 0
    for _ in range(2):  # the second goes on for as long again
        code, out, _ = run(capsys, *arguments, "--finish-in", "5s")
        assert code == 0
        planned = read_config(folder).steps
        assert f" of {planned:,} step" in out
        assert planned > reached
        reached = read_state(folder).step
        assert reached == planned


@pytest.mark.slow
def test_a_run_goes_on_on_the_device_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    folder = tmp_path / "run"
    arguments = (*QUICK, "--data", str(rooms_file), "--run", str(folder), "--batch-size", "2")
    assert run(capsys, *arguments, "--steps", "1")[0] == 0
    code, out, _ = run(capsys, *arguments, "--steps", "2", "--device", "cpu")
    assert code == 0
    assert " on this cpu (--device cpu), scored once in " in out
    assert read_state(folder).step == 2


@pytest.mark.slow
def test_a_terminal_shows_what_takes_long(tmp_path: Path, rooms_file: Path) -> None:
    command = ["monet-train", *QUICK, "--data", str(rooms_file), "--run", "run", "--steps", "3"]
    shown = on_a_terminal([*command, "--batch-size", "2"], tmp_path)
    for words in (r"starting ", r"measuring the pace ", r"quick .* 3/3", r"scores .* [0-9]+/328"):
        assert re.search(words, shown), words


def test_paper_on_a_cpu_suggests_quick(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rooms_file: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here, where the paper's preset is the right one")
    arguments = ("--data", str(rooms_file), "--run", str(tmp_path / "run"), "--batch-size", "2")
    code, out, _ = run(
        capsys,
        *arguments,
        "--image-size",
        "32",
        "--unet-channels",
        "8",
        "8",
        "8",
        "--steps",
        "1000000000",
        "--stop-after",
        "1s",
    )
    assert code == 0
    assert "on a CPU, --preset quick learns a small model in minutes" in out


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    shown = "--preset --data --run --steps --stop-after --finish-in --seed --num-slots"
    for flag in shown.split():
        assert flag in out


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("9m", 540), ("1.5h", 5400)])
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text, "--stop-after") == expected


@pytest.mark.parametrize(
    ("value", "text"), [(40, "40 s"), (540, "9 min"), (9000, "2.5 h"), (1_123_200, "13 days")]
)
def test_durations_are_written(value: float, text: str) -> None:
    assert duration(float(value)) == text
