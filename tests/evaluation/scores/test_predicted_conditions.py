"""Masks of the conditions' scenes, made anywhere: scored as the model that made them is."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import evaluation
import h5py
import numpy as np
import pytest
from evaluation.cli import main
from evaluation.predictions.cache import Cache
from evaluation.scores.conditions import CONDITIONS
from evaluation.scores.result_files import to_json
from evaluation.scores.results import Generalisation
from monet.model import Monet
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile

N, SLOTS = 20, 5
SCORED = ("test", "objects_0", "objects_2", "objects_6", "identical_color")


class MasksOf:
    """The masks and the reconstruction of a model, and nothing else that it has."""

    image_size = 32

    def __init__(self, model: Monet) -> None:
        self.model = model

    def decompose(self, images: np.ndarray, num_slots: int) -> "Parts":
        return Parts(self.model.decompose(images, num_slots))


class Parts:
    def __init__(self, output: object) -> None:
        self.masks, self.reconstruction = output.masks, output.reconstruction  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of the scenes of some conditions, as `eval conditions` writes them."""
    folder = tmp_path_factory.mktemp("scenes")
    evaluation.write_conditions(folder, n=N, size=32, workers=1)
    return folder


@pytest.fixture(scope="module")
def masks(scenes: Path, model: Monet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of a model's masks of these scenes."""
    folder = tmp_path_factory.mktemp("masks")
    for name in SCORED:
        with SceneFile(scenes / f"{name}.h5") as file:
            parts = MasksOf(model).decompose(file["image"][:], SLOTS)
        with h5py.File(folder / f"{name}.h5", "w") as written:
            written["masks"], written["reconstruction"] = parts.masks, parts.reconstruction
            written["scene"] = np.arange(N)
    return folder


@pytest.fixture(scope="module")
def whole(scenes: Path, model: Monet, cache: Cache) -> Generalisation:
    """Returns the scores of the model that made the masks."""
    return evaluation.generalise(
        MasksOf(model), SLOTS, n=N, data_folder=scenes, conditions=SCORED, cache=cache
    )


def test_every_condition_has_a_file_and_the_page_names_it(scenes: Path) -> None:
    page = (scenes / "README.md").read_text()
    for name in CONDITIONS:
        assert f"| `{name}.h5` |" in page
        with SceneFile(scenes / f"{name}.h5") as file:
            assert (len(file), file.image_size, file.has("amodal")) == (N, 32, True)
    before = {path: path.stat().st_mtime_ns for path in scenes.glob("*.h5")}
    evaluation.write_conditions(scenes, n=N, size=32, workers=1)
    assert {path: path.stat().st_mtime_ns for path in scenes.glob("*.h5")} == before
    with pytest.raises(UsageError, match="exists and is something else"):
        evaluation.write_conditions(scenes, n=N, size=64, workers=1)


def test_scores_equal_those_of_the_model_to_the_last_digit(
    scenes: Path, masks: Path, whole: Generalisation, cache: Cache, tmp_path: Path
) -> None:
    result = evaluation.generalise(
        masks, data_folder=scenes, conditions=SCORED, cache=cache, out=tmp_path
    )
    assert (result.checkpoint.path, result.checkpoint.name) == (str(masks), masks.name)
    assert to_json(replace(result, checkpoint=whole.checkpoint)) == to_json(whole)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "scores.json",
        "decompositions.png",
        "generalisation.png",
        "occlusion.png",
        "slot_use.png",
    }


def test_some_conditions_suffice_and_each_that_lacks_is_named(
    scenes: Path,
    masks: Path,
    whole: Generalisation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "mine"
    given.mkdir()
    shutil.copy(masks / "objects_2.h5", given)
    (given / "objects_7\n.h5").write_text("")
    (given / "notes.txt").write_text("")
    command = ["generalise", "--predictions", str(given), "--data-folder", str(scenes)]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "Not scored as in training, one colour" in out
    lines = err.splitlines()
    assert f"eval: {given}/objects_7 .h5: no condition has this name; left out" in lines
    lacking = [name for name in CONDITIONS if name != "objects_2"]
    for name in lacking:
        line = f"eval: {given / name}.h5: no such file; this condition is left out"
        assert line in lines
    assert len(lines) == len(lacking) + 1
    content = json.loads(Path("results/generalise/mine/scores.json").read_text())
    assert list(content["conditions"]) == ["objects_2"]
    expected = json.loads(to_json(whole))["conditions"]["objects_2"]
    assert content["conditions"]["objects_2"] == expected
    assert content["num_slots"] == SLOTS


def test_labels_are_numbered_over_all_conditions_and_some_may_be_ignored(
    scenes: Path, tmp_path: Path, cache: Cache
) -> None:
    """Wherever pixels are wrong they are ignored: everything else is perfect."""
    for name in ("objects_2", "objects_6"):
        with (
            SceneFile(scenes / f"{name}.h5") as file,
            h5py.File(tmp_path / f"{name}.h5", "w") as written,
        ):
            labels = 300 * file.segmentation(slice(None)).astype(np.int64)
            labels[:, :4] = 7
            written["segmentation"] = labels
    result = evaluation.generalise(
        tmp_path,
        data_folder=scenes,
        conditions=("objects_2", "objects_6"),
        ignore_label=7,
        cache=cache,
    )
    assert result.num_slots == 10, "four of the background and six objects"
    for name in ("ari", "ari_fg", "msc", "recall", "count"):
        assert result.conditions["objects_6"][name].mean == pytest.approx(1), name
    assert result.baselines["one slot"]["objects_6"]["ari"].mean == 0
    found = [recall.mean for recall in result.occlusion.model.recall if recall.count]
    assert found == [1] * len(found)
    use = result.slot_use["objects_6"]
    assert sum(sum(slot.area.values()) for slot in use) == pytest.approx(1)
    assert use[9].mostly["objects"] > 0.8


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray], *, scene: bool = True) -> None:
    with h5py.File(path, "r+") as file:
        masks = change(file["masks"][:])
        for key in ("masks", "reconstruction", *(() if scene else ("scene",))):
            del file[key]
        file["masks"] = masks


