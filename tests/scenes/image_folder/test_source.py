"""Folders of pictures: every format and mode, their masks, what is left out, and going on."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
from PIL import Image
from scenes.cli import main
from scenes.command_line import UsageError
from scenes.file.errors import FileError
from scenes.fit import fit_image, fit_labels
from scenes.image_folder.files import find_pictures
from scenes.image_folder.survey import survey

SIZE = 16


def colors(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Returns a picture of smooth colours, which JPEG keeps well."""
    rng = np.random.default_rng(seed)
    row, column = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    slopes = rng.uniform(60, 120, (3, 2))
    planes = [30 + a * row + b * column for a, b in slopes]
    return np.stack(planes, axis=-1).astype(np.uint8)


def three_things(height: int, width: int) -> np.ndarray:
    """Returns labels: background 0 and three objects, one of them at each edge."""
    labels = np.zeros((height, width), dtype=np.uint8)
    labels[: height // 3, : width // 2] = 1
    labels[height // 2 :, width // 2 :] = 2
    labels[height // 3 : height // 2, : width // 3] = 3
    return labels


def make(folder: Path, out: Path, **options: Any) -> scenes.SceneFile:
    pictures = survey(folder, size=SIZE, workers=1, **options)
    scenes.build(pictures.config, n=pictures.n, seed=0, out=out, workers=1)
    return scenes.SceneFile(out)


def test_every_format_and_mode_is_read_by_its_range(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rgb = colors(30, 40)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    picture = Image.fromarray(rgb)
    expected = {}
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"):
        ending = "jpg" if mode == "CMYK" else "png"
        image = picture.convert(mode) if mode != "I;16" else None
        if image is None:
            image = Image.fromarray(grey.astype(np.uint16) << 8)
        image.save(folder / f"mode_{mode.replace(';', '')}.{ending}")
        expected[f"mode_{mode.replace(';', '')}"] = (
            np.repeat(grey[..., None], 3, -1)
            if mode == "I;16"
            else np.asarray(image.convert("RGB"))
        )
    picture.save(folder / "jpeg.JPEG", quality=95)
    picture.save(folder / "webp.webp", lossless=True)
    picture.save(folder / "progressive.jpg", quality=95, progressive=True)
    for name in ("jpeg", "webp", "progressive"):
        expected[name] = rgb
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    file = make(folder, tmp_path / "out.h5")
    names = [Path(picture.name).stem for picture in find_pictures(folder, None)]
    assert len(file) == len(expected) == 11
    for row, name in enumerate(names):
        wanted = fit_image(expected[name], SIZE, "crop").astype(int)
        slack = 4 if name in ("jpeg", "progressive", "mode_CMYK") else 0
        assert abs(file["image"][row].astype(int) - wanted).max() <= slack, name
    assert not file.has("segmentation")
    assert (file.dataset, file.entities) == ("images", ("background",))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_says(tmp_path: Path, orientation: int) -> None:
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: x.swapaxes(0, 1)[:, ::-1],
        7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
        8: lambda x: x.swapaxes(0, 1)[::-1],
    }
    stored = colors(24, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(stored).save(folder / "a.jpg", quality=95, exif=exif)
    upright = turns[orientation](stored)
    mask = three_things(*upright.shape[:2])
    Image.fromarray(mask).save(folder / "a_mask.png")
    file = make(folder, tmp_path / "out.h5", fit="stretch")
    wanted = fit_image(np.ascontiguousarray(upright), SIZE, "stretch").astype(int)
    assert abs(file["image"][0].astype(int) - wanted).max() <= 4
    np.testing.assert_array_equal(file["segmentation"][0], fit_labels(mask, SIZE, "stretch"))


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_any_size_and_any_fit(tmp_path: Path, fit: str) -> None:
    folder = tmp_path / "pictures"
    shapes = [(30, 40), (41, 17), (8, 8), (1, 1), (16, 16), (3, 200)]
    for number, shape in enumerate(shapes):
        folder.joinpath(f"{number}").mkdir(parents=True)
        Image.fromarray(colors(*shape, seed=number)).save(folder / f"{number}" / "picture.png")
    file = make(folder, tmp_path / "out.h5", fit=fit)
    for number, shape in enumerate(shapes):
        wanted = fit_image(colors(*shape, seed=number), SIZE, fit)
        np.testing.assert_array_equal(file["image"][number], wanted)


KINDS = ("index", "palette", "sixteen", "values", "colors", "grey_world", "folder", "underscore")


def write_masks(folder: Path, stem: str, labels: np.ndarray, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    whole = folder / f"{stem}.png"
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 200, 9], [0, 0, 7]], np.uint8)
    if kind == "index":
        Image.fromarray(labels).save(whole)
    elif kind == "palette":
        image = Image.fromarray(labels).convert("P")
        image.putpalette(bytes(range(255, -1, -1)) * 3)
        image.save(whole)
    elif kind == "sixteen":
        Image.fromarray(labels.astype(np.uint16) * 20_000).save(whole)
    elif kind == "values":
        Image.fromarray(labels * np.uint8(85)).save(whole)
    elif kind in ("colors", "grey_world"):
        if kind == "grey_world":
            palette[0] = 64
        colored = palette[[0, 3, 2, 1]][labels]  # in the order of the colours' numbers
        Image.fromarray(colored).convert("RGBA").save(whole)
    else:
        for entity in range(1, 4):
            path = folder / stem / f"{entity}.png"
            if kind == "underscore":
                path = folder / f"{stem}_object_{entity}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray((labels == entity).astype(np.uint8) * np.uint8(255)).save(path)


@pytest.mark.parametrize("place", ["elsewhere", "inside"])
@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind_give_the_same_segmentation(
    tmp_path: Path, kind: str, place: str
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    masks = tmp_path / "masks" if place == "elsewhere" else folder / "masks"
    shapes = {"a": (30, 40), "a_1": (40, 30), "b": (32, 32)}
    for stem, shape in shapes.items():
        Image.fromarray(colors(*shape)).save(folder / f"{stem}.jpg")
        write_masks(masks, stem, three_things(*shape), kind)
    out = tmp_path / "out.h5"
    file = make(folder, out, masks=masks)
    assert file.entities == ("background", "object_0", "object_1", "object_2")
    for row, shape in enumerate(shapes.values()):
        wanted = fit_labels(three_things(*shape), SIZE, "crop")
        np.testing.assert_array_equal(file["segmentation"][row], wanted)
        counts = np.bincount(wanted.ravel(), minlength=4)[1:]
        np.testing.assert_array_equal(file["factors/visible_pixels"][row], counts)
    report = scenes.verify(out, source=folder, masks=masks)
    assert (report.problems, report.remade) == ((), (0, 1, 2))
    unopened = scenes.verify(out)
    assert "--source PATH is" in unopened.not_remade
    with pytest.raises(ValueError, match="name their folder by --masks"):
        scenes.verify(out, source=folder)


def test_masks_beside_the_pictures_are_no_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write_masks(folder, "CLEVR_new_000000_mask", three_things(24, 32), "grey_world")
    Image.fromarray(colors(24, 32)).save(folder / "CLEVR_new_000000.png")
    file = make(folder, tmp_path / "out.h5")
    assert len(file) == 1
    wanted = fit_labels(three_things(24, 32), SIZE, "crop")
    np.testing.assert_array_equal(file["segmentation"][0], wanted)
    assert scenes.verify(tmp_path / "out.h5", source=folder).remade == (0,)
    Image.fromarray(colors(24, 32)).save(folder / "gas_mask.png")  # of nothing: a picture
    names = [picture.name for picture in find_pictures(folder, None)]
    assert names == ["CLEVR_new_000000.png", "gas_mask.png"]


def test_masks_in_the_folder_of_pictures_are_no_pictures_however_it_is_written(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pictures"
    (folder / "masks").mkdir(parents=True)
    Image.fromarray(colors(20, 20)).save(folder / "a.png")
    Image.fromarray(three_things(20, 20)).save(folder / "masks" / "a.png")
    (tmp_path / "link").symlink_to(folder)
    for masks in (folder / "masks", folder / ".." / "pictures" / "masks", tmp_path / "link/masks"):
        assert [picture.name for picture in find_pictures(folder, masks)] == ["a.png"]


def test_what_cannot_be_read_is_named_counted_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "out.h5"
    write_masks(folder, "good_mask", three_things(24, 32), "index")
    Image.fromarray(colors(24, 32)).save(folder / "good.png")
    whole = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "other.webp").write_bytes(whole)
    (folder / "folder.png").mkdir()
    Image.fromarray(colors(9, 9)).save(folder / "lacking.png")
    Image.fromarray(colors(9, 9)).save(folder / "smaller.png")
    Image.fromarray(three_things(8, 9)).save(folder / "smaller_mask.png")
    Image.fromarray(colors(40, 40)).save(folder / "blended.png")
    blended = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(blended).save(folder / "blended_mask.png")
    frames = [Image.fromarray(colors(9, 9, seed)) for seed in range(2)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    for name in ("cut", "empty", "other", "moving"):
        Image.fromarray(three_things(24, 32)).save(folder / f"{name}_mask.png")
    words = ["images", str(folder), "--size", str(SIZE), "--workers", "1", "--out", str(out)]
    assert main(words) == 1
    lines = capsys.readouterr().err.splitlines()
    told = {line.split(": ")[1].rpartition("/")[2]: line for line in lines[:-1]}
    named = {"blended.png", "cut.png", "empty.jpg", "lacking.png", "moving.webp"}
    assert told.keys() == named | {"smaller.png"}
    assert "has no masks, which others have" in told["lacking.png"]
    assert "smaller_mask.png: 9 x 8 pixels, but the picture has 9 x 9" in told["smaller.png"]
    assert "entities, background included; at most 255" in told["blended.png"]
    assert "2 images in one file" in told["moving.webp"]
    assert lines[-1] == f"scenes: 6 of 8 pictures could not be read; {out} has the others"
    assert len(scenes.SceneFile(out)) == 2, "a PNG under another ending is a PNG"
    assert main([*words, "--strict", "--overwrite"]) == 1
    assert "without --strict it is left out" in capsys.readouterr().err


def test_control_codes_in_names_of_pictures_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(colors(16, 16)).save(folder / "whole.png")
    (folder / "red\x1b[31m.png").write_bytes(b"no picture")
    words = ["images", str(folder), "--size", "16", "--workers", "1"]
    assert main([*words, "--out", str(tmp_path / "out.h5")]) == 1
    captured = capsys.readouterr()
    assert "red\\x1b[31m.png: " in captured.err
    assert "\x1b" not in captured.err + captured.out


def test_overlapping_objects_are_said_and_the_first_has_the_pixel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, masks = tmp_path / "pictures", tmp_path / "masks"
    folder.mkdir()
    masks.mkdir()
    Image.fromarray(colors(16, 16)).save(folder / "a.png")
    for number, columns in enumerate((slice(0, 10), slice(8, 16))):
        mask = np.zeros((16, 16), np.uint8)
        mask[:, columns] = 1  # any value but 0 is the object
        Image.fromarray(mask).save(masks / f"a_{number}.png")
    words = ["images", str(folder), "--size", "16", "--masks", str(masks), "--workers", "1"]
    assert main([*words, "--out", str(tmp_path / "out.h5")]) == 0
    assert "32 pixels of 1 pictures are in the masks of several" in capsys.readouterr().err
    labels = scenes.SceneFile(tmp_path / "out.h5")["segmentation"][0]
    assert labels[0].tolist() == [1] * 10 + [2] * 6


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "out.h5"
    folder.mkdir()
    for number in range(20):
        Image.fromarray(colors(20, 20, number)).save(folder / f"{number:02}.png")
    pictures = survey(folder, size=SIZE, workers=1)
    scenes.build(pictures.config, n=10, seed=0, out=out, workers=1)
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    pictures = survey(moved, size=SIZE, workers=2)
    scenes.build(pictures.config, n=20, seed=0, out=out, workers=2)
    assert len(scenes.SceneFile(out)) == 20
    assert scenes.verify(out, source=moved, remade=20).remade == tuple(range(20))
    Image.fromarray(colors(20, 20, 99)).save(moved / "03.png")
    changed = survey(moved, size=SIZE, workers=1)
    with pytest.raises(UsageError, match="exists and is something else; --overwrite replaces it"):
        scenes.build(changed.config, n=20, seed=0, out=out, workers=1)
    other = survey(moved, size=SIZE, fit="pad", workers=1)
    with pytest.raises(UsageError, match="exists and is something else"):
        scenes.build(other.config, n=20, seed=0, out=out, workers=1)
    (moved / "04.png").unlink()
    with pytest.raises(FileError, match="changed since"):
        scenes.open_source(changed.config, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["."], ".: no PNG, JPEG or WebP in it"),
        (["pictures", "--masks", "nowhere"], "nowhere: no such folder"),
        (["pictures", "--masks", "none"], "none: no masks in it"),
        (["pictures", "--size", "0"], "--size must be from 1 to 10000, got 0"),
        (["pictures", "--size", "99999999"], "--size must be from 1 to 10000, got 99999999"),
        (["pictures", "--n", "2"], "pictures: --n 2, but there are 1 pictures"),
        (["twice", "--masks", "masks"], "whose are the masks of that name?"),
        (["pictures", "--masks", "both"], "which has a_1.png too"),
    ],
)
def test_a_request_that_cannot_be_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("none", "twice", "masks", "both", "pictures"):
        (tmp_path / name).mkdir()
    if words == ["."]:
        shutil.rmtree("pictures")
    else:
        for name in (
            "pictures/a.png",
            "twice/a.png",
            "twice/a.jpg",
            "masks/a.png",
            "both/a.png",
            "both/a_1.png",
        ):
            Image.new("L", (8, 8)).save(name)
    assert main(["images", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("data").exists()


def test_a_name_that_is_no_utf_8_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    path = tmp_path / "plain.png"
    Image.fromarray(colors(20, 20)).save(path)
    path.rename(folder / "caf\udce9.png")
    file = make(folder, tmp_path / "out.h5")
    assert len(file) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", file.config.content)
