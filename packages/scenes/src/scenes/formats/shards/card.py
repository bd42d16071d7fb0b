"""The card of a folder of shards: README.md, of which hubs read the head and people the rest.

Everything in it is told by the manifests of the finished splits. What comes from a file is written
so that Markdown and HTML take it for words.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from scenes.atomic import write_whole
from scenes.command_line import UsageError
from scenes.formats.shards.manifest import Manifest
from scenes.regular_files import read_regular
from scenes.serialise import parse_json
from scenes.source_list import DATASETS

NAME = "README.md"
MOST_BYTES = 1 << 30
MARK = "<!-- scenes export wrote the lines above: {} -->\n"
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
"""Bounds of a hub's categories of size."""
MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")

TEMPLATES = Environment(
    loader=PackageLoader("scenes", "formats/shards/cards"),
    autoescape=False,  # it is Markdown: `plain` below escapes what comes from files
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def card(manifests: Mapping[str, Manifest]) -> str:
    """Returns the card of finished splits.

    Args:
        manifests: by the splits' names, at least one.
    """
    splits = list(manifests.values())
    first = splits[0]
    names = {"fields": first.fields, "form": first.format, "origin": first.origin}
    text = TEMPLATES.get_template(f"{first.origin.dataset}.md").render(
        **names,
        title=DATASETS[first.origin.dataset].title,
        command=DATASETS[first.origin.dataset].command,
        splits=splits,
        n=sum(split.origin.n for split in splits),
        version=version("scenes"),
    )
    return text + MARK.format(hashlib.sha256(text.encode()).hexdigest())


def check_card(folder: Path) -> None:
    """Refuses to replace a card of another hand.

    Raises:
        UsageError: there is one.
    """
    if not _is_ours(folder / NAME):
        raise UsageError(
            f"{folder / NAME}: not as this command wrote it, and would be written anew; "
            "--overwrite does so"
        )


def write_card(folder: Path, manifests: Mapping[str, Manifest], *, overwrite: bool = False) -> None:
    """Writes the card of a folder's finished splits; without one, there is no card.

    Args:
        folder: of the shards.
        manifests: of all its splits, by their names.
        overwrite: whether to replace a card of another hand, which is left otherwise.

    Raises:
        OSError: it could not be written.
    """
    path = folder / NAME
    if not overwrite and not _is_ours(path):
        return
    finished = {split: each for split, each in manifests.items() if each.complete}
    if finished:
        write_whole(path, card(finished).encode(errors="backslashreplace"))
    else:
        path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether a card is as it was written, or not there."""
    if not path.exists():
        return True
    text, _, mark = read_regular(path, MOST_BYTES).decode(errors="replace").rpartition("<!--")
    return f"<!--{mark}" == MARK.format(hashlib.sha256(text.encode()).hexdigest())


def plain(words: object) -> str:
    """Returns words from a file on one line, none of which is markup or a link."""
    line = html.escape(" ".join(str(words).split()), quote=False)
    return MARKDOWN.sub(r"\\\1", line).replace("://", r":\//")


def code(words: object) -> str:
    """Returns words from a file for a span of code, also in a table."""
    return " ".join(str(words).split()).replace("`", "'").replace("|", r"\|")


def pretty(text: str) -> str:
    """Returns JSON for a block of code."""
    return json.dumps(parse_json(text), indent=2)


def size_category(n: int) -> str:
    """Returns what hubs call a number of rows."""
    below = "0"
    for bound in SIZES:
        power = {"K": 3, "M": 6, "B": 9, "T": 12}[bound[-1]]
        if n < int(bound[:-1]) * 10**power:
            return f"n<{bound}" if below == "0" else f"{below}<n<{bound}"
        below = bound
    return f"n>{below}"


TEMPLATES.filters |= {
    "shape": lambda shape: str(tuple(shape)),
    "plain": plain,
    "code": code,
    "pretty": pretty,
    "size_category": size_category,
    "json": json.dumps,
}
