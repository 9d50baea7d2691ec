"""Turn one matcher into a test on the label's value; absent reads as the empty string.

Patterns of the usual shapes (a list of values, a beginning, anything) are tested without RE2, which is only loaded
for those that need it. Such a test must agree with RE2 on every text; a property test compares the two.
"""

from __future__ import annotations

import operator
import re
from functools import partial

from runbook_engine.matching.patterns import beginnings, finite, read_branches
from runbook_engine.matching.regexes import Predicate, compile_pattern
from runbook_engine.model.matcher import Matcher

_LITERAL = r"((?:[-A-Za-z0-9_:/ ]|\\[-.+*?()|\[\]{}^$/])*)"
_BEGINNING = re.compile(_LITERAL + r"\.([*+])")
_ENDING = re.compile(r"\.([*+])" + _LITERAL)
_RANGES = "(?:0-9|[0-8]-9|a-z|a-f|A-Z|A-F|[A-Za-z0-9_])*-?"
_THEN_CLASS = re.compile(_LITERAL + rf"\[(?!-?\])({_RANGES})\]([*+])")
_RANGE = re.compile("(.)-(.)")


def condition(matcher: Matcher) -> Predicate:
    """Return the test that the matcher puts to its label's value."""
    if matcher.op == "=":
        return partial(operator.eq, matcher.value)
    if matcher.op == "!=":
        return partial(operator.ne, matcher.value)
    accepts = pattern_test(matcher.value)
    return partial(_refuses, accepts) if matcher.is_negative else accepts


def pattern_test(pattern: str) -> Predicate:
    """Return the test whether a whole text matches the pattern."""
    branches = read_branches(pattern)
    texts = finite(branches)
    if texts is not None:
        return texts.__contains__
    if shape := _BEGINNING.fullmatch(pattern):
        return _begins(*_literal(shape[1], shape[2]))
    if shape := _ENDING.fullmatch(pattern):
        return _ends(*_literal(shape[2], shape[1]))
    if shape := _THEN_CLASS.fullmatch(pattern):
        return _begins_then(*_literal(shape[1], shape[3]), _characters(shape[2]))
    matches = compile_pattern(pattern)
    first = tuple(beginnings(branches))
    return _begins_and(first, matches) if first else matches


def holds(matcher: Matcher, value: str) -> bool:
    """Whether the matcher holds for this value of its label."""
    return bool(condition(matcher)(value))


def _literal(written: str, repeat: str) -> tuple[str, int]:
    """Return the text without its escapes, and how long a value must be at least."""
    text = written.replace("\\", "")
    return text, len(text) + (repeat == "+")


def _characters(written: str) -> str:
    """Return every character that a class stands for."""
    return _RANGE.sub(lambda pair: "".join(map(chr, range(ord(pair[1]), ord(pair[2]) + 1))), written)


def _begins(text: str, least: int) -> Predicate:
    def begins(value: str) -> bool:
        return len(value) >= least and value.startswith(text) and "\n" not in value

    return begins


def _ends(text: str, least: int) -> Predicate:
    def ends(value: str) -> bool:
        return len(value) >= least and value.endswith(text) and "\n" not in value

    return ends


def _begins_then(text: str, least: int, characters: str) -> Predicate:
    size = len(text)

    def begins_then(value: str) -> bool:
        return len(value) >= least and value.startswith(text) and not value[size:].strip(characters)

    return begins_then


def _begins_and(first: tuple[str, ...], matches: Predicate) -> Predicate:
    """Ask RE2, which takes microseconds, only about values that begin as every match does."""

    def begins_and(value: str) -> object:
        return value.startswith(first) and matches(value)

    return begins_and


def _refuses(accepts: Predicate, value: str) -> bool:
    return not accepts(value)
