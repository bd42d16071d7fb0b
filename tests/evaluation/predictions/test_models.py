"""Any model: a file with a few lines of colour clustering goes wherever MONet goes."""

import json
import re
from pathlib import Path
from typing import Any

import evaluation
import h5py
import numpy as np
import pytest
import torch
from evaluation.cli import main
from evaluation.predictions.batches import predict
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import ModelOutput, read_output
from evaluation.predictions.model_code import load_model
from evaluation.predictions.models import scored_model
from monet import load
from monet.model import Monet
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile

COLOURS = '''
"""Divides pixels by hue: a model of a few lines."""

import numpy as np
from matplotlib.colors import rgb_to_hsv


class ByHue:
    name = "by hue"
    image_size = 32
    num_slots = 4

    def decompose(self, images, num_slots):
        hue = rgb_to_hsv(images / 255)[..., 0]
        slot = np.minimum((hue * num_slots).astype(int), num_slots - 1)
        return (slot[:, None] == np.arange(num_slots)[:, None, None]).astype(np.float32)


def by_hue():
    return ByHue()


def broken():
    raise RuntimeError("no weights here")


def nothing():
    return 3


class WrongShape(ByHue):
    def decompose(self, images, num_slots):
        return super().decompose(images, num_slots)[:, :, 0]


class WrongSum(ByHue):
    def decompose(self, images, num_slots):
        return 2 * super().decompose(images, num_slots)


class Silent:
    def decompose(self, images, num_slots):
        return ByHue().decompose(images, num_slots)


number = 5
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder with a file of models, made the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "colours.py").write_text(COLOURS)
    return tmp_path


def content_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_file_is_scored_with_any_model(
    place: Path, rooms_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["score", "--data", str(rooms_file), "--model", "colours.py:by_hue", "--n", "16"]
    assert main(arguments) == 0
    content = content_of(place / "results/score/by hue/train/scores.json")
    assert content["checkpoint"] == {"path": "colours.py:by_hue", "name": "by hue", "step": None}
    assert content["num_slots"] == 4
    assert content["refined"] is content["decoded_masks"] is None
    assert "mse" not in content["metrics"], "it reconstructs nothing"
    assert "\n by hue " in capsys.readouterr().out
    assert not list(place.rglob("decompositions*")), "nobody knows when its output changes"
    with h5py.File(rooms_file) as file:
        images = file["image"][:16]
    expected = evaluation.score(rooms_file, predict(load_model("colours.py:ByHue"), images), n=16)
    assert expected.metrics["ari"].mean == content["metrics"]["ari"]["mean"] > 0.2


def test_a_module_of_the_current_folder_counts(place: Path, rooms_file: Path) -> None:
    (place / "hues.py").write_text("from colours import by_hue\n")
    assert (
        main(
            [
                "score",
                "--data",
                str(rooms_file),
                "--model",
                "hues:by_hue",
                "--n",
                "4",
                "--no-baselines",
                "--slots",
                "6",
                "--out",
                "out",
            ]
        )
        == 0
    )
    assert content_of(place / "out/scores.json")["num_slots"] == 6


@pytest.mark.slow
def test_any_model_generalises_and_is_reported(
    place: Path, folder: Path, rooms_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model", "colours.py:by_hue", "--data-folder", str(folder)]
    assert main(["generalise", *common, "--n", "3", "--slots", "6"]) == 0
    printed = capsys.readouterr().out
    for words in ("by hue, 6 slots", "by hue, 4 slots as in training", " and by hue "):
        assert words in printed
    assert "MONet" not in printed
    assert "its refined masks" not in printed
    out = place / "results/generalise/by hue"
    assert (out / "decompositions.png").stat().st_size > 0
    content = content_of(out / "scores.json")
    assert content["checkpoint"]["trained_slots"] == 4
    assert content["refined"] == content["decoded_masks"] == {}
    report = ["report", *common, "--n", "3", "--slots", "6", "--data", str(rooms_file)]
    assert main(report) == 0
    page = (place / "results/report/report.html").read_text()
    assert "<h1>by hue</h1>" in page
    words = re.sub(r"<[^>]*>", "", page)
    assert "On scenes as in training, with 6 slots: ari_fg" in words
    assert "no reconstruction: the model gives none; slots show the image itself" in page


def test_figures_of_decompositions_are_drawn_of_any_model(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model", "colours.py:by_hue", "--data-folder", str(folder)]
    assert main(["figures", *common, "--figures", "3"]) == 0
    svg = (place / "results/figures/figure_3.svg").read_text()
    assert "by hue (no reconstruction: the model gives none; slots show the" in svg
    assert main(["figures", *common, "--figures", "5"]) == 1
    assert "figure_5 is left out: by hue: has no decode(latents)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "code", "line"),
    [
        ("colours", 2, "--model must be module:factory or FILE.py:factory, got 'colours'"),
        ("absent:make", 2, "--model absent: no such module, neither installed nor in this folder"),
        ("absent.py:make", 2, "--model absent.py: no such file"),
        ("colours.py:make", 2, "--model colours.py:make: colours.py has no make"),
        (
            "colours.py:number",
            2,
            "--model colours.py:number: number is neither a function nor a model",
        ),
        (
            "colours.py:nothing",
            2,
            "colours.py:nothing: a model needs decompose(images, num_slots), which int has not",
        ),
        (
            "colours.py:broken",
            1,
            "--model colours.py:broken: broken() raised RuntimeError: no weights here",
        ),
        ("colours.py:WrongShape", 1, "by hue: masks: expected (4, K, 32, 32), got (4, 4, 32)"),
        ("colours.py:WrongSum", 1, "by hue: masks: must sum to 1 over the slots, got 2 in image 0"),
        ("colours.py:Silent", 2, "Silent: has no num_slots of its own; say how many with --slots"),
        ("bad.py:make", 1, "--model bad.py: raised SyntaxError: "),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line(
    place: Path,
    rooms_file: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    code: int,
    line: str,
) -> None:
    (place / "bad.py").write_text("def make(:\n")
    arguments = ["score", "--data", str(rooms_file), "--model", model, "--n", "4"]
    assert main([*arguments, "--no-baselines"]) == code
    err = capsys.readouterr().err
    assert err.startswith(f"eval: {line}")
    assert err.count("\n") == 1
    assert not (place / "results").exists()


def test_a_model_is_given_images_at_its_size_else_the_files(place: Path, rooms_file: Path) -> None:
    shapes = []

    class Watching:
        image_size: int | None = None

        def decompose(self, images: np.ndarray, num_slots: int) -> np.ndarray:
            shapes.append(images.shape)
            masks = np.zeros((len(images), num_slots, *images.shape[1:3]))
            masks[:, 0] = 1
            return masks

    own, half = Watching(), Watching()
    half.image_size = 16
    for model in (own, half):
        evaluation.score(rooms_file, model, slots=3, n=2, baselines=False)
    assert shapes == [(2, 32, 32, 3), (2, 16, 16, 3)]
    half.image_size = 0
    with pytest.raises(UsageError, match="Watching: image_size must be a number of at least 1"):
        evaluation.score(rooms_file, half, slots=3)


def test_represent_needs_latents(place: Path, rooms_file: Path) -> None:
    with pytest.raises(CommandError, match="by hue: gives no latents, which represent predicts"):
        evaluation.represent(load_model("colours.py:by_hue"), rooms_file, n=4)


def test_output_may_be_tensors_and_hold_more_than_masks(model: Monet, rooms_file: Path) -> None:
    with h5py.File(rooms_file) as file:
        images = file["image"][:3]
    made = model.decompose(images, 4)
    kept = {name: torch.from_numpy(getattr(made, name)) for name in ("masks", "components")}

    class Output:
        masks, components = kept["masks"], kept["components"]
        latents = [[[0.5]] * 4] * 3

    output = read_output(Output(), images, "mine")
    np.testing.assert_array_equal(output.masks, made.masks)
    np.testing.assert_array_equal(output.components, made.components)
    assert output.latents is not None
    assert output.latents.shape == (3, 4, 1)
    assert output.reconstruction is None
    Output.latents = [[0.5] * 4] * 3
    with pytest.raises(CommandError, match=r"mine: latents: expected \(3, 4, D\), got \(3, 4\)"):
        read_output(Output(), images, "mine")
    with pytest.raises(CommandError, match="mine: masks: expected an array of numbers, got object"):
        read_output(object(), images, "mine")


def test_a_monet_of_a_program_is_the_monet_of_its_weights(
    model: Monet, rooms_file: Path, tmp_path: Path
) -> None:
    with h5py.File(rooms_file) as file:
        images = file["image"][:3]
    subject = scored_model(model)
    assert (subject.image_size, subject.num_slots, subject.refines) == (32, 5, True)
    output = Cache(tmp_path).decompositions(model, images, 4)
    made = model.decompose(images, 4)
    for name in ("masks", "masks_recon", "mask_logits", "components", "latents"):
        np.testing.assert_array_equal(getattr(output, name), getattr(made, name))
    assert isinstance(Cache(tmp_path).decompositions(model, images, 4), ModelOutput)


def test_a_monet_whose_colours_are_still_too_bright_is_scored_all_the_same(
    rooms_file: Path,
) -> None:
    with SceneFile(rooms_file) as file:
        images = file["image"][:8]
    model = load("objects_room_quick")
    with torch.no_grad():  # as after a few hundred steps
        model.vae.decoder.output.weight[:3] *= 1.7
        model.vae.decoder.output.bias[:3] *= 1.7
    colors = scored_model(model).decompose(images, 5, 0).reconstruction
    assert colors is not None
    assert (colors > 1.25).mean() > 0.01
    with pytest.raises(CommandError, match=r"must be in \[0, 1\], got"):
        read_output(model.decompose(images, 5), images, "of another project")
