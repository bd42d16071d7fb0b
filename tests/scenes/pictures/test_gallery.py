"""Contact sheets, and the page: looked at by headless Chromium, without a network."""

import json
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest
from browser import Tab
from file_sizes import limiting_files
from PIL import Image
from promises import Promise
from scenes.cli import main
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.pictures.palette import SKY_COLOR, colorize_depth, entity_palette
from scenes.pictures.sheet import HEADING, tile


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 40 rooms with depth."""
    path = tmp_path_factory.mktemp("gallery") / "rooms.h5"
    build(ObjectsRoomConfig(size=32, depth=True), n=40, seed=0, out=path, workers=1)
    return path


def test_a_sheet_shows_32_scenes_as_they_are(rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    assert main(["show", str(rooms), "--out", str(out)]) == 0
    with SceneFile(rooms) as file:
        images = np.asarray(file["image"][:32])
    sheet = np.asarray(Image.open(out))
    scale = sheet.shape[1] // (8 * 34 + 2)
    np.testing.assert_array_equal(sheet[HEADING::scale, ::scale], tile(images, 8))
    assert sheet[:HEADING].min() < 128, "the title"


def test_masks_and_depth_stand_beside_the_scenes(rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert main(["show", str(rooms), "--masks", "--depth", "--n", "1", "--out", str(out)]) == 0
    with SceneFile(rooms) as file:
        image, labels = file["image"][0], file["segmentation"][0]
        palette = entity_palette(file.entities, file.num_background)
        depth = colorize_depth(np.asarray(file["depth"][:1]))[0]
    sheet = np.asarray(Image.open(out))
    scale = sheet.shape[1] // (3 * 32 + 12)
    panels = sheet[2 * HEADING :: scale, ::scale][6:-6, 6:-6]
    for line in (0, 1):  # a title, and a heading for each of the three columns
        assert sheet[line * HEADING : (line + 1) * HEADING].min() < 128
    thirds = np.array_split(sheet[HEADING : 2 * HEADING], 3, axis=1)
    assert all(third.min() < 128 for third in thirds)
    np.testing.assert_array_equal(panels, np.concatenate([image, palette[labels], depth], axis=1))


def test_depth_goes_from_near_to_far_and_leaves_the_sky_grey() -> None:
    painted = colorize_depth(np.array([[[1.0, 2.0, 5.0, np.inf]]], dtype=np.float16))[0, 0]
    assert painted[0].tolist() == [253, 231, 37]
    assert painted[2].tolist() == [68, 1, 84]
    assert painted[3].tolist() == [SKY_COLOR] * 3
    assert painted[1].sum() < painted[0].sum()


@pytest.mark.parametrize("html", [[], ["--html"]], ids=["sheet", "page"])
def test_what_a_file_does_not_hold_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], html: list[str]
) -> None:
    path = tmp_path / "sprites.h5"
    build(MultiDSpritesConfig(), n=8, seed=0, out=path, workers=1)
    with h5py.File(path, "r+") as file:
        del file["segmentation"]  # as in a file of CLEVR's PNGs
    assert main(["show", str(path), "--masks", *html]) == 2
    said = f"scenes: {path}: --masks needs segmentations, and this file has none\n"
    assert capsys.readouterr().err == said
    assert main(["show", str(path), "--depth", *html]) == 2
    assert f"{path}: --depth needs depths, and this file has none" in capsys.readouterr().err
    assert main(["show", str(path), "--n", "0", *html]) == 2
    assert capsys.readouterr().err == "scenes: --n must be at least 1, got 0\n"
    assert main(["show", str(path), *html]) == 0


@pytest.mark.parametrize(
    ("html", "kind", "suffix"),
    [([], "a contact sheet", ".png"), (["--html"], "a page (--html)", ".html")],
    ids=["sheet", "page"],
)
def test_scenes_are_not_shown_under_the_name_of_something_else(
    rooms: Path, capsys: pytest.CaptureFixture[str], html: list[str], kind: str, suffix: str
) -> None:
    before = rooms.read_bytes()
    assert main(["show", str(rooms), "--out", str(rooms), *html]) == 2
    said = f"scenes: {rooms}: {kind} must have a name that ends in {suffix}\n"
    assert capsys.readouterr().err == said
    assert rooms.read_bytes() == before


@pytest.mark.parametrize(
    ("html", "name"), [([], "sheet.png"), (["--html"], "page.html")], ids=["sheet", "page"]
)
def test_what_cannot_be_written_whole_leaves_what_was_there(
    rooms: Path, tmp_path: Path, html: list[str], name: str
) -> None:
    out = tmp_path / name
    out.write_text("before")
    command = ["scenes", "show", rooms, "--out", out, *html]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **limiting_files(1024)
    )
    assert done.returncode == 1
    assert done.stderr == f"scenes: {out}: file too large\n"
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_page_holds_everything_itself(rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["show", str(rooms), "--html", "--out", str(out)]) == 0
    page = out.read_text()
    assert not re.findall(r"(?:src|href)=|https?://|@import|url\(", page)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    scenes = json.loads(data)["scenes"]
    assert len(scenes) == 40
    with SceneFile(rooms) as file:
        for row, scene in enumerate(scenes):
            labels, lengths = np.array(scene["runs"]).reshape(-1, 2).T
            whole = np.repeat(labels, lengths).reshape(32, 32)
            np.testing.assert_array_equal(whole, file["segmentation"][row])


class Tags(HTMLParser):
    """Counts the tags that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1