def set_nan(masks: np.ndarray) -> np.ndarray:
    masks[3, 0, 1, 1] = np.nan
    return masks


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        "not a readable HDF5 file, or cut short",
    ),
    "nan": (lambda path: rewrite(path, set_nan), "masks: must be finite, got nan in scene 3"),
    "size": (
        lambda path: rewrite(path, lambda masks: masks[..., ::2, ::2]),
        f"masks: expected ({N}, K, 32, 32), got ({N}, {SLOTS}, 16, 16)",
    ),
    "count": (
        lambda path: rewrite(path, lambda masks: masks[:12]),
        f"masks: expected ({N}, K, 32, 32), got (12, {SLOTS}, 32, 32)",
    ),
    "slots": (
        lambda path: rewrite(path, lambda masks: masks[:, [0] * 2] * 0 + 0.5),
        "has 2 slots, and objects_2.h5 has 5: all conditions need the same number",
    ),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "no regular file"),
    "pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "no regular file"),
    "device": (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "no regular file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line_and_nothing_is_written(
    scenes: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    given = tmp_path / "masks"
    given.mkdir()
    for name in ("objects_2", "objects_6"):
        shutil.copy(masks / f"{name}.h5", given)
    damage, line = BAD[kind]
    damage(given / "objects_6.h5")
    out = tmp_path / "out"
    command = ["generalise", "--predictions", str(given), "--data-folder", str(scenes)]
    assert main([*command, "--out", str(out)]) == 1
    printed, err = capsys.readouterr()
    assert printed == ""
    assert err.splitlines()[-1] == f"eval: {given / 'objects_6.h5'}: {line}"
    assert not out.exists()


def test_folders_that_are_none_are_refused(scenes: Path, masks: Path, tmp_path: Path) -> None:
    def refusal(folder: Path, data: Path = scenes, **options: int) -> str:
        with pytest.raises((UsageError, CommandError)) as refused:
            evaluation.generalise(folder, data_folder=data, **options)  # type: ignore[arg-type]
        return str(refused.value)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(empty).startswith(f"{empty}: has no masks of objects_0, objects_1")
    assert refusal(tmp_path / "gone") == f"{tmp_path / 'gone'}: no such folder"
    assert refusal(masks / "test.h5") == f"{masks / 'test.h5'}: no folder"
    assert "holds the scenes themselves" in refusal(scenes)
    assert refusal(masks, empty).startswith(f"{empty / 'test.h5'}: no such file, and the masks of")
    assert (
        refusal(masks, n=N + 1) == f"{scenes / 'test.h5'}: has {N} scenes, fewer than --n {N + 1}"
    )
    assert refusal(masks, seed=3) == f"{scenes / 'test.h5'}: has scenes of seed 0, not 3"
    assert refusal(masks, n=0) == "--n must be at least 1, got 0"
    assert "--slots, --hold-out and --workers go with" in refusal(masks, slots=5)
    other = tmp_path / "other"
    shutil.copytree(scenes, other)
    shutil.copy(scenes / "objects_5.h5", other / "objects_6.h5")
    line = f"{other / 'objects_6.h5'}: holds other scenes than those of objects_6"
    assert refusal(masks, other).startswith(line)


def test_another_order_is_noticed_where_no_file_says_its_own(scenes: Path, tmp_path: Path) -> None:
    with SceneFile(scenes / "objects_6.h5") as file:
        labels = file.segmentation(slice(None))
    path = tmp_path / "objects_6.h5"
    with h5py.File(path, "w") as written:
        written["segmentation"] = np.roll(labels, 1, axis=0)
    with pytest.raises(CommandError, match=re.escape(f"{path}: not in the order of the data")):
        evaluation.generalise(tmp_path, data_folder=scenes)


def test_flags_of_models_and_of_masks_do_not_mix(
    masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, line in (
        (["--checkpoint", "a", "--predictions", str(masks)], "give one of --checkpoint and"),
        (["--predictions", str(masks), "--slots", "4"], "--slots, --hold-out and --workers go"),
        (["--checkpoint", "objects_room_quick", "--ignore-label", "3"], "--ignore-label goes with"),
    ):
        assert main(["generalise", *flags]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"eval: {line}")
        assert err.count("\n") == 1


@pytest.mark.slow
def test_masks_are_scored_without_torch_or_mujoco(
    scenes: Path, masks: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from evaluation.cli import main\n"
        f"code = main(['generalise', '--predictions', {str(masks)!r}, '--data-folder',"
        f" {str(scenes)!r}, '--n', '4', '--out', {str(tmp_path / 'out')!r}])\n"
        "loaded = {'torch', 'mujoco', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
