"""The report: one page that needs nothing else, whose numbers and pictures are the model's."""

import json
import os
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from browser import Tab
from evaluation.cli import main
from evaluation.figures.colors import slot_colors
from evaluation.figures.decompositions import on_white
from evaluation.figures.drawable import drawable
from evaluation.figures.panels import BASELINES, PLOTTED, baseline_style, draw_scores
from evaluation.predictions.batches import predict
from evaluation.predictions.contract import read_output
from evaluation.report.page import EXPLAINED
from evaluation.report.scene_cards import (
    SHOWN_SCORES,
    as_webp,
    most_typical,
    without,
    worst_and_best,
)
from evaluation.report.tables import COLUMNS
from evaluation.scores.meanings import MEANINGS
from evaluation.scores.report_results import Report
from evaluation.scores.result_files import from_content, to_json, write_result
from evaluation.scores.results import Generalisation, ModelIdentity
from evaluation.scores.truth import read_scenes
from evaluation.scores.values import NAMES, values_of
from markupsafe import escape as markup_escape
from matplotlib.figure import Figure
from monet import load
from monet.model import Monet
from monet.weights import SHIPPED, read_weights, save_weights
from PIL import Image
from promises import Promise
from scenes.cli import main as scenes
from scenes.pictures.palette import entity_palette

SLOTS = 6


