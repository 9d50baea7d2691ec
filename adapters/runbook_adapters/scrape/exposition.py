"""The Prometheus text format, read for the few metrics that are wanted.

A line of a wanted metric is read strictly; every other line is passed over, however it looks, so that one exotic
metric of a service does not blind us to the ones we need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

import msgspec

from runbook_engine.errors import Unreadable

Labels = tuple[tuple[str, str], ...]  # sorted by name
Key = tuple[str, Labels]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NUMBER = r"[+-]?(?:Inf|NaN|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,|$)')
_SAMPLE = re.compile(
    rf'(?P<name>{_NAME.pattern})\s*(?:\{{(?P<labels>(?:[^"}}]|"(?:[^"\\]|\\.)*")*)\}})?'
    rf"\s+(?P<value>{_NUMBER})(?:\s+[0-9.eE+-]+)?\s*(?:#\s.*)?"
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


class Exposition(msgspec.Struct, frozen=True):
    """What one scrape said of the wanted metrics; `known` are those that exist, with or without series."""

    values: Mapping[Key, float]
    known: frozenset[str]


def is_exposition(text: str) -> bool:
    """Whether there is a line of the format at all: in a page that a proxy shows to everybody there is none."""
    return any(line.startswith("# TYPE ") or _SAMPLE.fullmatch(line.rstrip()) for line in text.split("\n"))


def parse_exposition(text: str, wanted: Set[str]) -> Exposition:
    """Return the wanted metrics' values. Raises Unreadable for a wanted line that cannot be read."""
    values: dict[Key, float] = {}
    known: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        found = _NAME.match(line)
        if found is None:
            known.update(_declared(line) & wanted)
        elif found[0] in wanted:
            sample = _SAMPLE.fullmatch(line.rstrip())
            labels = _labels((sample["labels"] or "").strip()) if sample else None
            if sample is None or labels is None:
                raise Unreadable(f"line {number} is not of the Prometheus text format: {line[:120]!r}")
            values[sample["name"], labels] = float(sample["value"])
            known.add(sample["name"])
    return Exposition(values, frozenset(known))


def _declared(line: str) -> set[str]:
    """Return the series names that a TYPE comment promises: a counter is declared before its first labels appear."""
    parts = line.split()
    if len(parts) != 4 or parts[:2] != ["#", "TYPE"]:
        return set()
    match parts[3]:
        case "counter":
            return {parts[2], f"{parts[2]}_total"}
        case "histogram":
            return {f"{parts[2]}_bucket"}
        case _:
            return {parts[2]}


def _labels(text: str) -> Labels | None:
    """Return the labels between the braces, None when they are malformed."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _LABEL.match(text, position)
        if found is None or found[1] in pairs:
            return None
        pairs[found[1]] = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), found[2])
        position = found.end()
    return tuple(sorted(pairs.items()))
