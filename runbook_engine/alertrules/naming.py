"""Names and texts of other people in files of ours: always quoted, never code, never a path."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import yaml

from runbook_engine.loading.scalars import TRUTHS, read_scalar
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import render_matcher
from runbook_engine.templating import is_template

LONGEST: Final = 50
RESERVED: Final = frozenset({"engine"})  # engine.yaml is the installation
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")  # Kube|API|Down, and not P|V|Cs
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PUNCTUATION = re.compile(r"([^A-Za-z0-9_\x00-\x1f\x7f-\U0010ffff])")


def file_name(text: str, taken: Collection[str] = ()) -> str:
    """Return a name for a runbook and its file that nobody has yet: lower-case letters, digits and dashes."""
    split = _WORDS.sub("-", text)
    slug = re.sub(r"[^a-z0-9]+", "-", split.lower()).strip("-")[:LONGEST].strip("-")
    slug = slug if slug and _reads_as_text(slug) and slug not in RESERVED else f"alert-{slug}".strip("-")
    count, name = 1, slug
    while name in taken:
        count += 1
        name = f"{slug}-{count}"
    return name


def named(name: str) -> str:
    """Return one of our own names as YAML, in quotes where it would be read as something else: `on`, `123`."""
    return name if _reads_as_text(name) else quoted(name)


def _reads_as_text(name: str) -> bool:
    return isinstance(read_scalar(name), str) and name not in TRUTHS


def quoted(text: str) -> str:
    """Return a text as YAML that reads as exactly this text, whatever it holds, in printable characters."""
    written: str = yaml.dump(text, default_style='"', allow_unicode=False, width=float("inf"))
    return written.rstrip("\n")


def matcher_line(label: str, value: str) -> str:
    """Return the list item of a matcher that accepts this one value."""
    if _PLAIN.fullmatch(label) and _PLAIN.fullmatch(value):
        return f"{label} = {value}"
    # A matcher is never filled in, and what looks like a template is refused: written as a pattern, it is none.
    pattern = _PUNCTUATION.sub(r"\\\1", value)
    matcher = Matcher(label, "=~", pattern) if is_template(value) else Matcher(label, "=", value)
    return quoted(render_matcher(matcher))