@pytest.fixture(scope="module")
def page(
    run_folder: Path,
    rooms_file: Path,
    result: Generalisation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Returns the report of a run, of its scores, and of 16 rooms."""
    folder = tmp_path_factory.mktemp("report")
    scores = replace(result, checkpoint=ModelIdentity(None, "small", 4))
    write_result(scores, folder / "results/generalise/small")
    out, results, runs = folder / "out", folder / "results", run_folder.parent
    write_page(out, run_folder, rooms_file, results=results, runs=runs, n=16, slots=SLOTS)
    return out / "report.html"


def write_page(
    out: Path,
    checkpoint: Path,
    data: Path,
    *,
    results: Path,
    runs: Path,
    n: int = 4,
    slots: int = 5,
    more: tuple[str, ...] = (),
) -> None:
    """Writes a report by `eval report`; `more` are further words of its command line."""
    arguments = ["--checkpoint", str(checkpoint), *more, "--data", str(data), "--out", str(out)]
    arguments += ["--results", str(results), "--runs", str(runs)]
    assert main(["report", *arguments, "--n", str(n), "--slots", str(slots)]) == 0


@pytest.fixture(scope="module")
def machines(page: Path) -> dict[str, Any]:
    """Returns report.json."""
    return json.loads(page.with_name("report.json").read_text())


def without_tags(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def test_the_numbers_are_those_of_scores_json(page: Path, machines: dict[str, Any]) -> None:
    path = page.parent.parent / "results/generalise/small/scores.json"
    (found,) = machines["scores"]
    assert found == {"path": str(path), **json.loads(path.read_text())}
    text = page.read_text()
    shown = [row["ari"] for row in found["conditions"].values()]
    shown += [row["recall"] for row in found["refined"].values()]
    for score in shown:
        if score["mean"] is not None:
            half = (score["high"] - score["low"]) / 2
            words = f"{score['mean']:.2f} <small>±{half:.2f}</small>"
            assert words.replace("-", "\N{MINUS SIGN}") in text


def test_runs_are_listed_with_config_and_last_losses(
    run_folder: Path, machines: dict[str, Any]
) -> None:
    (run,) = machines["runs"]
    rows = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert run["last"]["nll"] == [row["nll"] for row in rows if "nll" in row][-1]
    config = json.loads((run_folder / "config.json").read_text())
    del config["checksum"]
    assert run["config"] == config
    assert run["step"] == 4
    assert {"python", "torch", "monet"} <= machines["versions"].keys()


def test_scores_of_an_earlier_step_do_not_lead_and_weights_alone_list_no_runs(
    page: Path, run_folder: Path, rooms_file: Path, tmp_path: Path
) -> None:
    assert "On scenes as in training, with 9 slots: ari_fg" in without_tags(page.read_text())
    assert "the last values that each logged" in page.read_text()
    weights = read_weights(run_folder / "model.safetensors")
    later = tmp_path / "small.safetensors"
    save_weights(later, weights.tensors, weights.config, 5, weights.dataset)
    results = str(page.parent.parent / "results")
    write_page(tmp_path / "out", later, rooms_file, results=results, runs=tmp_path, slots=9)
    text = (tmp_path / "out/report.html").read_text()
    assert "No scores of it at this step lie among the results." in text
    assert "the last values that each logged" not in text


def test_scores_of_a_file_lead_where_the_model_is_not_of_rooms(tmp_path: Path) -> None:
    data, results = str(tmp_path / "sprites.h5"), tmp_path / "results"
    made = ["sprites", "--n", "8", "--split", "test", "--workers", "1", "--out", data]
    assert scenes(made) == 0
    common = ["--checkpoint", "multi_dsprites_quick", "--data", data]
    report = [
        "report",
        *common,
        "--results",
        str(results),
        "--runs",
        str(tmp_path),
        "--n",
        "8",
        "--slots",
        "5",
        "--out",
        str(tmp_path / "out"),
    ]
    page = tmp_path / "out/report.html"
    assert main(report) == 0
    text = page.read_text()
    said = "No scores of it at this step lie among the results; the table has those that came with"
    assert said in text
    weights = read_weights(SHIPPED / "multi_dsprites_quick.safetensors")
    recorded = json.loads(weights.notes["scores"])
    row = re.search(r"<tr><th[^>]*>multi_dsprites_quick, 5 slots \(recorded .*?</tr>", text)
    assert row is not None
    assert f"{recorded['model']['ari_fg']['mean']:.2f} ±" in without_tags(row[0])
    assert "eval score --checkpoint multi_dsprites_quick --data FILE" in text
    assert main(["score", *common, "--out", str(results / "score")]) == 0
    assert main(report) == 0
    scores = json.loads((results / "score/scores.json").read_text())
    fits = {name: row["ari_fg"]["mean"] for name, row in scores["baselines"].items()}
    lead = re.search(r"<li>On 8 scenes of .*?</li>", page.read_text())
    assert lead is not None
    words = without_tags(lead[0])
    assert f"with 5 slots: ari_fg {scores['metrics']['ari_fg']['mean']:.2f} ±" in words
    assert f"; k-means on colour {fits['k-means on colour']:.2f} ±" in words
    assert "recorded with the weights" not in page.read_text(), "its scores here stand instead"
    mine = shutil.copy(SHIPPED / "multi_dsprites_quick.safetensors", tmp_path / "mine.safetensors")
    report[report.index("multi_dsprites_quick")] = str(mine)
    assert main(report) == 0
    assert f"eval score --checkpoint {mine} --data FILE" in page.read_text()


def test_the_page_refers_to_nothing_outside(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"https?:|//[a-z]+\.", text.replace("<\\/", ""))
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith("#")
    assert "@import" not in text


def test_the_pictures_on_the_page_are_the_models(page: Path, run_folder: Path) -> None:
    shown = data_of(page)["scenes"]
    model = load(run_folder)
    for scene in (shown[0], shown[-1]):
        path = Path(model_file(page))
        scenes = read_scenes(path, 16)
        row = scene["index"]
        images = scenes.images[row : row + 1]
        parts = drawable(images, read_output(model.decompose(images, SLOTS), images, "model"))
        palette = entity_palette(scenes.entities, scenes.num_background)
        own = np.concatenate([scenes.images[row], palette[scenes.segmentation[row]]], axis=1)
        np.testing.assert_array_equal(decoded(scene["sheet"]), own)
        (view,) = scene["views"]
        sheet = decoded(view["sheet"])
        assert sheet.shape == ((SLOTS + 1) * 32, 5 * 32, 3)

        def tile(line: int, column: int, sheet: np.ndarray = sheet) -> np.ndarray:
            return sheet[32 * line : 32 * line + 32, 32 * column : 32 * column + 32].astype(int)

        truth = scenes.rows([row])
        (colors,) = slot_colors(parts.masks, truth)
        assert view["colors"] == ["#" + bytes(rgb).hex() for rgb in colors]
        refined = model.decompose(images, SLOTS, refine=3).masks[0]
        for column, masks in ((1, parts.masks[0]), (2, refined)):
            painted = colors[masks.argmax(0)]
            assert (tile(0, column) == painted).all(axis=-1).mean() > 0.99
        assert view["refined"].keys() == view["scores"].keys() == set(SHOWN_SCORES)
        for slot in range(SLOTS):
            masked = on_white(parts.components[0, slot], parts.masks_recon[0, slot])
            removed = 255 * np.clip(without(parts, 0, slot), 0, 1)
            assert np.abs(tile(slot + 1, 0) - masked).max() <= 1
            assert np.abs(tile(slot + 1, 2) - removed).max() <= 1
            assert np.abs(tile(slot + 1, 3)[..., 0] - 255 * parts.masks[0, slot]).max() <= 1
            assert np.abs(tile(slot + 1, 4)[..., 0] - 255 * refined[slot]).max() <= 2


def model_file(page: Path) -> str:
    machines = json.loads(page.with_name("report.json").read_text())
    return str(machines["checkpoint"]["config"]["data"])


def decoded(address: str) -> np.ndarray:
    content = b64decode(address.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def test_a_sheet_is_kept_exactly() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 24, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(as_webp(picture)))), picture)


def test_a_removed_slot_leaves_its_pixels_to_the_others(model: Monet, rooms_file: Path) -> None:
    images = read_scenes(rooms_file, 1).images
    parts = drawable(images, read_output(model.decompose(images, 3), images, "model"))
    whole = (parts.masks[0][..., None] * parts.components[0]).sum(0)
    masks = np.zeros_like(parts.masks)
    masks[0, 0, :, :16], masks[0, 1, :, 16:] = 1, 1  # slot 0 left, slot 1 right, slot 2 nowhere
    halves = replace(parts, masks=masks)
    left_gone = without(halves, 0, 0)
    np.testing.assert_allclose(left_gone[:, 16:], parts.components[0, 1][:, 16:], atol=1e-6)
    weight = 1 / (1 + np.exp(parts.mask_logits[0, 2] - parts.mask_logits[0, 1]))[..., None]
    behind = weight * parts.components[0, 1] + (1 - weight) * parts.components[0, 2]
    np.testing.assert_allclose(left_gone[:, :16], behind[:, :16], atol=1e-5)
    halved = (masks[0][..., None] * parts.components[0]).sum(0)
    np.testing.assert_allclose(without(halves, 0, 2), halved, atol=1e-6)
    assert not np.allclose(without(parts, 0, 0), whole, atol=1e-3)


def test_worst_and_best_are_the_ends_of_what_is_defined() -> None:
    values = np.array([0.5, np.nan, 0.1, 0.9, 0.3])
    assert worst_and_best("ari", values, 2) == ([2, 4], [3, 0])
    assert worst_and_best("ari", values[:3], 4) == ([2], [0])
    assert worst_and_best("mse", values, 2) == ([3, 0], [2, 4])


def test_typical_scenes_lie_around_the_median_of_what_is_defined() -> None:
    values = np.array([0.5, np.nan, 0.1, 0.9, 0.3, 0.52])
    assert most_typical(values, 3) == [0, 5, 4]
    assert most_typical(values, 9) == [0, 5, 4, 2, 3]
    assert most_typical(values[1:2], 3) == []


def test_the_report_opens_on_the_most_typical_scene(
    page: Path, machines: dict[str, Any], rooms_file: Path, run_folder: Path
) -> None:
    groups = [scene["group"] for scene in machines["scenes"]]
    assert list(dict.fromkeys(groups)) == ["typical", "worst", "best", "scenes"]
    scenes = read_scenes(rooms_file, 16)
    values = values_of(scenes, predict(load(run_folder), scenes.images, SLOTS))["msc"]
    middle = np.nanmedian(values)
    nearest = np.nanmin(np.abs(values - middle))
    shown = machines["scenes"][0]["scores"]["msc"]
    assert abs(shown - middle) == pytest.approx(nearest, abs=1e-3)


def test_every_score_of_the_page_explains_itself(page: Path) -> None:
    text = page.read_text()
    heads = set(re.findall(r"<th scope=\"col\">(?:<abbr[^>]*>)?([\w ]+)", text))
    scores = heads & set(COLUMNS)
    assert {"ari_fg", "msc", "recall", "count", "mse"} <= scores
    for name in scores:
        assert f'<abbr title="{markup_escape(MEANINGS[name])}">{name}</abbr>' in text
    for name in EXPLAINED:
        assert f"<dt>{name}</dt><dd>{markup_escape(MEANINGS[name])}.</dd>" in text
    for name in PLOTTED:
        meaning = markup_escape(MEANINGS[name])
        assert f'aria-label="{name} against objects" title="{meaning}"' in text
    assert set(NAMES) <= MEANINGS.keys()


def test_baselines_are_told_apart_without_colour(page: Path, result: Generalisation) -> None:
    styles = [baseline_style(name) for name in BASELINES]
    assert len({style["dashes"] for style in styles}) == len(BASELINES)
    assert len({style["marker"] for style in styles}) == len(BASELINES)
    figure = Figure()
    axes = figure.subplots()
    draw_scores(axes, {"model": result}, "msc")
    drawn = {line.get_label(): line.get_marker() for line in axes.get_lines()}
    for name, style in zip(BASELINES, styles, strict=True):
        assert drawn[name] == style["marker"]
    text = page.read_text()
    legend = re.search(r'<ul class="legend">(.*?)</ul>', text, re.S)
    assert legend is not None
    samples = re.findall(
        r"<li><span class=\"sample\">(<svg.*?</svg>)\s*</span>(.*?)</li>", legend[1], re.S
    )
    assert [label for _, label in samples] == ["small, 9 slots", *BASELINES]
    assert len({svg for svg, _ in samples}) == len(samples)


def test_models_stand_side_by_side(
    tab: Tab, run_folder: Path, rooms_file: Path, result: Generalisation, tmp_path: Path
) -> None:
    """A run of 32 pixels, shipped weights that carry scores, and a program's model."""
    code = tmp_path / "halves.py"
    code.write_text(HALVES)
    scores = replace(result, checkpoint=ModelIdentity(None, "small", 4))
    write_result(scores, tmp_path / "results/generalise/small")
    write_page(
        tmp_path / "out",
        run_folder,
        rooms_file,
        results=tmp_path / "results",
        runs=run_folder.parent,
        n=6,
        more=(
            "objects_room_quick",
            "--model",
            f"{code}:Halves",
        ),
    )
    page = tmp_path / "out/report.html"
    machines = json.loads((tmp_path / "out/report.json").read_text())
    assert machines["checkpoint"]["name"] == "small"
    assert [model["name"] for model in machines["beside"]] == ["objects_room_quick", "Halves"]
    rows = read_scenes(rooms_file, 6)
    quick = values_of(rows, predict(load("objects_room_quick"), rows.images, 5))
    for scene in machines["scenes"]:
        beside = scene["beside"][0]
        assert beside["scores"]["msc"] == pytest.approx(quick["msc"][scene["index"]], abs=1e-5)
        assert beside["refined"].keys() == beside["scores"].keys()
        assert scene["beside"][1]["refined"] == {}
    text = page.read_text()
    assert "<h1>small beside objects_room_quick beside Halves</h1>" in text
    assert "side by side, on test scenes as in training" in text
    weights = read_weights(SHIPPED / "objects_room_quick.safetensors")
    recorded = json.loads(weights.notes["scores"])
    for row, label in (("model", ""), ("refined", ": its refined masks")):
        found = re.search(
            rf"<th scope=\"row\">objects_room_quick, 7 slots{label} \(recorded with the weights\)"
            r"</th>(.*?)</tr>",
            text,
        )
        assert found is not None
        assert f">{recorded[row]['ari_fg']['mean']:.2f} <small>" in found[1]
    shown = shown_by(tab, page, "#scene=2&model=2&slot=3")
    assert len(re.findall(r'<div class="view">', shown)) == 3
    assert "Slot 3 of objects_room_quick: " in shown
    assert isinstance(from_content(machines), Report)


HALVES = """
import numpy as np

class Halves:
    def decompose(self, images, num_slots):
        masks = np.zeros((len(images), num_slots, *images.shape[1:3]), np.float32)
        half = images.shape[2] // 2
        masks[:, 0, :, :half], masks[:, 1, :, half:] = 1, 1
        return masks
"""


def test_runs_of_one_name_keep_their_own_scores(
    run_folder: Path, rooms_file: Path, result: Generalisation, tmp_path: Path
) -> None:
    """As seeds have, which lie in MODEL/seed0 for each model."""
    weights = [tmp_path / "runs" / model / "small/model.safetensors" for model in ("a", "b")]
    for path, mean in zip(weights, (0.25, 0.75), strict=True):
        shutil.copytree(run_folder, path.parent)
        row = result.conditions["test"]
        row = {**row, "ari_fg": replace(row["ari_fg"], mean=mean)}
        own = replace(
            result,
            checkpoint=ModelIdentity(str(path), "small", 4),
            conditions={**result.conditions, "test": row},
        )
        write_result(own, tmp_path / "results" / path.parts[-3])
    first, second = (path.parent for path in weights)
    write_page(
        tmp_path / "out",
        first,
        rooms_file,
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        more=(str(second),),
    )
    text = (tmp_path / "out/report.html").read_text()
    assert f"<h1>small ({first}) beside small ({second})</h1>" in text
    for folder, mean in ((first, "0.25"), (second, "0.75")):
        found = re.search(rf"<th scope=\"row\">small \({folder}\), 9 slots</th>(.*?)</tr>", text)
        assert found is not None
        assert f">{mean} <small>" in found[1]
        assert f"small ({folder}): On scenes as in training" in without_tags(text)


def test_worst_scenes_come_before_best(machines: dict[str, Any]) -> None:
    values = {
        group: [s["scores"]["msc"] for s in machines["scenes"] if s["group"] == group]
        for group in ("worst", "best")
    }
    assert len(values["worst"]) == len(values["best"]) == 4
    assert values["worst"] == sorted(values["worst"])
    assert values["best"] == sorted(values["best"], reverse=True)
    assert values["worst"][-1] <= values["best"][-1]


def shown_by(tab: Tab, page: Path, address: str = "") -> str:
    """Returns what a page's scripts have made of it, as a narrow screen shows it."""
    tab.size(500, 900)
    tab.open(f"{page.as_uri()}{address}")
    return tab.js("document.documentElement.outerHTML")


def test_the_address_opens_a_scene_and_a_slot(
    tab: Tab, page: Path, machines: dict[str, Any]
) -> None:
    shown = shown_by(tab, page, "#scene=2&slot=3")
    scene = machines["scenes"][1]
    assert f"Scene 2: typical (row {scene['index']} of train.h5)" in shown
    row = re.search(r'<div id="slot-row" class="row">(.*?)</div>', shown, re.S)
    assert row is not None
    assert re.findall(r'data-place="([^"]*)"', row[1]) == [f"3,{column}" for column in range(5)]
    captions = re.findall(r"<figcaption>([\w ]+)</figcaption>", row[1])
    assert captions == ["masked", "unmasked", "removed", "attention", "refined mask"]
    above = re.search(r'<div class="view">(.*?)<div class="slots"', shown, re.S)
    assert above is not None
    assert re.findall(r'<abbr title="([^"]+)">(\w+)</abbr>', above[1]) == [
        (MEANINGS[name], name) for name in SHOWN_SCORES * 2
    ]
    assert len(re.findall(r'name="slot"', shown)) == SLOTS
    assert len(re.findall(r'name="scene"', shown)) == len(machines["scenes"])


def test_clicks_choose_and_a_narrow_screen_needs_no_scrolling_sideways(
    tab: Tab, page: Path
) -> None:
    shown_by(tab, page)
    for label in ("scene-4", "slot-1"):
        tab.click(f'label[for="{label}"]')
    assert tab.js("document.getElementById('scene-title').textContent").startswith("Scene 5: worst")
    assert tab.js("document.getElementById('slot-title').textContent").startswith("Slot 2: ")
    assert tab.js("location.hash") == "#scene=5&slot=2"
    assert tab.js("document.activeElement.id") == "slot-1"
    document = "document.documentElement"
    assert tab.js(f"{document}.scrollWidth - {document}.clientWidth") == 0
    assert tab.errors == []


def test_markup_in_names_stays_words(
    tab: Tab, run_folder: Path, rooms_file: Path, result: Generalisation, tmp_path: Path
) -> None:
    """A run, a file, an entity and a model whose names would run a script if they were markup."""
    name = "<img src=x onerror=document.body.dataset.planted=1>"
    closing = f"</script>{name}"
    run = tmp_path / "runs" / name
    shutil.copytree(run_folder, run)
    data = tmp_path / f"{name}.h5"
    shutil.copy(rooms_file, data)
    with h5py.File(data, "r+") as file:
        names = [closing if entity == "floor" else entity for entity in file.attrs["entities"]]
        file.attrs["entities"] = names
    for place, model in {
        "own": ModelIdentity(None, name, 4),
        "other": ModelIdentity(None, closing, 1),
    }.items():
        write_result(replace(result, checkpoint=model), tmp_path / "results" / place)
    write_page(tmp_path / "out", run, data, results=tmp_path / "results", runs=run.parent)
    page = tmp_path / "out/report.html"
    assert "<img" not in page.read_text()
    views = [view for scene in data_of(page)["scenes"] for view in scene["views"]]
    holds = [slot["holds"] for view in views for slot in view["slots"]]
    assert closing in holds
    shown = shown_by(tab, page, "#scene=1&slot=1")
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert "data-planted" not in shown
    assert f"MONet: {escape(name, quote=False)}</h1>" in shown
    assert "Scene 1: typical (row " in shown


MARKUP = "</script><script>document.body.dataset.planted=1</script><img src=x onerror="
MARKUP += "document.body.dataset.planted=1><svg onload=document.body.dataset.planted=1>&quot;'\"$"


def marked(content: Any, keep: tuple[str, ...] = ()) -> Any:
    """Returns JSON with markup in every word and name but those that say what the JSON is."""
    if isinstance(content, dict):
        return {
            key if key in keep else key + MARKUP: value if key == "schema" else marked(value, keep)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [marked(value, keep) for value in content]
    return content + MARKUP if isinstance(content, str) else content


def test_markup_in_every_word_and_number_that_files_bring_runs_no_script(
    tab: Tab,
    run_folder: Path,
    rooms_file: Path,
    result: Generalisation,
    tmp_path: Path,
    promise: Promise,
) -> None:
    """Scores and logs with markup in all names, words and numbers; some still read, some not."""
    run, results = tmp_path / "runs/marked", tmp_path / "results"
    shutil.copytree(run_folder, run)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    log = [json.dumps({**row, MARKUP: 1.0}) for row in rows]
    (run / "metrics.jsonl").write_text("\n".join(log))
    data = tmp_path / "rooms.h5"
    shutil.copy(rooms_file, data)
    with h5py.File(data, "r+") as file:
        file.attrs["entities"] = [f"{entity}{MARKUP}" for entity in file.attrs["entities"]]
        file.attrs["provenance"] = json.dumps(marked(json.loads(file.attrs["provenance"])))
    content = json.loads(to_json(replace(result, checkpoint=ModelIdentity(MARKUP, "marked", 4))))
    fields = {key for key in content if isinstance(key, str)} | {
        "path",
        "name",
        "step",
        "trained_slots",
        "mean",
        "sem",
        "low",
        "high",
        "count",
        "used",
        "area",
        "mostly",
        "model",
        "baselines",
        "recall",
        "above",
        "to",
        "completion",
        "completion_of_visible_fraction_to",
        "num_slots",
        "conditions",
    }
    shown = {**marked(content, tuple(fields)), "checkpoint": content["checkpoint"]}
    numbers = json.loads(json.dumps(content))
    numbers["n"] = MARKUP
    for place, each in {
        "read": shown,
        "all": marked(content),
        "number": numbers,
        "later": {**content, "schema": MARKUP},
    }.items():
        (results / place).mkdir(parents=True)
        (results / place / "scores.json").write_text(json.dumps(each))
    left_out = results / MARKUP.replace("/", "") / "scores.json"
    left_out.parent.mkdir()
    left_out.write_text("{")
    write_page(tmp_path / "out", run, data, results=results, runs=run.parent)
    page = tmp_path / "out/report.html"
    text = page.read_text()
    assert text.count("<script") == 2, "the data and the page's own"
    assert "<img" not in text
    assert "<svg onload" not in text
    planted = text.count("dataset.planted")
    assert planted > 20, "all of it is shown, as words"
    dumped = shown_by(tab, page, "#scene=1&slot=1")
    assert "data-planted" not in dumped
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert "Scene 1: typical (row " in dumped, "the page's own script ran"
    promise(
        "No markup that a file brings into a report is run",
        "in every name, word and number of scores, logs, files and weights, seen by Chromium",
        planted,
        "all shown as words",
    )


def test_a_script_that_came_into_the_page_would_not_run(
    tab: Tab, page: Path, tmp_path: Path
) -> None:
    """The policy is the second wall: markup written into the page by hand stands for a hole."""
    hole = tmp_path / "hole.html"
    plants = (
        "<script>document.body.dataset.planted=1</script>"
        "<img src=x onerror=document.body.dataset.planted=1>"
        "<iframe srcdoc='<script>parent.document.body.dataset.planted=1</script>'></iframe>"
        "<a id=j href='javascript:document.body.dataset.planted=1'>j</a>"
    )
    hole.write_text(page.read_text().replace("<main>", f"<main>{plants}", 1))
    assert "Scene 1: typical (row " in shown_by(tab, hole)
    tab.click("#j")
    assert tab.js("document.body.dataset.planted") is None


def test_scores_that_this_version_cannot_read_are_shown_as_they_are(
    page: Path, run_folder: Path, rooms_file: Path, tmp_path: Path
) -> None:
    content = json.loads((page.parent.parent / "results/generalise/small/scores.json").read_text())
    later = tmp_path / "results/later/scores.json"
    later.parent.mkdir(parents=True)
    later.write_text(json.dumps({**content, "schema": 2}))
    write_page(
        tmp_path / "out", run_folder, rooms_file, results=tmp_path / "results", runs=Path("runs")
    )
    text = (tmp_path / "out/report.html").read_text()
    assert "Shown as it is: it has schema 2; this version reads schema 1." in text
    assert "&#34;as_trained&#34;" in text


def test_what_cannot_be_reported_is_refused(
    run_folder: Path, rooms_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["report", "--checkpoint", str(run_folder), "--data", str(rooms_file)]
    given += ["--n", "16", "--out", str(tmp_path / "out"), "--results", str(tmp_path / "results")]
    assert main([*given, "--metric", "beauty"]) == 2
    assert "--metric is one of ari, " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*given, "--n", "1"]) == 2
    assert capsys.readouterr().err == "eval: --n must be at least 2, got 1\n"


def test_files_that_cannot_be_read_are_left_out_and_named(
    run_folder: Path, rooms_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, runs = tmp_path / "results", tmp_path / "runs"
    contents = {
        "cut": b"{",
        "deep": b"[" * 100_000,
        "list": b"[]",
        "words": b"\xff",
        "huge": b'{"metrics": 1e999}',
    }
    for name, content in contents.items():
        (results / name).mkdir(parents=True)
        (results / name / "scores.json").write_bytes(content)
    (results / "folder/scores.json").mkdir(parents=True)
    (results / "pipe").mkdir()
    os.mkfifo(results / "pipe/representation.json")
    for name, line in {"rows": "3", "names": '{"step": 1, "nll": "<b>"}', "log": "{"}.items():
        shutil.copytree(run_folder, runs / name)
        (runs / name / "metrics.jsonl").write_text(f"{line}\n")
    write_page(tmp_path / "out", run_folder, rooms_file, results=results, runs=runs)
    err = capsys.readouterr().err
    reasons = {
        results / "cut/scores.json": "is no JSON",
        results / "deep/scores.json": "has more than 64 levels",
        results / "list/scores.json": "expected an object, got list",
        results / "words/scores.json": "is no UTF-8",
        results / "huge/scores.json": "holds a number beyond 1e+100",
        results / "folder/scores.json": "is no regular file",
        results / "pipe/representation.json": "is no regular file",
        runs / "rows/metrics.jsonl": "line 1: is no row with a step",
        runs / "names/metrics.jsonl": "line 1: nll: expected a number, got str",
        runs / "log/metrics.jsonl": "line 1: is no JSON",
    }
    lines = {f"eval: {path}: {reason}; left out" for path, reason in reasons.items()}
    assert set(err.splitlines()) == lines
    page = (tmp_path / "out/report.html").read_text()
    machines = json.loads((tmp_path / "out/report.json").read_text())
    for path, reason in reasons.items():
        assert f"{path}: {reason}" in page
        assert f"{path}: {reason}" in machines["left_out"]
    assert [run["name"] for run in machines["runs"]] == ["small"]
    assert isinstance(from_content(machines), Report)


def test_a_metric_of_rooms_is_refused_for_other_scenes_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "sprites.h5", tmp_path / "out"
    assert scenes(["sprites", "--n", "4", "--workers", "1", "--out", str(data)]) == 0
    capsys.readouterr()
    arguments = [
        "--checkpoint",
        "multi_dsprites_quick",
        "--runs",
        str(tmp_path / "none"),
        "--data",
        str(data),
        "--n",
        "4",
        "--metric",
        "ari_merged",
        "--out",
        str(out),
    ]
    assert main(["report", *arguments]) == 2
    said = "--metric ari_merged is of scenes with walls and a sky, which these are not"
    assert capsys.readouterr().err == f"eval: {said}\n"
    assert not out.exists()