def test_markup_in_names_stays_text(rooms: Path, tmp_path: Path) -> None:
    marked, plain = tmp_path / "<b>&'.h5", tmp_path / "plain.h5"
    for path in (marked, plain):
        path.write_bytes(rooms.read_bytes())
    names = ['</script><script>alert("1")</script>', "<img src=x onerror=alert(2)>", "<!--", "'&"]
    with h5py.File(marked, "r+") as file:
        file.attrs["entities"] = [*names, *file.attrs["entities"][4:]]
        file["camera/yaw"].attrs["unit"] = "<i>rad</i>"
    pages = {}
    for path in (marked, plain):
        out = tmp_path / f"{path.stem}.html"
        assert main(["show", str(path), "--html", "--n", "2", "--out", str(out)]) == 0
        pages[path] = out.read_text()
    tags = [Tags() for _ in pages]
    for parser, page in zip(tags, pages.values(), strict=True):
        parser.feed(page)
    assert tags[0].seen == tags[1].seen
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', pages[marked])
    assert "<" not in data
    read = json.loads(data)
    assert read["entities"][:4] == names
    values = {name: value for name, value, _ in read["scenes"][0]["values"]}
    assert values["camera/yaw"].endswith(" <i>rad</i>")


PLANT = "<img src=x onerror=document.body.dataset.planted=1>"


def test_markup_in_everything_that_a_file_brings_runs_no_script(
    rooms: Path, tmp_path: Path, tab: Tab, promise: Promise
) -> None:
    path, out = tmp_path / f"{PLANT[:-1]}.h5", tmp_path / "page.html"
    path.write_bytes(rooms.read_bytes())
    closing = f"</script><script>document.body.dataset.planted=1</script>{PLANT}"
    with h5py.File(path, "r+") as file:
        file.attrs["entities"] = [f"{name}{closing}" for name in file.attrs["entities"]]
        config = json.loads(file.attrs["config"])
        assert config
        for key in [key for key in file if isinstance(file[key], h5py.Dataset)]:
            file[key].attrs["unit"] = closing
        for key in file["factors"]:
            dataset = file[f"factors/{key}"]
            dataset.attrs["unit"] = closing
            if len(dataset.attrs["categories"]):
                dataset.attrs["categories"] = [closing] * len(dataset.attrs["categories"])
    assert main(["show", str(path), "--html", "--n", "3", "--out", str(out)]) == 0
    tab.open(out.as_uri())
    assert tab.js("document.getElementById('where').textContent") == "0 to 2 of 3", "its script ran"
    said = ""
    for line in range(32):
        tab.mouse("mouseMoved", *tab.place("canvas", 0.5, (line + 0.5) / 32))
        said += tab.js("document.getElementById('tip').textContent")
    assert "onerror" in said, "the words are shown"
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert tab.js("document.body.dataset.planted") is None
    promise(
        "No markup that a file brings into a page of scenes is run",
        "in entities, units, categories and the file's name, seen by Chromium",
        out.read_text().count("dataset.planted"),
        "all shown as words",
    )


