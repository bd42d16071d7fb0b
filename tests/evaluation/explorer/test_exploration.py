"""The explorer's page: what it holds and says, and one line for each mistake."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import evaluation
import h5py
import monet
import numpy as np
import pytest
from browser import Tab
from evaluation.cli import main
from evaluation.predictions.cache import Cache
from monet.model import Monet
from scenes.file.reader import SceneFile


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_images_truth_masks_latents_and_needs_nothing_else(
    quick_page: Path, rooms_file: Path, cache: Cache
) -> None:
    data = data_of(quick_page)
    with SceneFile(rooms_file) as file:
        images, truth = file["image"][:4], file["segmentation"][:4]
    output = monet.load("objects_room_quick").decompose(images, refine=0)
    for row, scene in enumerate(data["scenes"]):
        assert base64.b64decode(scene["image"]) == images[row].tobytes()
        assert base64.b64decode(scene["truth"]) == truth[row].tobytes()
        logs = np.frombuffer(base64.b64decode(scene["logMasks"]), "<f2").astype(np.float64)
        np.testing.assert_allclose(np.exp(logs), output.masks[row].ravel(), atol=1e-3)
        latents = np.frombuffer(base64.b64decode(scene["latents"]), "<f4")
        np.testing.assert_allclose(latents, output.latents[row].ravel(), atol=1e-5)
    text = quick_page.read_text()
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", text)
    assert len(text) < 20_000_000


def test_the_policy_lets_no_script_run_but_the_page_s_own(quick_page: Path) -> None:
    text = quick_page.read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert f"script-src &#39;sha256-{digest}&#39;;" in policy[1]
    assert "unsafe-eval" not in policy[1]


def test_knobs_are_learned_on_scenes_apart_from_those_shown(quick_page: Path) -> None:
    data = data_of(quick_page)
    assert [knob["name"] for knob in data["knobs"]] == ["across", "down", "size", "hue", "shape"]
    assert re.match(
        r"Learned on \d+ objects of 3\d\d scenes of train.h5, scored on \d+ objects of \d\d "
        r"others; none of them is shown here. 500 scenes or more would tell more.",
        data["knobWords"],
    )
    for knob in data["knobs"]:
        assert re.search(r"R² -?\d\.\d\d on other scenes|right for \d+%", knob["words"])


def without(rooms: Path, out: Path, *keys: str) -> Path:
    out.write_bytes(rooms.read_bytes())
    with h5py.File(out, "r+") as file:
        for key in keys:
            del file[key]
    return out


def test_without_factors_only_places_have_knobs_and_the_page_says_so(
    rooms_file: Path, tmp_path: Path, cache: Cache
) -> None:
    plain = without(rooms_file, tmp_path / "plain.h5", "factors")
    page = tmp_path / "explorer.html"
    evaluation.explore(
        monet.load("objects_room_quick"), plain, n=4, knob_scenes=640, out=page, cache=cache
    )
    data = data_of(page)
    assert [knob["name"] for knob in data["knobs"]] == ["across", "down"]
    said = "plain.h5 has no factors of its objects: no knobs of size, hue and shape."
    assert said in data["knobWords"]
    assert said in page.read_text()


def test_without_a_segmentation_there_are_no_knobs_and_no_truth(
    rooms_file: Path, tmp_path: Path, model: Monet, tab: Tab
) -> None:
    bare = without(rooms_file, tmp_path / "bare.h5", "segmentation", "factors", "num_visible")
    page = evaluation.explore(model, bare, n=2, out=tmp_path / "explorer.html")
    assert data_of(page)["knobs"] == []
    assert "bare.h5 has no segmentation" in data_of(page)["knobWords"]
    tab.open(page.as_uri())
    assert tab.js("document.getElementById('truth').closest('figure').hidden")
    tab.drag("#outline", (0.5, 0.5), (0.7, 0.5), 2)
    assert tab.js("document.getElementById('status').textContent").startswith("It cannot be moved.")
    assert tab.errors == []


@pytest.mark.slow
def test_eval_explore_works_as_typed_in_an_activated_environment(
    rooms_file: Path, tmp_path: Path
) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    given = f"--data {rooms_file} --n 2 --knob-scenes 8 --checkpoint objects_room_quick"
    done = subprocess.run(
        ["bash", "-c", f"eval explore {given} && explore --n 0"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    page = "results/explore/objects_room_quick/explorer.html"
    assert done.stdout == f"{page}\n", done.stderr
    assert (tmp_path / page).stat().st_size > 100_000
    refused = "eval: --n must be at least 1, got 0\n"
    assert (done.returncode, done.stderr) == (2, refused)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--n", "0"), "--n must be at least 1, got 0"),
        (("--n", "-3"), "--n must be at least 1, got -3"),
        (("--n", "1000000"), "--n must be at most 577, got 1000000: so many scenes of 32 pixels"),
        (("--knob-scenes", "-1"), "--knob-scenes must be from 0 to 100,000, got -1"),
        (("--slots", "1"), "--slots must be at least 2, got 1"),
        (("--out", "."), ".: is a folder; --out names the page's file"),
        (("--out", "/dev/full"), "/dev/full: is no regular file; --out names the page's file"),
        (("--data", "none.h5"), "none.h5: no such file"),
        (("--data", "/dev/null"), "/dev/null: "),
        (("--checkpoint", "multi_dsprites_quick"), "trained on multi_dsprites; give a file of its"),
        (("--checkpoint", "none"), "none: no such run folder"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = () if "--checkpoint" in arguments else ("--checkpoint", "objects_room_quick")
    assert main(["explore", *chosen, *arguments]) != 0
    said = capsys.readouterr().err
    assert line in said
    assert [text for text in said.splitlines() if "was trained on" not in text][1:] == []
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_size_is_one_line(
    capsys: pytest.CaptureFixture[str], rooms_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "explorer.html"
    arguments = ["--checkpoint", "objects_room_64", "--data", str(rooms_file), "--out", str(out)]
    assert main(["explore", *arguments]) == 2
    said = "images of 32 pixels cannot be averaged down to the model's 64"
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not out.exists()


def test_another_model_is_refused_in_one_line(rooms_file: Path, tmp_path: Path) -> None:
    class Halves:
        num_slots = 2

        def decompose(self, images: np.ndarray, num_slots: int) -> np.ndarray:
            return np.full((len(images), num_slots, *images.shape[1:3]), 1 / num_slots)

    said = "Halves: is no MONet; the page runs MONet's broadcast decoder, and no other"
    with pytest.raises(Exception, match=re.escape(said)):
        evaluation.explore(Halves(), rooms_file, n=2, out=tmp_path / "explorer.html")


PLANT = "</script><img src=x onerror=document.body.dataset.planted=1>"


def test_markup_in_what_a_file_brings_is_shown_and_not_run(
    rooms_file: Path, tmp_path: Path, cache: Cache, tab: Tab
) -> None:
    path = tmp_path / "<img src=x onerror=document.body.dataset.planted=1>.h5"
    path.write_bytes(rooms_file.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["entities"] = [f"{name}{PLANT}" for name in file.attrs["entities"]]
        file["factors/size"].attrs["unit"] = PLANT
        shapes = file["factors/shape"]
        shapes.attrs["categories"] = [PLANT] * len(shapes.attrs["categories"])
    page = tmp_path / "page.html"
    evaluation.explore(monet.load("objects_room_quick"), path, n=4, out=page, cache=cache)
    tab.open(page.as_uri())
    assert tab.js("document.body.dataset.planted") is None
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert "<img src=x" in tab.js("document.getElementById('scene-title').textContent")
    assert PLANT.split("<")[2] in tab.js("document.getElementById('slots').textContent")
    assert tab.errors == []


@pytest.mark.parametrize(
    "address",
    [
        "view=",
        "view=9.1",
        "view=1.99",
        "view=1.1,1:x,2:x,3:x,4:x,5:x,6:x,7:x",
        "view=1.1,2:zAAAA",
        "view=1.1,2:o99",
        "view=1.1,x<script>alert(1)</script>",
        "view=1.1,c9.1",
        "kept=1.1,2:z%00&view=1.0",
        "view=0.0&&&===",
    ],
)
def test_an_address_that_is_none_opens_the_first_scene(
    quick_page: Path, tab: Tab, address: str
) -> None:
    tab.open(f"{quick_page.as_uri()}#{address}")
    assert tab.js("explorer.state.scene") == 0
    assert tab.js("location.hash") == "#view=1.1"
    said = "The address holds a view that this page does not have."
    assert tab.js("document.getElementById('status').textContent") == said
    assert tab.errors == []
