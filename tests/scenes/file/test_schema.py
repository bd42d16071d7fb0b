"""The one place that documents fields knows every field."""

import re
from collections.abc import Iterable

import pytest
from scenes import ClevrLikeConfig, MultiDSpritesConfig, ObjectsRoomConfig, open_source
from scenes.dataset import DatasetConfig
from scenes.file import schema
from scenes.formats.multi_object_datasets import LAYOUTS

DOCUMENTED = set(re.findall(r"`([\w/]+)`", schema.__doc__ or ""))


def undocumented(keys: Iterable[str]) -> set[str]:
    return set(keys) - DOCUMENTED


@pytest.mark.parametrize(
    "config",
    [
        ObjectsRoomConfig(size=16, split="test", depth=True, views=2),
        MultiDSpritesConfig(split="test"),
        ClevrLikeConfig(split="test"),
    ],
    ids=lambda config: config.dataset,
)
def test_every_field_of_a_source_is_documented(config: DatasetConfig) -> None:
    fields = open_source(config, seed=0).fields
    assert len(fields) > 10
    assert undocumented(fields) == set()


def test_every_field_of_an_import_is_documented() -> None:
    features = {key for layout in LAYOUTS.values() for key in layout.factors}
    assert undocumented(f"factors/{key}" for key in features) == set()
    assert undocumented(["mask_conflicts", "background/KEY"]) == set()


def test_root_attributes_are_documented() -> None:
    written = {"schema", "dataset", "config", "seed", "version", "entities", "provenance"}
    assert undocumented(written | {"sha256", "complete", schema.CHECKSUMS, schema.PARTS}) == set()