def test_a_script_that_came_into_the_page_would_not_run(
    rooms: Path, tmp_path: Path, tab: Tab
) -> None:
    out = tmp_path / "page.html"
    assert main(["show", str(rooms), "--html", "--n", "3", "--out", str(out)]) == 0
    plants = f"{PLANT}<script>document.body.dataset.planted=1</script>"
    out.write_text(out.read_text().replace("<main>", f"{plants}<main>"))
    tab.open(out.as_uri())
    assert tab.js("document.body.dataset.planted") is None
    assert tab.js("document.getElementById('where').textContent") == "0 to 2 of 3"


def test_codes_without_a_name_and_colours_of_nan_are_shown_as_they_are(
    rooms: Path, tmp_path: Path
) -> None:
    path, out = tmp_path / "odd.h5", tmp_path / "page.html"
    path.write_bytes(rooms.read_bytes())
    with h5py.File(path, "r+") as file:
        file["factors/present"][:] = True
        file["factors/shape"][:] = 99
        file["factors/color_rgb"][:] = np.nan
    assert main(["show", str(path), "--html", "--n", "1", "--out", str(out)]) == 0
    (data,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', out.read_text()
    )
    factors = json.loads(data)["scenes"][0]["objects"][0]
    assert ["shape", "99", ""] in factors
    assert ["color_rgb", "nan, nan, nan", ""] in factors


@pytest.mark.parametrize("html", [[], ["--html"]], ids=["sheet", "page"])
def test_a_file_without_scenes_is_refused(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], html: list[str]
) -> None:
    path = tmp_path / "empty.h5"
    path.write_bytes(rooms.read_bytes())
    with h5py.File(path, "r+") as file:
        rows: list[str] = []
        file.visititems(
            lambda name, each: rows.append(name) if isinstance(each, h5py.Dataset) else None
        )
        for name in rows:
            attributes, values = dict(file[name].attrs), file[name][:0]
            del file[name]
            file.create_dataset(name, data=values).attrs.update(attributes)
    assert main(["show", str(path), *html]) == 2
    assert capsys.readouterr().err == f"scenes: {path}: has no scenes\n"
    assert list(tmp_path.iterdir()) == [path]


def test_entities_without_a_name_are_refused(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.h5"
    path.write_bytes(rooms.read_bytes())
    with h5py.File(path, "r+") as file:
        file["segmentation"][0, 0, 0] = 77
    assert main(["show", str(path), "--html"]) == 2
    names = len(SceneFile(rooms).entities)
    said = f"scenes: {path}: segmentation: has entity 77, and names of {names}\n"
    assert capsys.readouterr().err == said


def test_the_page_leafs_and_tells_an_object_s_factors_on_hover(
    rooms: Path, tmp_path: Path, tab: Tab
) -> None:
    row, out = 30, tmp_path / "page.html"
    assert main(["show", str(rooms), "--html", "--out", str(out)]) == 0
    with SceneFile(rooms) as file:
        labels = file["segmentation"][row]
        line, column = (int(i) for i in np.argwhere(labels >= file.num_background)[0])
        entity = int(labels[line, column])
        index = entity - file.num_background
        shape = file["factors/shape"].attrs["categories"][file["factors/shape"][row, index]]
        pixels = file["factors/visible_pixels"][row, index]
        palette = entity_palette(file.entities, file.num_background)
        name = file.entities[entity]
    tab.open(out.as_uri())
    tab.key("ArrowRight")
    assert tab.js("document.getElementById('where').textContent") == "24 to 39 of 40"
    canvas = f"figure:nth-child({row - 24 + 1}) canvas"
    tab.mouse("mouseMoved", *tab.place(canvas, (column + 0.5) / 32, (line + 0.5) / 32))
    assert tab.js("document.querySelector('#tip b').textContent") == name
    said = tab.js(
        "[...document.querySelectorAll('#tip tr')].map((row) => "
        "[...row.cells].map((cell) => cell.textContent))"
    )
    assert ["shape", shape] in said
    assert ["visible_pixels", str(pixels)] in said
    tab.click("#views button:nth-child(2)")
    read = f"document.querySelector('{canvas}').getContext('2d').getImageData(0, 0, 32, 32).data"
    shown = np.reshape(tab.js(f"Array.from({read})"), (32, 32, 4))[..., :3]
    np.testing.assert_array_equal(shown, palette[labels])


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("path", ["", "."])
def test_a_path_without_a_name_is_a_folder(
    capsys: pytest.CaptureFixture[str], command: str, path: str
) -> None:
    assert main([command, path]) == 2
    assert capsys.readouterr().err == "scenes: .: a folder, not a file\n"
