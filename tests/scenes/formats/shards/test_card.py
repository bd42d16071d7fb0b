"""The card tells hubs and people what the shards are, and no word of a file is markup in it."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from scenes.arrays.writing import write_arrays
from scenes.file.reader import SceneFile
from scenes.formats.export import export
from scenes.formats.shards.card import TEMPLATES, card, plain, size_category
from scenes.formats.shards.manifest import read_manifests
from scenes.formats.shards.options import ShardOptions
from scenes.image_folder.config import ImageFolderConfig
from scenes.source_list import DATASETS
from scenes.splits.splitting import split

ROOT = Path(__file__).resolve().parents[4]


def head(text: str) -> dict[str, object]:
    """Returns what a hub reads of a card."""
    _, front, _ = text.split("---\n", 2)
    read: dict[str, object] = yaml.safe_load(front)
    return read


@pytest.fixture
def text(sprites: Path, tmp_path: Path) -> str:
    """Returns a card of sprites."""
    export(sprites, tmp_path / "shards", "parquet", shards=ShardOptions(per_shard=16))
    return (tmp_path / "shards" / "README.md").read_text()


def test_a_hub_reads_licence_tasks_size_and_splits(text):
    assert head(text) == {
        "license": "apache-2.0",
        "pretty_name": "Multi-dSprites",
        "task_categories": ["image-segmentation"],
        "size_categories": ["n<1K"],
        "tags": ["object-centric-learning", "scene-decomposition"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*-of-00003.parquet"}],
            }
        ],
    }


def test_people_read_everything_of_the_file(text, sprites, tmp_path):
    with SceneFile(sprites) as file:
        assert file.attributes["sha256"] in text
        for key in file.keys():  # noqa: SIM118
            assert f"| `{key}` |" in text
    for shard in read_manifests(tmp_path / "shards")["train"].shards:
        assert f"{shard.sha256}  {shard.name}\n" in text
    for section in (
        "Load it",
        "Fields",
        "How it was made",
        "Laws of the scenes",
        "Limits",
        "Licence",
        "Citation",
        "Checksums",
    ):
        assert f"\n## {section}\n" in text
    assert '"variant": "colored_on_colored"' in text
    assert "\n\n\n\n" not in text


def test_the_citation_is_that_of_the_project(text):
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert f"title = {{{cff['title']}}}" in text
    assert f"version = {{{cff['version']}}}" in text
    (paper,) = cff["references"]
    assert f"title = {{{paper['title']}}}" in text
    names = " and ".join(f"{a['family-names']}, {a['given-names']}" for a in paper["authors"])
    assert f"author = {{{names}}}" in text


def test_every_dataset_has_a_card(sprites, tmp_path):
    export(sprites, tmp_path / "a", "webdataset")
    manifest = read_manifests(tmp_path / "a")["train"]
    for dataset in DATASETS.keys() - {"split"}:
        origin = dataclasses.replace(manifest.origin, dataset=dataset)
        text = card({"train": dataclasses.replace(manifest, origin=origin)})
        assert head(text)["pretty_name"] == DATASETS[dataset].title
        assert not re.search(r"\{[{%]", text.replace("{{The MONet suite authors}}", ""))
        assert "train-{000000..000000}.tar" in text


def test_a_card_names_no_folder_of_this_machine(tmp_path, sprites):
    """Not even that of the pictures, or of the file that a split was cut from."""
    from PIL import Image
    from scenes.cli import main

    pictures = tmp_path / "secret"
    pictures.mkdir()
    Image.new("RGB", (20, 20)).save(pictures / "a.png")
    images = tmp_path / "images.h5"
    assert main(["images", str(pictures), "--size", "16", "--out", str(images)]) == 0
    parts = split(sprites, test=8, out=tmp_path)
    for number, path in enumerate([images, parts["test"].path, parts["train"].path]):
        out = tmp_path / f"out{number}"
        export(path, out, "parquet")
        for made in [out / "README.md", *(out / "manifests").iterdir()]:
            assert "secret" not in made.read_text()
            assert str(tmp_path) not in made.read_text()
            assert str(sprites.parent) not in made.read_text()
    assert "source" in {field.name for field in dataclasses.fields(ImageFolderConfig)}
    text = (tmp_path / "out1" / "README.md").read_text()
    assert "The scenes were chosen from a larger file" in text
    assert head(text)["configs"][0]["data_files"][0]["split"] == "test"


def test_without_masks_it_is_no_segmentation(tmp_path):
    import numpy as np

    write_arrays(np.zeros((2, 16, 16, 3), np.uint8), out=tmp_path / "a.h5")
    export(tmp_path / "a.h5", tmp_path / "a", "parquet")
    text = (tmp_path / "a" / "README.md").read_text()
    assert head(text)["task_categories"] == ["unconditional-image-generation"]
    assert head(text)["license"] == "unknown"
    assert "segmentation" not in text.split("## Citation")[0].replace("image-segmentation", "")


@pytest.mark.parametrize(
    "words",
    [
        "<script>a</script>",
        "[a](b)",
        "![a](b)",
        "a | b",
        "`a`",
        "**a**",
        "line\nline",
        "http://evil",
        "&lt;",
    ],
)
def test_words_of_a_file_are_words(words):
    said = plain(words)
    assert "\n" not in said
    assert "<" not in said
    assert "://" not in said
    assert not re.search(r"(?<!\\)[`*\[\]|]", said)


def test_words_of_a_file_stay_in_their_cells(sprites, tmp_path):
    evil = "<img src=x onerror=alert(1)>|`[x](http://a)`\n\n# head"
    export(sprites, tmp_path / "a", "parquet")
    manifest = read_manifests(tmp_path / "a")["train"]
    field = dataclasses.replace(
        manifest.fields["num_objects"], meaning=evil, unit=evil, categories=(evil, evil)
    )
    fields = {**manifest.fields, evil: field}
    origin = dataclasses.replace(manifest.origin, entities=(evil,), version=evil)
    text = card({"train": dataclasses.replace(manifest, fields=fields, origin=origin)})
    assert "<img" not in re.sub(r"`[^`\n]*`", "", text)
    assert "\n# head" not in text
    assert len(head(text)["configs"]) == 1


@pytest.mark.parametrize(
    ("n", "category"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (1_000_000, "1M<n<10M"),
        (10**12, "n>1T"),
    ],
)
def test_a_size_is_one_of_the_hubs_categories(n, category):
    assert size_category(n) == category


def test_every_template_is_a_datasets_or_the_whole():
    names = {Path(name).stem for name in TEMPLATES.list_templates()}
    assert names == {*DATASETS, "card"} - {"split"}
