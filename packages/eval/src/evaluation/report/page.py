"""The report as one HTML file that needs nothing else, and report.json beside it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from monet.weights import SHIPPED
from scenes.atomic import write_whole
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.pictures.palette import slot_palette

from evaluation.report import plots, tables
from evaluation.report.browse import SLOT_ROW, TOP_ROW, as_webp
from evaluation.report.gather import Report, Scores
from evaluation.scores.scoring import write_json

PAGE = "report.html"
FOR_MACHINES = "report.json"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Writes the page and the JSON; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    write_whole(page, to_html(report).encode())
    write_json(folder / FOR_MACHINES, report.as_json())
    return [page, folder / FOR_MACHINES]


def to_html(report: Report) -> str:
    """Returns the page."""
    conditions = [s for s in report.scores if "conditions" in s.content]
    parts = {
        "style": _asset("report.css"),
        "script": _asset("report.js"),
        "title": escape(f"MONet: {report.checkpoint['name']}"),
        "lead": _lead(report),
        "generalisation": _generalisation(report, conditions),
        "files": _files(report.scores),
        "ranked": f"{report.ranked:,}",
        "metric": escape(report.metric),
        "training": _training(report),
        "runs": _runs(report),
        "versions": _versions(report),
        "data": _script_json(_browsable(report)),
    }
    page = _asset("report.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def _asset(name: str) -> str:
    return (files("evaluation.report") / "assets" / name).read_text(encoding="utf-8")


def _browsable(report: Report) -> dict[str, Any]:
    """Returns what the page's script needs: the scenes with their sheets as data addresses."""
    return {
        "size": report.image_size,
        "colors": ["#" + bytes(rgb).hex() for rgb in slot_palette(report.num_slots)],
        "topRow": TOP_ROW,
        "slotRow": SLOT_ROW,
        "scenes": [
            {
                **card.as_json(),
                "sheet": "data:image/webp;base64," + b64encode(as_webp(card.sheet)).decode(),
            }
            for card in report.scenes
        ],
    }


def _script_json(content: object) -> str:
    # "</script>" in a name would end the element.
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")


def _lead(report: Report) -> str:
    """Says in a few sentences what the scores of the shown model are."""
    checkpoint = report.checkpoint
    first = (
        f"<strong>{escape(checkpoint['name'])}</strong> at step {checkpoint['step']:,}, trained "
        f"with {checkpoint['config']['model']['num_slots']} slots on images of "
        f"{report.image_size} pixels."
    )
    own = [
        s.content
        for s in report.scores
        if all(
            (s.content.get("checkpoint") or {}).get(k) == checkpoint[k] for k in ("name", "step")
        )
    ]
    lines = []
    of_rooms = next((content for content in own if "conditions" in content), None)
    if of_rooms is not None:
        baseline = of_rooms.get("baselines", {}).get(plots.BASELINE, {})
        for condition, name, where in LEADING:
            score = of_rooms["conditions"][condition].get(name)
            lines.append(_compared(of_rooms, where, name, score, baseline.get(condition)))
    for content in own:
        if "metrics" in content:
            where = f"On {content['n']:,} scenes of {content['data']}"
            baseline = content.get("baselines", {}).get(plots.BASELINE)
            score = content["metrics"]["ari_fg"]
            lines.append(_compared(content, where, "ari_fg", score, baseline))
    if not lines:
        return f"<p>{first} No scores of it at this step lie among the results.</p>"
    return f"<p>{first}</p><ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


LEADING = (
    ("test", "ari_fg", "On scenes as in training"),
    ("objects_6", "ari_fg", "With six objects in view"),
    ("identical_color", "ari_fg", "Where all objects have one colour"),
)


def _compared(
    content: Mapping[str, Any],
    where: str,
    name: str,
    score: tables.Statistic | None,
    baseline: Mapping[str, tables.Statistic] | None,
) -> str:
    own = tables.cell(name, score)
    beside = "" if baseline is None else f"; {plots.BASELINE} {tables.cell(name, baseline[name])}"
    return f"{escape(where)}, with {content['num_slots']} slots: {name} <b>{own}</b>{beside}."


