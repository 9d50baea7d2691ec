"""The shape of a matcher: what it asks of its label's value, as plain values that can be stored with an index.

Patterns of the usual shapes (a list of values, a beginning, anything) are tested without RE2, which is only loaded
for those that need it. Such a test must agree with RE2 on every text; a property test compares the two.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from runbook_engine.matching.patterns import WILD, Branch, beginnings, finite, read_branches
from runbook_engine.model.matcher import Matcher

Kind = Literal["is", "is not", "one of", "begins", "ends", "begins then", "matches"]

_LITERAL = r"((?:[-A-Za-z0-9_:/ ]|\\[-.+*?()|\[\]{}^$/])*)"
_RANGES = "(?:0-9|[0-8]-9|a-z|a-f|A-Z|A-F|[A-Za-z0-9_])*-?"
_BEGINNING = re.compile(_LITERAL + rf"(?:\.|\[(?!-?\])({_RANGES})\])([*+])")
_ENDING = re.compile(r"\.([*+])" + _LITERAL)
_RANGE = re.compile("(.)-(.)")


class Shape(msgspec.Struct, frozen=True, array_like=True):
    """One test: its kind, the texts that it compares with, the length that a value must have, and whether to refuse.

    A pattern that RE2 must try is the first text; the others are beginnings, of which every match has one.
    """

    kind: Kind
    texts: tuple[str, ...]
    least: int = 0
    refuses: bool = False


class Reading(NamedTuple):
    """A pattern, read once: how to test it, every text that it accepts where they are few, and what it consists of."""

    shape: Shape
    texts: frozenset[str] | None
    branches: tuple[Branch, ...]


def shape_of(matcher: Matcher) -> Shape:
    """Return what the matcher asks of its label's value."""
    if matcher.op == "=":
        return Shape("is", (matcher.value,))
    if matcher.op == "!=":
        return Shape("is not", (matcher.value,))
    shape = read_pattern(matcher.value).shape
    return refusal(shape) if matcher.is_negative else shape


def refusal(shape: Shape) -> Shape:
    """Return the shape that holds where this one does not."""
    return Shape(shape.kind, shape.texts, shape.least, not shape.refuses)


def read_pattern(pattern: str) -> Reading:
    """Read a pattern by its shape, or in full where it has none of the usual ones."""
    if found := _BEGINNING.fullmatch(pattern):
        text = found[1].replace("\\", "")
        least = len(text) + (found[3] == "+")
        branches = ((frozenset([text]), WILD) if text else (WILD,),)
        if found[2] is None:
            return Reading(Shape("begins", (text,), least), None, branches)
        return Reading(Shape("begins then", (text, _characters(found[2])), least), None, branches)
    if found := _ENDING.fullmatch(pattern):
        text = found[2].replace("\\", "")
        return Reading(Shape("ends", (text,), len(text) + (found[1] == "+")), None, ((WILD, frozenset([text])),))
    return _read_in_full(pattern)


def _read_in_full(pattern: str) -> Reading:
    branches = read_branches(pattern)
    texts = finite(branches)
    if texts is not None:
        return Reading(Shape("one of", tuple(sorted(texts))), texts, branches)
    return Reading(Shape("matches", (pattern, *sorted(beginnings(branches)))), None, branches)


def _characters(written: str) -> str:
    """Return every character that a class stands for."""
    return _RANGE.sub(lambda pair: "".join(map(chr, range(ord(pair[1]), ord(pair[2]) + 1))), written)
