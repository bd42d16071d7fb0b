"""Generalisation: the right scenes in each condition, and results that can be read again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation.figures import draw_decompositions, save
from evaluation.figures.condition_plots import plot_generalisation, plot_occlusion, plot_slot_use
from evaluation.figures.panels import COMPLETION
from evaluation.predictions.baselines import BASELINES
from evaluation.predictions.cache import Cache
from evaluation.predictions.models import scored_model
from evaluation.scores.conditions import (
    COMPARED,
    CONDITIONS,
    TestRooms,
    hold_out_of,
    title_of,
)
from evaluation.scores.example_scenes import example_scenes
from evaluation.scores.generalisation import generalise
from evaluation.scores.result_files import from_json, to_json, write_result
from evaluation.scores.results import Generalisation, ModelIdentity, Statistic
from evaluation.terminal_tables import (
    comparison_table,
    completion,
    condition_table,
    console,
    occlusion_table,
    slot_table,
    verdict,
)
from monet.model import Monet
from scenes.command_line import UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import SHAPES, parse_kind


@pytest.fixture(scope="module")
def fewer(model: Monet, folder: Path, result: Generalisation, cache: Cache) -> Generalisation:
    """Returns the result of five slots on the same scenes."""
    return generalise(model, 5, n=3, data_folder=folder, cache=cache)


def test_every_condition_is_scored_on_scenes_of_its_own(
    result: Generalisation, folder: Path
) -> None:
    assert tuple(result.conditions) == CONDITIONS
    for count in range(7):
        with SceneFile(folder / f"objects_{count}_32px.h5") as file:
            assert (file["num_visible"][:] == count).all()
            assert file.n == 3
    with SceneFile(folder / "identical_color_32px.h5") as file:
        hue = file["factors/color_hsv"][:, :, 0]
        present = file["factors/present"][:]
        assert all(len(np.unique(row[mask])) == 1 for row, mask in zip(hue, present, strict=True))


def test_the_trained_number_of_slots_stands_beside_another(
    result: Generalisation, fewer: Generalisation
) -> None:
    more, same = json.loads(to_json(result)), json.loads(to_json(fewer))
    assert same["as_trained"] is None, "they are the slots that were asked for"
    expected = {condition: same["conditions"][condition] for condition in COMPARED}
    assert more["as_trained"] == {"num_slots": 5, "conditions": expected}
    terminal = console()
    with terminal.capture() as capture:
        terminal.print(comparison_table([result]))
    assert "MONet, 5 slots as in training" in capture.get()


def test_scores_name_what_is_undefined(result: Generalisation) -> None:
    content = json.loads(to_json(result))
    conditions = content["conditions"]
    assert conditions["objects_1"]["ari_fg"] == {
        "mean": None,
        "sem": None,
        "low": None,
        "high": None,
        "count": 0,
    }
    assert conditions["objects_0"]["count"]["count"] == 3
    assert conditions["objects_0"]["msc"]["mean"] is None
    assert set(content["baselines"]) == set(BASELINES)
    for name in ("mse", "nll", "kl_latent", "kl_mask"):
        assert conditions["test"][name]["count"] == 3


def test_four_alike_are_four_of_one_colour_on_a_floor_of_nearly_that_colour(
    folder: Path, result: Generalisation
) -> None:
    with SceneFile(folder / "four_identical_32px.h5") as file:
        assert (file["num_visible"][:] == 4).all()
        hsv = file["factors/color_hsv"][:]
    assert (hsv == hsv[:, :1]).all()


def test_ceilings_are_those_of_walls_and_sky_in_one_slot(result: Generalisation) -> None:
    for condition in CONDITIONS:
        ceiling = result.ceilings[condition]
        if ceiling["ari_paper"].count:
            assert ceiling["ari_paper"].mean == 1
        assert 0 < ceiling["ari"].mean < 1
        assert ceiling["ari"].mean <= ceiling["ari_merged"].mean
    assert result.ceilings["objects_6"]["ari_fg"].mean == 1
    assert result.ceilings["objects_6"]["count"].mean == 1


def test_slots_that_are_used_and_empty_add_up(result: Generalisation) -> None:
    for condition in CONDITIONS:
        scores, use = result.conditions[condition], result.slot_use[condition]
        assert scores["slots_used"].mean + scores["slots_empty"].mean == pytest.approx(9)
        assert sum(slot.used for slot in use) == pytest.approx(scores["slots_used"].mean)
        assert sum(sum(slot.area.values()) for slot in use) == pytest.approx(1)
        for slot in use:
            assert sum(slot.mostly.values()) == pytest.approx(slot.used)


def test_occlusion_counts_every_object_in_view(result: Generalisation) -> None:
    counted = sum(statistic.count for statistic in result.occlusion.model.recall)
    assert counted == 3 * sum(range(7))
    assert set(result.occlusion.baselines) == set(BASELINES)
    for found in result.occlusion.baselines.values():
        assert sum(statistic.count for statistic in found.recall) == counted
        assert not found.completion, "a baseline decodes no masks"


def test_a_written_result_reads_back_and_gives_the_same_tables(result: Generalisation) -> None:
    read = from_json(to_json(result))
    assert isinstance(read, Generalisation)
    assert to_json(read) == to_json(result)
    assert read.checkpoint == ModelIdentity(None, "MONet", None, trained_slots=5)
    terminal, printed = console(), []
    for each in (result, read):
        with terminal.capture() as capture:
            terminal.print(condition_table("title", [each]), comparison_table([each]))
            terminal.print(slot_table(each, "objects_6"), occlusion_table(each))
            terminal.print(verdict(each), completion(each))
        printed.append(capture.get())
    assert printed[0] == printed[1]


def test_results_are_written_as_standard_json_and_drawn(
    model: Monet,
    result: Generalisation,
    fewer: Generalisation,
    folder: Path,
    cache: Cache,
    tmp_path: Path,
) -> None:
    write_result(result, tmp_path)
    text = (tmp_path / "scores.json").read_text()
    assert "NaN" not in text
    content = json.loads(text)
    assert content["num_slots"] == 9
    assert len(content["slot_use"]["objects_6"]) == 9
    assert content["slot_use"]["test"][0]["area"].keys() == {"sky", "floor", "walls", "objects"}
    assert content["occlusion"]["model"]["recall"][-1]["to"] == 1
    examples = example_scenes(scored_model(model), result, folder, cache)
    for figure, name in (
        (draw_decompositions(examples), "decompositions"),
        (plot_generalisation([result, fewer]), "generalisation"),
        (plot_slot_use(result), "slot_use"),
        (plot_occlusion([result, fewer]), "occlusion"),
    ):
        png, pdf = save(figure, tmp_path / name)
        assert png.read_bytes().startswith(b"\x89PNG")
        assert pdf.read_bytes().startswith(b"%PDF")


def test_completion_is_plotted_only_where_there_is_some(result: Generalisation) -> None:
    none, some = (
        replace(
            result,
            occlusion=replace(
                result.occlusion,
                model=replace(
                    result.occlusion.model,
                    completion={name: Statistic(0.5, 0.1, 0.4, 0.6, count) for name in COMPLETION},
                ),
            ),
        )
        for count in (0, 9)
    )
    for results, titles in (
        ([none], ["objects found"]),
        ([none, some], ["objects found", "objects at most 90% in view, and found"]),
    ):
        assert [axes.get_title() for axes in plot_occlusion(results).axes] == titles


def test_the_plot_draws_the_scores_themselves(
    result: Generalisation, fewer: Generalisation
) -> None:
    figure = plot_generalisation([result, fewer])
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["ari_fg", "msc", "recall", "ari_paper", "count"]
    for shown in (result, fewer):
        (line,) = (
            bars[0]
            for bars in panels["msc"].containers
            if bars.get_label() == f"MONet, {shown.num_slots} slots"
        )
        expected = [shown.conditions[f"objects_{count}"]["msc"].mean for count in range(1, 7)]
        np.testing.assert_allclose(line.get_ydata().astype(float), expected)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == ["MONet, 9 slots", "MONet, 5 slots"]
    assert {"trained on", "k-means on colour", "felzenszwalb"} <= set(labels)


def test_the_tables_show_each_condition_slot_count_and_baseline(
    result: Generalisation, fewer: Generalisation
) -> None:
    terminal = console()
    with terminal.capture() as capture:
        for results in ([result], [result, fewer]):
            terminal.print(condition_table("title", results))
            terminal.print(comparison_table(results))
        terminal.print(verdict(result))
        terminal.print(slot_table(result, "objects_6"))
        terminal.print(occlusion_table(result))
        terminal.print(completion(result))
    printed = capture.get()
    for name in (
        *map(title_of, CONDITIONS),
        *BASELINES,
        "MONet, 9 slots",
        "MONet, 5 slots",
        "six objects, 5",
        "its decoded masks",
        "its refined masks",
        "ceiling (walls with sky)",
        "slot 9",
        "75% to 95%",
    ):
        assert name in printed
    assert "…" not in printed, "a column is cut"
    assert "k-means on colour has the higher ari_fg" in printed
    assert "with the 5 slots of training): this" in printed


def test_a_second_time_nothing_is_computed_again(
    model: Monet, folder: Path, result: Generalisation, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    conditions = ("objects_4", "four_identical")

    def score() -> dict[str, Any]:
        made = generalise(model, 9, n=3, data_folder=folder, cache=cache, conditions=conditions)
        example_scenes(scored_model(model), made, folder, cache)
        return json.loads(to_json(made))

    def kept() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}

    first, entries = score(), kept()
    # And what the picture shows of the second.
    assert len(entries) == len(conditions) * (1 + len(BASELINES)) + 1
    assert score() == first
    assert kept() == entries
    whole = json.loads(to_json(result))
    for name in ("conditions", "decoded_masks", "ceilings", "slot_use"):
        expected = {condition: whole[name][condition] for condition in conditions}
        assert first[name] == expected


def test_kinds_that_training_held_out_are_scored_apart(
    model: Monet, folder: Path, result: Generalisation, cache: Cache, tmp_path: Path
) -> None:
    kinds = (parse_kind("shape=sphere"),)
    train = tmp_path / "train.h5"
    build(ObjectsRoomConfig(size=32, hold_out=kinds), n=2, seed=0, out=train)
    assert hold_out_of(train) == kinds
    assert hold_out_of(folder / "objects_4_32px.h5") == ()
    assert hold_out_of(tmp_path / "gone.h5") == ()
    held = generalise(
        model,
        9,
        n=3,
        data_folder=folder,
        cache=cache,
        conditions=("objects_4",),
        hold_out=kinds,
    )
    assert tuple(held.conditions) == ("objects_4", "held_in", "held_out")
    spheres = {}
    for condition in ("held_in", "held_out"):
        path = TestRooms(folder, 0, 3, 32, hold_out=kinds).file(condition)
        with SceneFile(path) as file:
            shown = file["factors/present"][:] & (file["factors/visible_pixels"][:] > 0)
            sphere = file["factors/shape"][:] == SHAPES.index("sphere")
            spheres[condition] = (shown & sphere).any(axis=1).tolist()
    assert spheres == {"held_in": [False] * 3, "held_out": [True] * 3}
    other = TestRooms(folder, 0, 1, 32, hold_out=(parse_kind("hue=0-0.5"),)).file("held_out")
    assert other != path, "another hold-out has another file"


def test_a_program_has_files_written_of_some_conditions(
    model: Monet, folder: Path, result: Generalisation, cache: Cache, tmp_path: Path
) -> None:
    written = generalise(
        model,
        9,
        n=3,
        data_folder=folder,
        conditions=("objects_4", "four_identical"),
        out=tmp_path,
        cache=cache,
    )
    assert (tmp_path / "scores.json").read_text() == to_json(written)
    assert list(written.conditions) == ["objects_4", "four_identical"]
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "decompositions.png",
        "generalisation.png",
        "occlusion.png",
    }


def test_finished_scenes_are_used_again_and_extended(folder: Path, result: Generalisation) -> None:
    path = folder / "objects_2_32px.h5"
    before = path.stat().st_mtime_ns
    assert TestRooms(folder, 0, 2, 32).file("objects_2") == path
    assert path.stat().st_mtime_ns == before
    with SceneFile(path) as file:
        first = file["image"][:]
    assert TestRooms(folder, 0, 5, 32).file("objects_2") == path
    with SceneFile(path) as file:
        assert file.n == 5
        np.testing.assert_array_equal(file["image"][:3], first)
    other = TestRooms(folder, 1, 3, 32).file("objects_2")
    assert TestRooms(folder, 0, 5, 32).file("objects_2") == path
    with SceneFile(other) as file:
        assert (file["image"][:] != first).any(axis=(1, 2, 3)).all()


def test_a_users_own_file_of_larger_scenes_serves(tmp_path: Path) -> None:
    own = tmp_path / "objects_1.h5"
    build(condition_config("objects_1", 64), n=2, seed=0, out=own)
    assert TestRooms(tmp_path, 0, 2, 32).file("objects_1") == own
    # Not one of another seed, nor one whose size is no multiple.
    seeded = tmp_path / "objects_1_32px_seed1.h5"
    assert TestRooms(tmp_path, 1, 2, 32).file("objects_1") == seeded
    assert TestRooms(tmp_path, 0, 2, 48).file("objects_1") == tmp_path / "objects_1_48px.h5"


def test_one_slot_and_no_scenes_are_refused(model: Monet, folder: Path, cache: Cache) -> None:
    with pytest.raises(UsageError, match="--slots must be at least 2, got 1"):
        generalise(model, 1, n=3, data_folder=folder, cache=cache)
    with pytest.raises(UsageError, match="--n must be at least 1, got 0"):
        generalise(model, 9, n=0, data_folder=folder, cache=cache)