def _generalisation(report: Report, conditions: Sequence[Scores]) -> str:
    if not conditions:
        if report.dataset == ObjectsRoomConfig.dataset:
            return "<p>No scores yet: <code>eval generalise --slots 9</code> makes them.</p>"
        path = Path(report.checkpoint["path"])
        named = report.checkpoint["name"] if path.parent == SHIPPED else str(path)
        return (
            "<p>No scores: the conditions of <code>eval generalise</code> are rooms, and this "
            f"model was trained on {escape(report.dataset)}. <code>eval score --checkpoint "
            f"{escape(named)} --data FILE</code> scores any file.</p>"
        )
    keys = [
        (f'<i style="background:{plots.color(index)}"></i>', plots.label(scores, conditions))
        for index, scores in enumerate(conditions)
    ]
    keys.append(('<i class="dashed"></i>', plots.BASELINE))
    keys.append(('<i class="shaded"></i>', "objects in view in training"))
    return (
        _legend(keys)
        + _svgs(
            plots.generalisation(conditions), [f"{name} against objects" for name in plots.CURVES]
        )
        + "".join(
            f"<details{' open' if index == 0 else ''}><summary>{escape(scores.path)}</summary>"
            f"{tables.of_conditions(scores.content)}</details>"
            for index, scores in enumerate(conditions)
        )
    )


def _files(scores: Sequence[Scores]) -> str:
    """Shows what `eval score` and `eval represent` wrote, and other files as they are."""
    made = []
    for one in scores:
        if "conditions" in one.content:
            continue
        if "metrics" in one.content:
            shown = tables.of_file(one.content)
        elif "dci" in one.content:
            shown = tables.of_representation(one.content)
        else:
            shown = _json(one.content)
        made.append(f"<details><summary>{escape(one.path)}</summary>{shown}</details>")
    return f"<section><h2>Scores of files</h2>{''.join(made)}</section>" if made else ""


def _training(report: Report) -> str:
    logged = [run for run in report.runs if any("nll" in row for row in run.metrics)]
    if not logged:
        return "<p>No run folder with a log lies beside the weights.</p>"
    keys = [
        (f'<i style="background:{plots.color(index)}"></i>', run.path)
        for index, run in enumerate(logged)
    ]
    names = [f"{name} over the steps" for name in plots.TERMS.values()]
    return _legend(keys) + _svgs(plots.training(logged), names)


def _runs(report: Report) -> str:
    if not report.runs:
        return ""
    rows = []
    for run in report.runs:
        last = run.as_json()["last"]
        assert isinstance(last, dict)
        scores = [tables.number(last.get(name)) for name in ("loss", "nll", "ari", "ari_fg")]
        rows.append([escape(run.path), run.dataset, f"{run.step:,}", *scores])
    head = ["run", "data", "steps", "loss", "nll", "ari", "ari_fg"]
    listed = tables.table(head, rows, "runs, and the last values that each logged of itself")
    configs = "".join(
        f"<details><summary>config of {escape(run.path)}</summary>{_json(run.config)}</details>"
        for run in report.runs
    )
    return listed + configs


def _versions(report: Report) -> str:
    content = report.as_json()
    return _json({"versions": content["versions"], "scenes rendered by": content["provenance"]})


def _json(content: object) -> str:
    return f"<pre>{escape(json.dumps(content, indent=1))}</pre>"


def _legend(keys: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li>{mark}{escape(words)}</li>" for mark, words in keys)
    return f'<ul class="legend">{items}</ul>'


def _svgs(drawn: Sequence[str], names: Sequence[str]) -> str:
    plain: Callable[[str], str] = lambda svg: re.sub(  # noqa: E731
        r'<metadata>.*?</metadata>| xmlns(:\w+)?="[^"]*"| id="[A-Za-z.\d]+_\d+"',
        "",
        svg,
        flags=re.S,
    )
    figures = "".join(
        f'<figure role="img" aria-label="{escape(name)}">{plain(svg)}</figure>'
        for name, svg in zip(names, drawn, strict=True)
    )
    return f'<div class="plots">{figures}</div>'
