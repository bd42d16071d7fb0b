"""tools/gpu: its dry run on an interpreter that lacks what a bare machine lacks, and its parts."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monet import cli
from monet.config import LossConfig
from monet.config_file import read_config, save_config
from monet.convolution import DoublingConv2d
from monet.model import Monet
from monet.presets import PRESETS
from monet.training.learner import Learner
from monet.training.mean_loss import MeanLoss
from monet.training.processes import Ranks
from monet.training.run_log import METRICS
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.render.examination import Examination

ROOT = Path(__file__).resolve().parent.parent
GPU = ROOT / "tools" / "gpu"
OWN = ("scenes", "monet", "evaluation", "_editable", "__editable__")


@pytest.fixture(autouse=True)
def _tools_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (ROOT / "tools" / "bench", ROOT / "tools"):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tools"))  # for what renders


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder in which the dry run's scenes stay."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory, work: Path) -> Path:
    """Returns the results of a dry run by an interpreter in which this project is not installed."""
    site = tmp_path_factory.mktemp("site")
    for place in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not place.name.startswith(OWN) and place.suffix != ".pth":
            (site / place.name).symlink_to(place)
    out = tmp_path_factory.mktemp("out") / "gpu"
    done = subprocess.run(
        [
            sys._base_executable,
            GPU,
            "--dry",
            "--minutes",
            "2",
            "--out",
            out,
            "--work",
            work,
        ],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no TensorBoard events: tensorboard is not installed" in done.stderr
    assert done.stdout.splitlines() == (out / "report.txt").read_text().splitlines()
    return out


@pytest.mark.slow  # a dry run takes a minute or two
def test_a_dry_run_does_every_part_and_lists_what_it_did_not_run(dry: Path) -> None:
    report = (dry / "report.txt").read_text()
    table, not_run = report.split("\n\n")[-2:]
    parts = ["1 rendering", "2 compiling", "2 steps", "3 losses", "4 training"]
    assert [line[:11].strip() for line in table.splitlines()] == parts
    assert all(" done " in line for line in table.splitlines())
    assert not_run.startswith("not run:\n")
    for words in ("CUDA graphs", "Inductor", "max-autotune", "kernels", "TF32"):
        assert words in not_run
    for form in ("eager", "graph and compile", "by nearest", "by pixel shuffle", "cast once"):
        assert f"{form}" in report
    assert "floor: " in report
    assert "one last bit" in report


@pytest.mark.slow  # a dry run takes a minute or two
def test_a_dry_run_leaves_at_most_eight_files_of_at_most_16_mb(dry: Path) -> None:
    files = {str(path.relative_to(dry)): path for path in dry.rglob("*") if path.is_file()}
    names = ("config.json", "decomposition.png", "metrics.jsonl", "model.safetensors", "state.pt")
    assert set(files) == {"report.txt", "results.json", *(f"run/{name}" for name in names)}
    assert all(path.stat().st_size < 16 << 20 for path in files.values())


@pytest.mark.slow  # a dry run takes a minute or two
def test_results_hold_the_numbers_of_the_report(dry: Path) -> None:
    results = json.loads((dry / "results.json").read_text())
    assert [row["outcome"] for row in results["parts"]] == ["done"] * 5
    rates = results["steps_a_second"]
    assert len(rates) == 6
    assert all(len(windows) == 3 and min(windows) > 0 for windows in rates.values())
    assert 0 < len(results["kernels"]) <= 20
    assert results["floor_s"] > 0
    losses = results["losses"]["means"]
    assert len(losses) == 2
    assert all(row[0] != row[1] for row in losses)  # bfloat16 is another arithmetic
    assert len(results["metrics"]) == 2
    assert "ari_fg" in results["metrics"][-1]


@pytest.mark.slow  # a dry run takes a minute or two
def test_monet_train_goes_on_with_what_was_saved(
    dry: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpu_parts.scale import Scale

    run = tmp_path / "run"
    run.mkdir()
    for path in (dry / "run").iterdir():
        (run / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(work)  # where data/objects_room/train.h5 is
    flags = f"--preset fast {Scale.toy().flags} --steps 22 --log-every 1"
    assert cli.main([*flags.split(), "--run", str(run)]) == 0
    steps = [json.loads(line)["step"] for line in (run / METRICS).read_text().splitlines()]
    assert steps == [5, 10, 10, 15, 20, 20, 21, 22, 22]


@pytest.mark.slow  # a dry run takes a minute or two
def test_a_later_run_goes_on_with_what_was_saved(dry: Path, work: Path, tmp_path: Path) -> None:
    from gpu_parts.report import Report
    from gpu_parts.scale import Scale
    from gpu_parts.training import check_out, origin, train

    begin = origin("fast", str(dry / "run"), Scale.toy())
    check_out(dry, begin)
    begin = replace(begin, config=replace(begin.config, steps=23))
    report = Report(tmp_path, time.monotonic())
    said = train(begin, 2, work, tmp_path, report, time.monotonic() + 600)
    assert said.startswith("23 of 23 steps, held-out ari_fg ")
    assert "from step 20, " in (tmp_path / "report.txt").read_text()
    with pytest.raises(UsageError, match="holds a run: --from"):
        check_out(dry, origin("fast", None, Scale.toy()))


@pytest.mark.slow  # half a dry run; minutes, where the CPU has no bfloat16
def test_where_nothing_draws_the_parts_that_need_no_scenes_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpu_parts import session, stepping
    from gpu_parts.report import Report
    from gpu_parts.scale import Scale
    from gpu_parts.training import origin

    monkeypatch.setattr(session, "DRAWING", {})
    monkeypatch.setattr(stepping, "VARIANTS", stepping.VARIANTS[:1])
    scale = Scale.toy()
    report = Report(tmp_path, time.monotonic())
    begin = origin("quick", None, scale)
    assert not session.Session(scale, 2, begin, tmp_path, report).run()
    assert [row.outcome for row in report.rows] == ["FAILED", "done", "done", "done", "FAILED"]
    text = (tmp_path / "report.txt").read_text()
    assert "the pictures that ship stand for them" in text
    assert "CommandError: nothing draws here" in text
    assert "Traceback" in text


def test_colours_are_taken_where_only_they_are_right(tmp_path: Path) -> None:
    from gpu_parts.bulk import Bulk
    from gpu_parts.rendering import Way, choose_way, render

    right = Examination(
        "osmesa", "none", equal=1.0, equal_inside=1.0, depth_error_m=0.0, image_difference=0.0
    )
    lies = replace(right, gl="egl", equal=0.9, equal_inside=0.99, image_difference=0.5)
    silent = Examination("egl", "none", failure="it cannot be started", started=False)
    also_right = replace(right, gl="egl")
    rates = {"egl": 900.0, "osmesa": 400.0}
    assert choose_way({"egl": also_right, "osmesa": right}, rates) == Way("egl", by_rays=False)
    assert choose_way({"egl": lies, "osmesa": right}, rates) == Way("osmesa", by_rays=False)
    assert choose_way({"egl": lies}, {}) == Way("egl", by_rays=True)
    assert choose_way({"egl": silent}, {}) is None
    out = tmp_path / "rooms.h5"
    render(Bulk("osmesa", True, 32, 4, 1, str(out)), time.monotonic() + 600)
    with SceneFile(out) as file:
        assert json.loads(file.attributes["provenance"])["segmentation"] == "rays"


@pytest.mark.slow
def test_scenes_that_are_there_when_time_is_over_make_a_smaller_file(tmp_path: Path) -> None:
    from gpu_parts.bulk import Bulk
    from gpu_parts.rendering import Rendering, RenderingError

    out = tmp_path / "rooms.h5"
    rendering = Rendering(Bulk("osmesa", False, 16, 1_000_000, 1, str(out)))
    parts = tmp_path / "rooms.h5.parts"
    while len(list(parts.glob("*-*.h5"))) < 2:
        assert not rendering.wait(0.1)
    with rendering.paused():
        there = sorted(parts.iterdir())
        time.sleep(1)
        assert sorted(parts.iterdir()) == there
    n = rendering.finish(time.monotonic())
    assert n >= 1024
    with SceneFile(out) as file:
        assert file.n == n
    with pytest.raises(RenderingError, match="MUJOCO_GL must be"):
        Rendering(Bulk("nothing", False, 16, 8, 1, str(tmp_path / "b.h5"))).wait(60)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_one_last_bit_is_changed_where_it_changes_the_loss(
    memory_format: torch.memory_format,
) -> None:
    from gpu_parts.losses import change_last_bit
    from gpu_parts.scale import Scale

    learner = Learner(Scale.toy().measured(), Ranks())
    learner.model.to(memory_format=memory_format)
    image = torch.rand(8, 3, 16, 16)
    before = learner.model(image).components
    change_last_bit(learner)
    assert not torch.equal(learner.model(image).components, before)


@pytest.mark.parametrize("way", ["by_nearest", "by_pixel_shuffle"])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1), (3, 2)])
def test_every_way_of_doubling_is_the_packages(way: str, height: int, width: int) -> None:
    from gpu_parts import doubling

    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((2, 5, height, width), (2, 3, 2 * height, 2 * width), (7, 8, 3, 3))
    ]
    conv = DoublingConv2d(8, 7, 3, padding=1, bias=False).double()
    conv.weight = torch.nn.Parameter(inputs[2].detach())
    inputs[2] = conv.weight
    ours, theirs = conv(*inputs[:2]), getattr(doubling, way)(*inputs)
    torch.testing.assert_close(theirs, ours, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(out.square().sum(), inputs) for out in (ours, theirs)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-11, atol=1e-11)


def test_weights_cast_once_are_the_same_loss_and_gradients() -> None:
    from gpu_parts.forms import CastOnce

    config = replace(PRESETS["quick"].model, image_size=16)
    torch.manual_seed(0)
    model = Monet(config)
    image, noise = torch.rand(2, 3, 16, 16), torch.randn(2, config.num_slots, config.latent_dim)
    made = []
    for loss in (MeanLoss(model, LossConfig()), CastOnce(model, LossConfig())):
        model.zero_grad()
        means = loss(image, noise, None)
        means[0].backward()
        made.append((means, [p.grad for p in model.parameters()]))
    torch.testing.assert_close(made[1], made[0])


def test_in_bfloat16_weights_cast_once_stay_near() -> None:
    from gpu_parts.forms import CastOnce

    config = replace(PRESETS["quick"].model, image_size=16)
    torch.manual_seed(0)
    model = Monet(config)
    image, noise = torch.rand(2, 3, 16, 16), torch.randn(2, config.num_slots, config.latent_dim)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        ours, theirs = (
            kind(model, LossConfig())(image, noise, None)[0] for kind in (MeanLoss, CastOnce)
        )
    torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=0)


def test_a_worker_that_fails_dies_or_is_silent_is_an_error_with_a_reason() -> None:
    from gpu_parts import worker
    from gpu_parts.rendering import draw_when_asked

    soon = time.monotonic() + 600
    failing = worker.Worker("failing", draw_when_asked, "osmesa", 15)
    said = "failing: ValueError: --size must be even, from 16 to 512, got 15"
    with pytest.raises(worker.WorkerError, match=said) as error:
        failing.answer(soon)
    assert "Traceback" in error.value.__notes__[0]
    drawing = worker.Worker("osmesa", draw_when_asked, "osmesa", 32)
    assert drawing.answer(soon) == "ready"
    with pytest.raises(worker.WorkerError, match="osmesa: no answer in the time there was"):
        drawing.answer(time.monotonic())
    drawing._process.kill()
    with pytest.raises(worker.WorkerError, match="osmesa: the process died, exit code -9"):
        drawing.answer(soon)
    worker.end([failing, drawing])


@pytest.mark.slow  # a dry run takes a minute or two
def test_a_state_whose_data_are_one_machines_own_is_refused(dry: Path, tmp_path: Path) -> None:
    from gpu_parts.scale import Scale
    from gpu_parts.training import origin

    run = tmp_path / "run"
    run.mkdir()
    save_config(run, replace(read_config(dry / "run"), data=Path("/far/away.h5")))
    (run / "state.pt").write_bytes((dry / "run" / "state.pt").read_bytes())
    with pytest.raises(CommandError, match=r"learns from /far/away\.h5, which is only its"):
        origin("fast", str(run), Scale.toy())
    weights = origin("fast", str(dry / "run" / "model.safetensors"), Scale.toy())
    assert weights.config.init_from == str(dry / "run" / "model.safetensors")


def test_an_interpreter_without_packages_is_told_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys._base_executable, "-S", GPU, "--dry", "--out", tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("tools/gpu: cattrs, h5py, jaxtyping, mujoco, numpy, PyOpenGL")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--dry", "--recipe", "huge"], "--recipe must be one of paper, quick, fast, got 'huge'"),
        (["--dry", "--minutes", "1"], "--minutes must be at least 2, got 1"),
        (["--dry", "--from", "nowhere"], "nowhere: no such run folder"),
        (["--minutes", "9"], "torch finds no GPU here; --dry does what a CPU can"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line(
    flags: list[str], said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, GPU, *flags, "--out", tmp_path / "out"], capture_output=True, text=True
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"tools/gpu: {said}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
