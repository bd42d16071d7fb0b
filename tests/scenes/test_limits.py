"""Values out of range are one line, and no number is narrowed unseen."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes.clevr.config import ClevrConfig, ClevrLikeConfig
from scenes.cli import main
from scenes.command_line import UsageError
from scenes.driver import build
from scenes.file.writer import build_attributes
from scenes.formats.config import ImportedConfig
from scenes.limits import check_whole, narrowed
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.multi_dsprites.source import MultiDSpritesSource
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import Kind
from scenes.serialise import from_json

HUGE = 10**23


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ObjectsRoomConfig(size=HUGE), "--size must be even, from 16 to 512, got 1000"),
        (lambda: ObjectsRoomConfig(size=-2), "--size must be even, from 16 to 512, got -2"),
        (lambda: ObjectsRoomConfig(views=0), "--views must be from 1 to 64, got 0"),
        (lambda: ObjectsRoomConfig(views=HUGE), "--views must be from 1 to 64, got 1000"),
        (lambda: ObjectsRoomConfig(shapes=()), "--shapes must name at least one shape"),
        (
            lambda: ObjectsRoomConfig(split="objects", objects=HUGE),
            "--objects must be from 0 to 9, got 1000",
        ),
        (lambda: Kind(hue=(math.nan, 0.5)), "a hue's range is two numbers of 0 to 1, got nan-0.5"),
        (lambda: Kind(hue=(0.5, math.inf)), "a hue's range is two numbers of 0 to 1, got 0.5-inf"),
        (
            lambda: ObjectsRoomConfig(hold_out=(Kind(("box",)),) * 65),
            "--hold-out takes up to 64 kinds, got 65",
        ),
        (lambda: ClevrLikeConfig(max_objects=HUGE), "--max-objects must be from 3 to 10, got 1000"),
        (
            lambda: ClevrConfig("a", "b", 320, 240, num_rows=300),
            "objects of a scene must be from 0 to 254, got 300",
        ),
        (
            lambda: ClevrConfig("a", "b", 320, 240, max_objects=0),
            "--max-objects must be from 1 to 1000000, got 0",
        ),
        (
            lambda: ImportedConfig("a", "b", "objects_room", 300, 64),
            "entities of a record must be from 0 to 255, got 300",
        ),
        (lambda: check_whole("--objects", True, 0, 9), "--objects must be from 0 to 9, got True"),
        (lambda: check_whole("--objects", 1.0, 0, 9), "--objects must be from 0 to 9, got 1.0"),
        (
            lambda: check_whole("--objects", math.nan, 0, 9),
            "--objects must be from 0 to 9, got nan",
        ),
    ],
)
def test_a_config_refuses_what_cannot_be(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "--n must be at least 1, got 0"),
        ({"n": HUGE}, "--n must be at most 1,024,000,000 at 64 pixels, got 100,000,000,000,"),
        ({"seed": -1}, "--seed must be from 0 to 2^63 - 1, got -1"),
        ({"seed": 1 << 63}, "--seed must be from 0 to 2^63 - 1, got 9223372036854775808"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
        ({"workers": HUGE}, "--workers must be at most 1024, got 1000"),
        ({"hang_s": math.nan}, "hang_s must be above 0 and finite, got nan"),
        ({"hang_s": math.inf}, "hang_s must be above 0 and finite, got inf"),
        ({"hang_s": 0.0}, "hang_s must be above 0 and finite, got 0.0"),
    ],
)
def test_a_build_refuses_what_cannot_be(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        build(MultiDSpritesConfig(), **{"n": 1, "seed": 0, **options}, out=tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        f"render --n {HUGE}",
        f"render --n 3 --views {HUGE}",
        "render --size nan",
        "render --size 0",
        "render --objects -1",
        f"render --seed {HUGE}",
        "render --hold-out hue=nan-1",
        "render --hold-out=",
        f"sprites --n {HUGE}",
        "sprites --n inf",
        f"sprites --workers {HUGE}",
        "sprites --variant=",
        f"clevr-like --n {HUGE}",
        "clevr-like --max-objects 0",
        "clevr . --max-objects 0",
        f"show a.h5 --n {HUGE}",
        "show a.h5 --n 0",
        "verify a.h5 --n -1",
    ],
)
def test_numbers_out_of_range_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("scenes: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"size": 64.5}', "must be a whole number, got 64.5"),
        ('{"size": "64"}', "must be a whole number, got '64'"),
        ('{"size": true}', "must be a whole number, got True"),
        ('{"depth": 1}', "must be true or false, got 1"),
        ('{"hold_out": [{"hue": [0.1, NaN]}]}', "must be a finite number, got nan"),
        ('{"hold_out": [[]]}', "must be an object with fields, got []"),
        ("[]", "must be an object with fields, got []"),
    ],
)
def test_a_stored_config_is_taken_as_it_is_written(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_json(text, ObjectsRoomConfig)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([3, 256]), "uint8"),
        (np.array([-1, 3]), "uint8"),
        (np.array([0.5]), "int32"),
        (np.array([np.nan]), "uint8"),
        (np.array([1e300]), "float32"),
        (np.array([1 << 40]), "int32"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: np.ndarray, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"factors/shape: .* does not fit into {kind}"):
        narrowed(values, np.dtype(kind), "factors/shape")


def test_what_fits_is_the_same_number() -> None:
    for values, kind in (([0, 255], "uint8"), ([1.0, 2.0], "int32"), ([0.1, np.inf], "float16")):
        held = np.array(values)
        np.testing.assert_allclose(narrowed(held, np.dtype(kind), "x"), held, rtol=1e-3)


def test_more_entities_than_a_segmentation_tells_apart_are_refused() -> None:
    source = MultiDSpritesSource(MultiDSpritesConfig(), 0)
    source.entities = tuple(f"object_{i}" for i in range(256))
    with pytest.raises(ValueError, match="datasets hold up to 255 entities, background included"):
        build_attributes(source)
