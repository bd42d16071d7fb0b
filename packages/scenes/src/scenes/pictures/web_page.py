"""Web pages that are one file each: nothing is fetched, and no script runs but the page's own.

A page is a Jinja2 template that extends `frame.html`. Templates, styles and scripts are assets,
named by their package and their path in it, such as `scenes/pictures/frame.html`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined


def _asset(name: str) -> str:
    package, _, path = name.partition("/")
    return (files(package) / path).read_text(encoding="utf-8")


# All text is escaped, in HTML and JSON: names of files and entities may have any characters.
TEMPLATES = Environment(
    loader=FunctionLoader(_asset),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}


def render_page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    data: object = None,
    words: Mapping[str, Any],
) -> str:
    """Returns a page.

    Args:
        template: asset that extends the frame, whose `body` it fills.
        title: of the page; the template may show it too.
        styles: assets; a later one overrides an earlier one.
        scripts: assets that run one after the other in one function, so that each may use the names
            of all, and those of `elements.js`. Without any, the page has neither script nor data.
        data: what scripts read as `data`; anything that JSON holds.
        words: what the template shows.
    """
    script = ""
    if scripts:
        sources = map(_asset, ("scenes/pictures/elements.js", *scripts))
        script = '(() => {\n"use strict";\n' + "\n".join(sources) + "})();\n"
    frame = {
        "policy": _content_policy(script),
        "title": title,
        "style": "\n".join(map(_asset, styles)),
        "script": script,
        "data": data,
    }
    return TEMPLATES.get_template(template).render(**words, **frame)


def _content_policy(script: str) -> str:
    """Returns the Content-Security-Policy of a page whose one script is `script`.

    Even if a name in a file brought markup into the page, no other script would run, and nothing
    would be fetched.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
