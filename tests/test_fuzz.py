"""Damaged files of this project: read, or refused in one line, and nothing else.

Most are damaged behind a checksum that is made anew, as another program may have written them: a
checksum that is wrong is refused before anything else is looked at.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import evaluation.cli
import h5py
import leaderboards
import numpy as np
import pytest
import scenes.cli
from evaluation.json_files import read_json
from evaluation.predictions.cache import Cache
from evaluation.predictions.contract import Predictions
from evaluation.report.content import read_runs, read_scores
from evaluation.scores.result_files import from_content, to_json
from evaluation.training_log import read_log
from fuzzing import MUTATED, NEVER, Target, check, damaged, reader_of
from monet.config import ModelConfig, OptimiserConfig, TrainConfig
from monet.config_file import CONFIG, read_config
from monet.seal import BLANK, ZIP_MARK, digest, seal_zip
from monet.training.run_folder import RunFolder
from monet.training.run_log import METRICS, RunLog
from monet.training.state import STATE
from monet.training.trainer import Trainer
from monet.weights import WEIGHTS, read_weights
from promises import Promise
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig

pytestmark = pytest.mark.slow

MODEL = ModelConfig(
    image_size=16,
    num_slots=3,
    latent_dim=2,
    encoder_channels=(4, 4),
    encoder_hidden=4,
    decoder_channels=(4,),
    unet_channels=(4, 4),
    unet_hidden=(4,),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a file of sprites, an index of them, and predictions."""
    folder = tmp_path_factory.mktemp("sound")
    config = ObjectsRoomConfig(split="test", size=16)
    build(config, n=24, seed=0, out=folder / "file.h5", workers=1)
    build(config, n=24, seed=0, out=folder / "index.h5", workers=1, layout="parts")
    with SceneFile(folder / "file.h5") as file, h5py.File(folder / "p.h5", "w") as written:
        written["segmentation"] = file["segmentation"][:]
        written["reconstruction"] = file["image"][:].astype(np.float32) / 255
        written["scene"] = np.arange(len(file))
    with SceneFile(folder / "file.h5") as file, h5py.File(folder / "m.h5", "w") as written:
        masks = file.masks(slice(None)).astype(np.float32)
        written.create_dataset("masks", data=masks, compression="gzip", shuffle=True)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, rooms_file: Path) -> Path:
    """Returns the folder of a run of two steps."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = TrainConfig(
        name="run",
        model=MODEL,
        optimiser=OptimiserConfig(kind="adam"),
        data=rooms_file,
        steps=2,
        batch_size=4,
        precision="float32",
        log_every=1,
        score_every=2,
    )
    with Trainer(config, folder) as trainer:
        trainer.run()
    return folder


def read_rows(path: Path) -> None:
    with SceneFile(path) as file:
        for key in file.keys():  # noqa: SIM118 (no mapping)
            file[key][:]
        assert file.identity
        assert file.config


def of_scenes(name: str, valid: Path, folder: Path, place: Path | None = None) -> list[Target]:
    """Returns what reads a file of scenes: Python, and three commands.

    Args:
        name: of the file, for messages.
        valid: what is damaged.
        folder: where the commands write.
        place: what is read, where it is not the damaged file itself.
    """
    read = "FILE" if place is None else str(place)
    score = ["score", "--data", read, "--predictions", str(valid.parent / "p.h5")]
    readers = {
        "verify": reader_of(scenes.cli.main, "verify", read, "--n", "0"),
        "show": reader_of(scenes.cli.main, "show", read, "--out", str(folder / "a.png")),
        "page": reader_of(scenes.cli.main, "show", read, "--html", "--out", str(folder / "a.html")),
        "score": reader_of(
            evaluation.cli.main, *score, "--no-baselines", "--out", str(folder / "out")
        ),
    }
    if place is None:
        readers["rows"] = read_rows
    return [
        Target(f"{name}: {reader}", valid.read_bytes(), ".h5", read_it, says_where=place is None)
        for reader, read_it in readers.items()
    ]


def test_scene_files(promise: Promise, sound: Path, tmp_path: Path) -> None:
    cases = check(of_scenes("file", sound / "file.h5", tmp_path), tmp_path, cases=250)
    promise("Damaged files of scenes crash or hang nothing", MUTATED, cases, NEVER)


def test_indices_of_parts(promise: Promise, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "index.h5.parts", tmp_path / "index.h5.parts")
    targets = of_scenes("index", sound / "index.h5", tmp_path)
    cases = check([replace(target, stem="index") for target in targets], tmp_path, cases=100)
    promise("Damaged indices of parts crash or hang nothing", MUTATED, cases, NEVER)


def test_parts(promise: Promise, sound: Path, tmp_path: Path) -> None:
    (part,) = (sound / "index.h5.parts").glob("*.h5")
    index = Path(shutil.copy(sound / "index.h5", tmp_path / "index.h5"))
    place = tmp_path / "index.h5.parts"
    place.mkdir()
    targets = [
        replace(target, read=after_copy(target.read, place / part.name))
        for target in of_scenes("part", part, tmp_path, index)
        if "score" not in target.name
    ]
    cases = check(targets, tmp_path, cases=100)
    promise("Damaged parts crash or hang nothing", MUTATED, cases, NEVER)


def after_copy(read: Callable[[Path], object], place: Path) -> Callable[[Path], object]:
    def copy_and_read(path: Path) -> object:
        shutil.copy(path, place)
        return read(path)

    return copy_and_read


def test_predictions(promise: Promise, sound: Path, tmp_path: Path) -> None:
    score = ["score", "--data", str(sound / "file.h5"), "--predictions", "FILE"]
    read = reader_of(evaluation.cli.main, *score, "--no-baselines", "--out", str(tmp_path / "out"))
    targets = [Target(name, (sound / name).read_bytes(), ".h5", read) for name in ("p.h5", "m.h5")]
    cases = check(targets, tmp_path, cases=400)
    promise("Damaged predictions crash or hang nothing", MUTATED, cases, NEVER)


def sealed_weights(content: bytes) -> bytes:
    """Returns weights with the right checksum, where they have a place for one."""
    start = content.find(b'"checksum":"') + len(b'"checksum":"')
    if start < len(b'"checksum":"'):
        return content
    stop = start + len(BLANK)
    blank = content[:start] + BLANK.encode() + content[stop:]
    return blank[:start] + digest(blank).encode() + blank[stop:]


def test_weights(promise: Promise, run: Path, tmp_path: Path) -> None:
    valid = (run / WEIGHTS).read_bytes()

    def read(path: Path) -> None:
        read_weights(path).model()

    # The header alone: behind it are numbers, of which almost all are good.
    length = 8 + int.from_bytes(valid[:8], "little")
    targets = [
        Target("weights", valid, ".safetensors", read),
        Target("sealed weights", valid, ".safetensors", read, sealed_weights),
        Target(
            "sealed header",
            valid[:length],
            ".safetensors",
            read,
            lambda header: sealed_weights(header + valid[length:]),
        ),
        Target(
            "header of the right length",
            valid[8:length],
            ".safetensors",
            read,
            lambda header: sealed_weights(
                len(header).to_bytes(8, "little") + header + valid[length:]
            ),
        ),
    ]
    cases = check(targets, tmp_path, cases=300)
    promise("Damaged weights crash or hang nothing", MUTATED, cases, NEVER)


def sealed_state(content: bytes) -> bytes:
    """Returns a state with the right checksum, where it ends with one."""
    comment = len(ZIP_MARK) + len(BLANK)
    if content[-comment:][: len(ZIP_MARK)] != ZIP_MARK:
        return content
    return seal_zip(content[: -comment - 2] + bytes(2))


def test_states(promise: Promise, run: Path, rooms_file: Path, tmp_path: Path) -> None:
    """Goes on with the run, and makes a step where the state is taken."""
    valid = (run / STATE).read_bytes()
    config = read_config(run)
    for name in (CONFIG, METRICS):
        shutil.copy(run / name, tmp_path / name)

    def read(path: Path) -> None:
        with Trainer(replace(config, steps=10**9), path.parent) as trainer:
            trainer.run(0.0)

    targets = [
        Target(name, valid, ".pt", read, wrap, stem="state", says_where=False)
        for name, wrap in (("state", bytes), ("sealed state", sealed_state))
    ]
    cases = check(targets, tmp_path, cases=150)
    promise("Damaged training states crash or hang nothing", MUTATED, cases, NEVER)


def sealed_config(content: bytes) -> bytes:
    """Returns a config with the right checksum, as far as it is JSON."""
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(config, dict) or "checksum" not in config:
        return content
    del config["checksum"]
    text = json.dumps(config, sort_keys=True)
    return json.dumps({"checksum": digest(text.encode()), **config}).encode()


def test_configs(promise: Promise, run: Path, tmp_path: Path) -> None:
    valid = (run / CONFIG).read_bytes()

    def read(path: Path) -> None:
        RunFolder(path.parent)
        read_config(path.parent)

    targets = [
        Target(name, valid, ".json", read, wrap, stem="config")
        for name, wrap in (("config", bytes), ("sealed config", sealed_config))
    ]
    cases = check(targets, tmp_path, cases=1000)
    promise("Damaged configs of runs crash or hang nothing", MUTATED, cases, NEVER)


def test_logs(promise: Promise, run: Path, tmp_path: Path) -> None:
    """Training leaves damaged lines out, and says so; a report refuses the log."""
    valid = (run / METRICS).read_bytes()
    shutil.copy(run / WEIGHTS, tmp_path / WEIGHTS)

    def read(path: Path) -> None:
        left_out: list[str] = []
        read_runs(path.parent, (), left_out)
        with RunLog(path.parent, 1):
            pass
        read_log(path)
        if left_out:
            raise ValueError(left_out[0])

    cases = check([Target("log", valid, ".jsonl", read, stem="metrics")], tmp_path, cases=1000)
    promise("Damaged logs of runs crash or hang nothing", MUTATED, cases, NEVER)


def test_scores(promise: Promise, sound: Path, run: Path, tmp_path: Path) -> None:
    score = ["score", "--data", str(sound / "file.h5"), "--out", str(tmp_path / "out")]
    assert evaluation.cli.main([*score, "--checkpoint", str(run)]) == 0
    valid = (tmp_path / "out/scores.json").read_bytes()
    shutil.rmtree(tmp_path / "out")

    def read(path: Path) -> None:
        left_out: list[str] = []
        read_scores(path.parent, left_out)
        if left_out:
            raise ValueError(left_out[0])
        try:
            from_content(read_json(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    cases = check([Target("scores", valid, ".json", read, stem="scores")], tmp_path, cases=1500)
    promise("Damaged scores crash or hang nothing", MUTATED, cases, NEVER)


def test_scores_of_a_leaderboard(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "seed0"
    folder.mkdir(parents=True)
    valid = to_json(leaderboards.scores(0.5, leaderboards.scenes_of())).encode()
    command = ["leaderboard", str(folder), "--out", str(tmp_path / "out")]
    reader = reader_of(evaluation.cli.main, *command)
    target = Target("leaderboard", valid, ".json", reader, stem="scores")
    assert check([target], folder, cases=400) == 400


def test_cache_entries(promise: Promise, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(256, size=(2, 16, 16, 3), dtype=np.uint8)
    cache, computed = Cache(tmp_path), 0

    def segment(images: np.ndarray) -> Predictions:
        nonlocal computed
        computed += 1
        return Predictions((images[..., 0] > 127).astype(np.uint8), 2)

    expected = cache.of_baseline("threshold", segment, images)
    (entry,) = tmp_path.iterdir()
    valid, cases = entry.read_bytes(), 1000
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(cases):
        content = damaged(valid, rng)
        changed += content != valid
        entry.write_bytes(content)
        got = cache.of_baseline("threshold", segment, images)
        assert np.array_equal(got.segmentation, expected.segmentation)
        assert entry.read_bytes() == valid
    assert computed == 1 + changed
    assert changed > cases // 2
    promise(
        "Damaged decompositions in the cache are computed again",
        MUTATED,
        changed,
        "none read",
    )
