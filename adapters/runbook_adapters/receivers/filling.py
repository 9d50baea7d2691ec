"""Filling: a template's decoded JSON with the fields of one message. What is filled in is text, and is not read again.

A string may name fields, `{{ message.title }}`, each with the most characters of it, `{{ message.title : 130 }}`. Two
objects stand for something else: `{"$choose": FIELD, "cases": {...}, "else": ...}` for the case of that name, and
`{"$when": FIELD, "then": ...}` for nothing at all when the field is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from runbook_adapters.receivers.fields import OURS

FIELD: Final = re.compile(r"\{\{\s*(?P<name>[a-z][A-Za-z0-9_.]*)\s*(?::\s*(?P<most>[1-9][0-9]{0,4})\s*)?\}\}")
NOTHING: Final = object()
CUT = "..."
ZERO_WIDTH = "\u200b"
Escape = Literal["none", "markdown"]
MARKUP: Final = re.compile(r"[\\`*_\[\]<>~#|!]")


def fill(node: Any, fields: Mapping[str, str], escape: Escape) -> Any:
    """Return the JSON value with every field in its place."""
    match node:
        case str():
            return FIELD.sub(lambda found: _shown(found, fields, escape), node)
        case {"$choose": name, "cases": cases, "else": otherwise}:
            return fill(cases.get(fields[name], otherwise), fields, escape)
        case {"$when": name, "then": then}:
            return fill(then, fields, escape) if fields[name] else NOTHING
        case dict():
            filled = {key: fill(inner, fields, escape) for key, inner in node.items()}
            return {key: inner for key, inner in filled.items() if inner is not NOTHING}
        case list():
            return [inner for each in node if (inner := fill(each, fields, escape)) is not NOTHING]
        case _:
            return node


def without_markup(text: str) -> str:
    """Return text that Markdown shows as it is written, and in which nobody is mentioned."""
    return MARKUP.sub(lambda found: f"\\{found[0]}", text).replace("@", f"@{ZERO_WIDTH}")


def _shown(found: re.Match[str], fields: Mapping[str, str], escape: Escape) -> str:
    name, most = found["name"], found["most"]
    text = fields[name]
    if most is not None and len(text) > int(most):
        text = text[: max(0, int(most) - len(CUT))] + CUT[: int(most)]
    return without_markup(text) if escape == "markdown" and name not in OURS else text
